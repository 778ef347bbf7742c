// One writer and eight readers at once, in processes of their own, some of them not ours.

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <memory>

#include "child.hpp"
#include "fixtures.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/db/analysis.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr int kGenerations = 100;
constexpr int kPopulation = 20;

/// One statement, hence one state of the database: rows that must not be there.
constexpr const char* kTorn =
    "SELECT 'number without measurements', e.number FROM evaluations e WHERE 2 <> (SELECT count(*) "
    "FROM measurements m WHERE m.job = e.job AND m.architecture = e.architecture) "
    "UNION ALL SELECT 'generation without numbers', g.number FROM generations g WHERE "
    "g.evaluations "
    "<> (SELECT count(*) FROM evaluations e WHERE e.number <= g.evaluations) "
    "UNION ALL SELECT 'numbers without generation', max(number) FROM evaluations HAVING "
    "max(number) "
    "<> (SELECT max(evaluations) FROM generations) "
    "UNION ALL SELECT 'state of another generation', g.number FROM (SELECT max(number) AS number "
    "FROM generations) g JOIN states s WHERE CAST(s.state AS TEXT) <> g.number "
    "UNION ALL SELECT 'member without column', m.place FROM members m WHERE NOT EXISTS "
    "(SELECT 1 FROM series s JOIN blocks b ON b.series = s.id WHERE b.number = m.place / 500)";

std::string torn(const Reader& reader) {
  std::string text;
  for (const auto& row : reader.query(kTorn).rows) text += row[0].text + " " + row[1].text + "; ";
  return text;
}

/// The front in one snapshot: nobody on it may dominate another, and each has both objectives.
std::string dominated(const Reader& reader, const Job& job) {
  const auto front = reader.front(job);
  std::string text;
  for (std::size_t i = 1; i < front.size(); ++i) {
    const auto& a = front[i - 1].metrics;
    const auto& b = front[i].metrics;
    if (!(a.at("accuracy").value > b.at("accuracy").value &&
          a.at("latency_ms").value > b.at("latency_ms").value))
      text += front[i].arch + " should not be beside " + front[i - 1].arch + "; ";
  }
  return text;
}

/// As a search does it: measurements one by one, then numbers, generation and state together.
void write_generations(const std::string& path, const Job& job, int out) {
  Database database(path, {.survive_power_failure = false});
  core::Stream random(17, "together");
  double longest = 0;
  for (int g = 1; g <= kGenerations; ++g) {
    const core::Stopwatch watch;
    std::vector<std::int64_t> ids;
    for (int i = 0; i < kPopulation; ++i) {
      ids.push_back(add_network(database, job, std::to_string(g) + "/" + std::to_string(i), false));
      database.add_measurement(job.id, ids.back(), measured("accuracy", random.uniform()));
      database.add_measurement(job.id, ids.back(), measured("latency_ms", random.uniform()));
    }
    database.transaction([&] {
      for (const auto id : ids) database.number_evaluation(job.id, id);
      database.add_generation(job.id, {g, g * kPopulation, 0.5, {ids[0]}});
      database.save_state(job.id, "search", std::to_string(g));
    });
    longest = std::max(longest, watch.seconds());
  }
  Child::say(out, std::to_string(longest));
}

/// Reads with `look` until the writer's last generation is there; says how often and what was
/// wrong.
void read_until_done(int out, const std::function<std::string(int round)>& look,
                     const std::function<bool()>& done) {
  std::string wrong;
  int rounds = 0;
  for (bool last = false; !last; ++rounds) {
    last = done();
    wrong += look(rounds);
  }
  Child::say(out, std::to_string(rounds) + "|" + wrong);
}

bool is_done(const Reader& reader) {
  return reader.query("SELECT 1 FROM generations WHERE number = " + std::to_string(kGenerations))
             .rows.size() == 1;
}

/// What a command says, standard error included.
std::string said_by(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[512];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  ::pclose(pipe);
  return text;
}

bool has_sqlite_program() { return std::system("command -v sqlite3 > /dev/null 2>&1") == 0; }

}  // namespace

