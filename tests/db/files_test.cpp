// What can be wrong with a file, a folder or a disk, and what the user is told.

#include <sqlite3.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "child.hpp"
#include "fixtures.hpp"
#include "impl.hpp"
#include "lock.hpp"
#include "mosaic/db/writer.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

std::string reading(const std::string& path) {
  return error_of([&] { const Reader reader(path); });
}

std::string writing(const std::string& path) {
  return error_of([&] { const Database database(path); });
}

/// A database of one job with some measurements, closed.
void fill(const std::string& path, int networks = 3) {
  Database database(path);
  Job job = sample_job("first");
  database.transaction([&] {
    database.create_job(job);
    for (int i = 0; i < networks; ++i) {
      const auto id = add_network(database, job, "network " + std::to_string(i));
      database.add_measurement(job.id, id, measured("accuracy", 50 + i));
      database.add_measurement(job.id, id, measured("latency_ms", 1 + i));
    }
  });
}

}  // namespace

TEST_CASE("a database that is not there is asked for with advice") {
  const Folder folder;
  CHECK_THAT(reading(folder.file()), Contains("there is no results database " + folder.file()) &&
                                         Contains("make one with `mosaic run JOB.toml --db"));
  CHECK_THAT(reading(""), Contains("there is no results database \"\""));
  CHECK_THAT(writing(""), Contains("the path of the results database is empty"));
  CHECK_THAT(writing(folder.file("none/results.db")),
             Contains("there is no folder " + folder.file("none")) && Contains("mkdir -p"));
  CHECK_FALSE(fs::exists(folder.file()));
}

TEST_CASE("files that are no database are told apart and left as they were") {
  const Folder folder;
  fs::create_directory(folder.file("folder"));
  for (const auto& look : {reading, writing})
    CHECK_THAT(look(folder.file("folder")),
               Contains("folder is a folder, expected a results database"));

  const std::string notes(300, 'x');
  spill(folder.file("notes.txt"), notes);
  spill(folder.file("short.txt"), "SQLite for");
  for (const auto& look : {reading, writing}) {
    CHECK_THAT(look(folder.file("notes.txt")),
               Contains("notes.txt is not an SQLite database: give"));
    CHECK_THAT(look(folder.file("short.txt")), Contains("damaged (truncated: 10 bytes)"));
  }
  CHECK(slurp(folder.file("notes.txt")) == notes);

  run_sql(folder.file("foreign.db"), "PRAGMA application_id = 255; CREATE TABLE t (x)");
  const auto foreign = slurp(folder.file("foreign.db"));
  for (const auto& look : {reading, writing})
    CHECK_THAT(
        look(folder.file("foreign.db")),
        Contains("is an SQLite database, but not one of Mosaic's (application id 0x000000ff, "
                 "expected 0x4d6f7361): give the path of a results database"));
  CHECK(slurp(folder.file("foreign.db")) == foreign);
}

TEST_CASE("an empty file is filled by a writer and holds nothing for a reader") {
  const Folder folder;
  spill(folder.file(), "");
  CHECK_THAT(reading(folder.file()), Contains("is empty: it holds no results yet"));
  CHECK(writing(folder.file()).empty());
  CHECK(Reader(folder.file()).jobs().empty());
}

TEST_CASE("a database of a newer Mosaic is refused, not changed") {
  const Folder folder;
  fill(folder.file());
  run_sql(folder.file(), "PRAGMA user_version = " + std::to_string(schema_version() + 7));
  for (const auto& look : {reading, writing})
    CHECK_THAT(look(folder.file()),
               Contains("was written by a newer Mosaic (schema version " +
                        std::to_string(schema_version() + 7) + "; this build knows up to " +
                        std::to_string(schema_version()) + "): use that Mosaic or a newer one"));
}

TEST_CASE("truncated and damaged databases are noticed, with the way to save what can be read") {
  const Folder folder;
  fill(folder.file(), 400);
  const auto whole = slurp(folder.file());
  REQUIRE(whole.size() > 40'000);
  for (const std::size_t size : {std::size_t{50}, std::size_t{4096}, whole.size() - 1}) {
    spill(folder.file(), whole.substr(0, size));
    for (const auto& look : {reading, writing})
      CHECK_THAT(look(folder.file()), Contains("is damaged (truncated: " + std::to_string(size)) &&
                                          Contains(".dump > rescued.sql`"));
  }
  auto damaged = whole;
  for (std::size_t i = 4096; i < damaged.size(); ++i) damaged[i] = static_cast<char>(i * 31);
  spill(folder.file(), damaged);
  CHECK_THAT(error_of([&] {
               const Reader reader(folder.file());
               reader.networks(reader.job().id);
             }),
             Contains("is damaged (") && Contains("go back to a copy"));
}

TEST_CASE("a second writer is told which process writes, whatever the file is called") {
  const Folder folder;
  const std::string path = folder.file();
  fs::create_symlink(path, folder.file("link.db"));
  Child child([&](int out) {
    Database database(path);
    Child::say(out, "!");
    ::pause();
  });
  REQUIRE(child.hear(1) == "!");
  const auto holder = std::to_string(child.pid());
  CHECK_THAT(writing(path), Contains(path + " is being written by process " + holder + ": wait") &&
                                Contains("commands that only read work meanwhile"));
  CHECK_THAT(writing(folder.file("link.db")), Contains("is being written by process " + holder));
  CHECK(Reader(path).jobs().empty());
  child.kill();

  Database database(path);
  CHECK_THAT(writing(path), Contains("is being written by process " + std::to_string(::getpid())));
}

TEST_CASE("a database that was begun by a link is one under both names") {
  const Folder folder;
  fs::create_directories(folder.file("disk"));
  fs::create_symlink("disk/real.db", folder.file("link.db"));  // to a file that is not there yet
  const std::string real = folder.file("disk/real.db");
  Child child([&](int out) {
    Database database(folder.file("link.db"));
    Job job = sample_job("first");
    database.create_job(job);
    Child::say(out, "!");
    ::pause();
  });
  REQUIRE(child.hear(1) == "!");
  CHECK(writer_of(real) == child.pid());
  CHECK(writer_of(folder.file("link.db")) == child.pid());
  CHECK_THAT(writing(real), Contains("is being written by process"));
  CHECK(fs::exists(real + ".lock"));
  CHECK_FALSE(fs::exists(folder.file("link.db.lock")));
  CHECK(Reader(folder.file("link.db")).jobs().size() == 1);
  child.kill();

  fs::create_symlink("nowhere/real.db", folder.file("lost.db"));
  CHECK_THAT(writing(folder.file("lost.db")),
             Contains("there is no folder " + folder.file("nowhere")));
}

TEST_CASE("whether a database is being written can be asked, and asking keeps no writer out") {
  const Folder folder;
  const std::string path = folder.file();
  CHECK_FALSE(writer_of(path));
  {
    Child child([&](int out) {
      Database database(path);
      Child::say(out, "!");
      ::pause();
    });
    REQUIRE(child.hear(1) == "!");
    fs::create_symlink(path, folder.file("link.db"));
    CHECK(writer_of(path) == child.pid());
    CHECK(writer_of(folder.file("link.db")) == child.pid());
    child.kill();
  }
  CHECK_FALSE(writer_of(path));
  CHECK(fs::exists(path + ".lock"));  // the file that it left tells nothing
  std::atomic<bool> done = false;
  std::thread asking([&] {
    while (!done) {
      (void)writer_of(path);
      ::usleep(500);
    }
  });
  for (int i = 0; i < 20; ++i) CHECK(writing(path).empty());
  done = true;
  asking.join();
}

TEST_CASE("another program that holds the file is waited for, then named as the cause") {
  const Folder folder;
  Database database(folder.file(), {.survive_power_failure = false, .busy_milliseconds = 1});
  sqlite3* shell = nullptr;
  REQUIRE(sqlite3_open(folder.file().c_str(), &shell) == SQLITE_OK);
  REQUIRE(sqlite3_exec(shell, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  Job job = sample_job("first");
  CHECK_THAT(error_of([&] { database.create_job(job); }),
             Contains("is locked by another program (database is locked): end the program"));
  sqlite3_close(shell);
  database.create_job(job);
  CHECK(database.jobs().size() == 1);
}

TEST_CASE("how durable commits are may be decided after the file was read") {
  struct Writer : Database {
    using Database::Database;
    std::int64_t synchronous() { return impl_->connection->integer("PRAGMA synchronous"); }
  };
  const Folder folder;
  Writer database(folder.file());
  CHECK(database.synchronous() == 2);  // FULL
  database.survive_power_failure(false);
  CHECK(database.synchronous() == 1);  // NORMAL
  database.survive_power_failure(true);
  CHECK(database.synchronous() == 2);
}

TEST_CASE("a database in a read-only folder can be read and not written") {
  const Folder folder;
  fs::permissions(folder.path(), fs::perms::all);
  // Names that mean something in a URI must not.
  for (const std::string name : {"results.db", "50%25 of #1?.db"}) {
    const std::string path = folder.file(name);
    fill(path);
    fs::remove(path + ".lock");
    fs::permissions(folder.path(), static_cast<fs::perms>(0555));
    const auto answer = as_plain_user([&] {
      const Reader reader(path);
      return std::to_string(reader.front(reader.job()).size()) + " " +
             reader.query("SELECT count(*) FROM measurements").rows[0][0].text;
    });
    CHECK(answer == "3 6");
    CHECK_FALSE(fs::exists(path + "-wal"));
    const auto refusal = as_plain_user([&] { return writing(path); });
    CHECK_THAT(refusal,
               Contains("cannot write to " + path) && Contains("Permission denied") &&
                   Contains("make the folder writable, or choose another place with --db"));
    fs::permissions(folder.path(), fs::perms::all);
  }
}

TEST_CASE("a database whose writer was killed is read in full from a read-only folder") {
  const Folder folder;
  const std::string path = folder.file();
  fs::permissions(folder.path(), fs::perms::all);
  {
    Child child([&](int out) {
      Database database(path);
      Job job = sample_job("first");
      database.create_job(job);
      Child::say(out, "!");
      ::pause();
    });
    REQUIRE(child.hear(1) == "!");
  }
  REQUIRE(fs::file_size(path + "-wal") > 0);
  for (const auto& entry : fs::directory_iterator(folder.path()))
    fs::permissions(entry.path(), static_cast<fs::perms>(0444));
  const auto count = [&] {
    return as_plain_user([&] { return std::to_string(Reader(path).jobs().size()); });
  };
  fs::permissions(folder.path(), static_cast<fs::perms>(0555));
  CHECK(count() == "1");

  // A copy without the log's index: SQLite has nowhere to put a new one.
  fs::permissions(folder.path(), fs::perms::all);
  fs::remove(path + "-shm");
  fs::permissions(folder.path(), static_cast<fs::perms>(0555));
  const auto refusal = count();
  CHECK_THAT(refusal, Contains("cannot open " + path) &&
                          Contains("copy the database with its -wal file elsewhere"));
  fs::permissions(folder.path(), fs::perms::all);
}

TEST_CASE("a file that may only be read, and one that may not be read, are reported so") {
  const Folder folder;
  const std::string path = folder.file();
  fs::permissions(folder.path(), fs::perms::all);
  fill(path);
  fs::remove(path + ".lock");
  fs::permissions(path, static_cast<fs::perms>(0444));
  const auto refusal = as_plain_user([&] { return writing(path); });
  CHECK_THAT(refusal, Contains("cannot write to " + path + " (the file may only be read)"));
  fs::permissions(path, fs::perms::none);
  const auto unreadable = as_plain_user([&] { return reading(path); });
  CHECK_THAT(unreadable, Contains("cannot read " + path + " (Permission denied)"));
}

TEST_CASE("a full disk stops the writer with advice and loses nothing that was committed") {
  const Folder folder;
  const std::string path = folder.file();
  Child child([&](int out) {
    Database database(path);
    Job job = sample_job("first");
    database.create_job(job);
    const auto id = add_network(database, job, "a");
    // A limit on file sizes is the full disk that needs no disk.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{400'000, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int committed = 0;
    const auto message = error_of([&] {
      for (;; ++committed)
        database.add_measurement(job.id, id,
                                 measured("accuracy", committed, std::string(3000, 'f')));
    });
    // The same database goes on once there is room again.
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    database.add_measurement(job.id, id, measured("accuracy", committed++));
    Child::say(out, std::to_string(committed) + "|" + message);
  });
  const auto heard = child.hear_all();
  CHECK_THAT(heard,
             Contains("|no space left to write " + path + " (disk I/O error, File too large)") &&
                 Contains("free some space or raise the quota there and give the same command "
                          "again; everything committed before is safe"));
  const Reader reader(path);
  const auto kept = reader.measurements(reader.job().id, "accuracy");
  CHECK(kept.size() == std::stoul(heard));
  CHECK(kept.size() > 10);
  CHECK(reader.query("PRAGMA integrity_check").rows[0][0].text == "ok");
}

TEST_CASE("network file systems are known by their magic numbers") {
  CHECK(network_file_system(0x6969) == "NFS");
  CHECK(network_file_system(static_cast<long>(0xff534d42)) == "SMB");
  CHECK(network_file_system(static_cast<int>(0xfe534d42)) == "SMB");  // sign-extended
  CHECK(network_file_system(0x0bd00bd0) == "Lustre");
  CHECK(network_file_system(0xef53).empty());      // ext4
  CHECK(network_file_system(0x01021994).empty());  // tmpfs
  CHECK(network_file_system(0x01021997) == "9P");
  CHECK(network_file_system_of("/proc").empty());
  CHECK(network_file_system_of("/no/such/folder").empty());
}

TEST_CASE("who opens a database on a network file system is told what does not work there") {
  CHECK_THAT(
      network_advice("r.db", "NFS", true, false),
      Contains("r.db lies on a network file system (NFS), where SQLite's write-ahead log does "
               "not work: a rollback journal is used") &&
          Contains("A local disk is faster and safer (--db)"));
  CHECK_THAT(network_advice("r.db", "SMB", false, true),
             Contains("(SMB) and was last written with a write-ahead log") &&
                 Contains("Copy it to a local disk to read it"));
  CHECK(network_advice("r.db", "NFS", false, false).empty());  // a rollback journal is shared well
  CHECK(network_advice("r.db", "", true, true).empty());
}

TEST_CASE("a local database is written with a write-ahead log") {
  const Folder folder;
  fill(folder.file());
  const auto header = slurp(folder.file());
  CHECK(header.at(18) == 2);  // read and write versions of the file format: 2 is a log
  CHECK(header.at(19) == 2);
}