TEST_CASE("eight readers in processes of their own never fail or see half of something") {
  const Folder folder;
  const std::string path = folder.file();
  Job job = sample_job("first");
  { Database(path).create_job(job); }

  std::vector<std::unique_ptr<Child>> readers;
  for (int r = 0; r < 3; ++r)
    readers.push_back(std::make_unique<Child>([&](int out) {
      const Reader reader(path);
      read_until_done(
          out, [&](int) { return torn(reader) + dominated(reader, job); },
          [&] { return is_done(reader); });
    }));
  for (int r = 0; r < 3; ++r)
    readers.push_back(std::make_unique<Child>([&](int out) {
      // Opened anew each time, as a command is.
      read_until_done(
          out,
          [&](int) {
            const Reader reader(path);
            const auto rows = history(reader, job);
            double last = 0;
            std::string wrong;
            for (const auto& row : rows) {
              if (row.measured_hypervolume < last) wrong += "hypervolume fell; ";
              last = row.measured_hypervolume;
            }
            return wrong + dominated(reader, job) +
                   (reader.networks(job.id).size() < rows.size() * kPopulation ? "lost; " : "");
          },
          [&] { return is_done(Reader(path)); });
    }));
  const bool program = has_sqlite_program();
  if (!program) WARN("the program sqlite3 is not installed: two readers of our own stand in");
  for (int r = 0; r < 2; ++r)
    readers.push_back(std::make_unique<Child>([&](int out) {
      read_until_done(
          out,
          [&](int) {
            return program ? said_by("sqlite3 -readonly '" + path + "' \"" + kTorn + "\"")
                           : torn(Reader(path));
          },
          [&] { return is_done(Reader(path)); });
    }));

  Child writer([&](int out) { write_generations(path, job, out); });
  const auto longest = writer.hear_all();
  INFO("the writer said: " << longest);
  // A generation never waited for readers until the busy timeout of 20 s ran out.
  CHECK(std::atof(longest.c_str()) > 0);
  CHECK(std::atof(longest.c_str()) < 20);
  for (const auto& reader : readers) {
    const auto heard = reader->hear_all();
    CHECK_THAT(heard, Catch::EndsWith("|"));
    CHECK(std::atoi(heard.c_str()) >= 1);
  }
  const Reader reader(path);
  CHECK(reader.evaluation_count(job.id) == kGenerations * kPopulation);
  CHECK(torn(reader).empty());
  CHECK(reader.query("PRAGMA integrity_check").rows[0][0].text == "ok");
}

TEST_CASE("nothing depends on dates: clocks may jump backwards") {
  const Folder folder;
  const std::string path = folder.file();
  Job first = sample_job("first");
  Job second = sample_job("second");
  {
    Database database(path);
    database.create_job(first);
    database.create_job(second);
    const auto id = add_network(database, first, "a");
    database.add_measurement(first.id, id, measured("accuracy", 80));
    database.add_measurement(first.id, id, measured("accuracy", 81));
    database.add_measurement(first.id, id, measured("latency_ms", 2));
    database.add_prediction(first.id, id, "latency_ms", 1, 0.1, "one");
    database.add_prediction(first.id, id, "latency_ms", 3, 0.1, "two");
    add_network(database, first, "b");
    database.add_generation(first.id, {1, 1, 0.1, {id}});
    database.add_generation(first.id, {2, 2, 0.2, {id}});
  }
  // Every later row is dated before every earlier one, by a shell, as by a clock that was set back.
  const auto before = fs::file_size(path);
  CHECK(before > 0);
  need(has_sqlite_program(), Need::kTools, "the program sqlite3 is not installed");
  std::string script;
  for (const char* table : {"measurements", "predictions", "sessions", "jobs"})
    script += std::string("UPDATE ") + table + " SET created = 2030 - id || '-01-01T00:00:00Z';";
  for (const char* table : {"evaluations", "generations"})
    script +=
        std::string("UPDATE ") + table + " SET created = 2030 - number || '-01-01T00:00:00Z';";
  CHECK(said_by("sqlite3 '" + path + "' \"" + script + "\"").empty());

  Database database(path);
  CHECK(database.job().name == "second");
  const auto network = database.networks(first.id)[0];
  CHECK(network.metrics.at("accuracy").value == 81);
  CHECK(network.predicted.at("latency_ms").mean == 3);
  CHECK(database.evaluations(first.id)[0].arch == "a");
  CHECK(database.generations(first.id)[1].number == 2);
  CHECK(database.provenance("a").rows[0][1].text == "80");
  CHECK(database.query("SELECT value FROM latest WHERE metric = 'accuracy'").rows[0][0].text ==
        "81");
  CHECK(database.front(first)[0].metrics.at("accuracy").value == 81);
  CHECK(database.number_evaluation(first.id,
                                   database.architecture(first.space_hash, "c", "hash-of-c")) == 3);
}

TEST_CASE("a lock file that a dead process left does not stop the next writer") {
  const Folder folder;
  const std::string path = folder.file();
  {
    Child child([&](int out) {
      Database database(path);
      Child::say(out, "!");
      ::pause();
    });
    REQUIRE(child.hear(1) == "!");
  }
  REQUIRE_FALSE(slurp(path + ".lock").empty());
  CHECK(error_of([&] { const Database database(path); }).empty());
  CHECK(slurp(path + ".lock") == std::to_string(::getpid()) + "\n");
}

TEST_CASE("a forked process that inherits a writer keeps others out only while it lives") {
  const Folder folder;
  const std::string path = folder.file();
  auto database = std::make_unique<Database>(path);
  Child child([&](int out) {
    // A second writer in the child of a writer is refused like any other.
    Child::say(out, error_of([&] { const Database again(path); }) + "\n");
  });
  const auto heard = child.hear_all();
  CHECK_THAT(heard, Contains("is being written by process " + std::to_string(::getpid())));
  child.wait();
  database.reset();
  CHECK(error_of([&] { const Database again(path); }).empty());
}

TEST_CASE("a disk that is really full stops the writer with advice and loses nothing") {
  const Folder folder;
  const std::string disk = folder.file("disk");
  fs::create_directory(disk);
  Child child([&](int out) {
    // A disk of one megabyte that this process alone sees.
    if ((::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
      Child::say(out, "no mount here");
      return;
    }
    const std::string path = disk + "/results.db";
    Database database(path);
    Job job = sample_job("first");
    database.create_job(job);
    const auto id = add_network(database, job, "a");
    int committed = 0;
    const auto message = error_of([&] {
      for (;; ++committed)
        database.transaction([&] {
          for (int i = 0; i < 3; ++i)
            database.add_measurement(job.id, id,
                                     measured("accuracy", committed, std::string(1000, 'f')));
        });
    });
    const auto kept = [&] { return Reader(path).measurements(job.id, "accuracy").size(); };
    const auto column = database.values(job.id, {"accuracy"}).columns[0][0];
    std::string said = message;
    if (kept() != 3u * static_cast<unsigned>(committed)) said += " lost some";
    if (column != committed - 1) said += " column differs";
    ::mount("none", disk.c_str(), nullptr, MS_REMOUNT, "size=16m");
    database.add_measurement(job.id, id, measured("accuracy", 1000));
    if (kept() != 3u * static_cast<unsigned>(committed) + 1) said += " lost some later";
    if (database.query("PRAGMA integrity_check").rows[0][0].text != "ok") said += " unsound";
    Child::say(out, said + "|" + std::to_string(committed));
  });
  const auto heard = child.hear_all();
  need(heard != "no mount here", Need::kOther,
       "a small file system of its own needs the right to mount one");
  CHECK_THAT(heard, Contains("no space left to write " + disk +
                             "/results.db (database or disk is "
                             "full") &&
                        Contains("everything committed before is safe|"));
  CHECK(std::atoi(heard.substr(heard.rfind('|') + 1).c_str()) > 10);
}
