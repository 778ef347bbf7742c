// Databases as a whole: jobs renamed, deleted, merged.
#include <signal.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "job.hpp"
#include "sql.hpp"
#include "table_job.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;
using nlohmann::json;

namespace {

std::string names(const Folder& folder, const std::string& db) {
  std::string text;
  for (const auto& job : mosaic::db::Reader((folder / db).string()).jobs()) text += job.name + " ";
  return text;
}

/// All that is recorded of a job, but row numbers and times.
std::string everything(const Folder& folder, const std::string& db, const std::string& name) {
  const mosaic::db::Reader reader((folder / db).string());
  const auto job = reader.job(name);
  std::string text = job.status + job.phase;
  std::set<std::string> networks;  // architectures are numbered otherwise elsewhere
  for (const auto& network : reader.networks(job.id)) {
    std::string line = network.arch + " " + std::to_string(network.evaluation.value_or(0));
    for (const auto& [metric, found] : network.metrics)
      line += " " + metric + "=" + std::to_string(found.value) + found.fidelity;
    networks.insert(line);
  }
  for (const auto& network : networks) text += "\n" + network;
  for (const auto& generation : reader.generations(job.id)) {
    std::set<std::string> front;
    for (const auto& network : reader.networks(job.id, generation.front))
      front.insert(network.arch);
    text += "\n" + std::to_string(generation.evaluations) + " " +
            std::to_string(generation.hypervolume) + ":";
    for (const auto& arch : front) text += " " + arch;
  }
  for (const std::int64_t at : {6, 12})
    for (const auto& network : reader.front(job, at)) text += "\n" + network.arch;
  return text + reader.state(job.id, "search").value_or("no state");
}

}  // namespace

TEST_CASE("a job gets another name everywhere, and goes on under it") {
  const Folder folder("rename");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto killed = folder.run({"run", "j.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "30"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  std::filesystem::create_directories(folder / "r-files/j");
  const auto renamed = folder.run({"jobs", "--db", "r.db", "--rename", "j", "other"});
  INFO(renamed.errors);
  REQUIRE(renamed.status == 0);
  CHECK_THAT(renamed.output, Contains("job 'j' is called 'other' now"));
  CHECK(names(folder, "r.db") == "other ");
  CHECK(std::filesystem::is_directory(folder / "r-files/other"));
  CHECK(folder.run({"resume", "--db", "r.db"}).status == 0);
  // The job file begins a job of its own.
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  CHECK(everything(folder, "r.db", "j") == everything(folder, "r.db", "other"));
  CHECK_THAT(folder.run({"jobs", "--db", "r.db", "--rename", "j", "other"}).errors,
             Contains("already holds a job 'other'"));
  CHECK_THAT(folder.run({"jobs", "--db", "r.db", "--rename", "j", "a/b"}).errors,
             Contains("it has a '/'"));
  CHECK_THAT(folder.run({"jobs", "--db", "r.db", "--rename", "k", "l"}).errors,
             Contains("j") && Contains("other"));
}

TEST_CASE("a job is deleted, and its files where they are to be") {
  const Folder folder("delete");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db", "--set", "job.name=k"}).status == 0);
  const auto before = everything(folder, "r.db", "k");
  std::filesystem::create_directories(folder / "r-files/j");
  folder.write("r-files/j/supernet.safetensors", "weights");
  folder.write("r-files/j/mine.txt", "not of Mosaic");
  const auto kept = folder.run({"jobs", "--db", "r.db", "--delete", "j"});
  INFO(kept.errors);
  REQUIRE(kept.status == 0);
  CHECK_THAT(kept.output, Contains("job 'j' is deleted from r.db") && Contains("1 file of it") &&
                              Contains("--with-files would have deleted them"));
  CHECK(std::filesystem::exists(folder / "r-files/j/supernet.safetensors"));
  CHECK(names(folder, "r.db") == "k ");
  CHECK(everything(folder, "r.db", "k") == before);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  REQUIRE(folder.run({"jobs", "--db", "r.db", "--delete", "j", "--with-files"}).status == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "r-files/j/supernet.safetensors"));
  CHECK(std::filesystem::exists(folder / "r-files/j/mine.txt"));
  REQUIRE(folder.run({"jobs", "--db", "r.db", "--delete", "k"}).status == 0);
  CHECK(json::parse(folder
                        .run({"query", "--db", "r.db", "--json",
                              "SELECT (SELECT count(*) FROM architectures) + (SELECT count(*) "
                              "FROM measurements) AS n"})
                        .output)[0]["n"] == 0);
  CHECK(folder.run({"jobs", "--db", "r.db", "--delete", "k"}).status == 1);
}

TEST_CASE("only files that Mosaic wrote are deleted, and each is named") {
  const Folder folder("written");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  {
    mosaic::db::Database database((folder / "r.db").string());
    database.save_state(database.job().id, "predictor ms", "{}");
  }
  std::filesystem::create_directories(folder / "r-files/j");
  const std::vector<std::string> written{"supernet.safetensors", "supernets.safetensors",
                                         "alone-0123456789ab.safetensors", "ms.predictor.json"};
  const std::vector<std::string> mine{"my-model.safetensors", "alone-at-home.safetensors",
                                      "alone-0123456789abc.safetensors", "score.predictor.json",
                                      "board.predictor.json"};
  for (const auto& name : written) folder.write("r-files/j/" + name, "weights");
  for (const auto& name : mine) folder.write("r-files/j/" + name, "of the user");
  const auto deleted = folder.run({"jobs", "--db", "r.db", "--delete", "j", "--with-files"});
  INFO(deleted.output);
  REQUIRE(deleted.status == 0);
  CHECK_THAT(deleted.output, Contains("4 files of it") && Contains("deleted:"));
  for (const auto& name : written) {
    CHECK_FALSE(std::filesystem::exists(folder / ("r-files/j/" + name)));
    CHECK_THAT(deleted.output, Contains("r-files/j/" + name + "\n"));
  }
  for (const auto& name : mine) {
    CHECK(std::filesystem::exists(folder / ("r-files/j/" + name)));
    CHECK_THAT(deleted.output, !Contains(name));
  }
}

TEST_CASE("a copied or merged database leaves the files of the one that it comes from") {
  const Folder folder("others");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  std::filesystem::create_directories(folder / "r-files/j");
  folder.write("r-files/j/supernet.safetensors", "weights");
  const auto weights = folder / "r-files/j/supernet.safetensors";
  const auto left = [&](const std::string& db, const std::string& why) {
    INFO(db);
    const auto renamed = folder.run({"jobs", "--db", db, "--rename", "j", "k"});
    CHECK(renamed.status == 0);
    CHECK(std::filesystem::exists(weights));
    const auto deleted = folder.run({"jobs", "--db", db, "--delete", "k", "--with-files"});
    CHECK(deleted.status == 0);
    CHECK_THAT(deleted.output,
               Contains("1 file of it") && Contains("left in " + weights.parent_path().string()) &&
                   Contains(why) && Contains("rm -r " + weights.parent_path().string()));
    CHECK(std::filesystem::exists(weights));
  };
  std::filesystem::copy_file(folder / "r.db", folder / "copy.db");
  left("copy.db", "it is not in " + (folder / "copy-files").string());
  std::filesystem::create_directories(folder / "other");
  std::filesystem::copy_file(folder / "r.db", folder / "other/r.db");
  left("other/r.db", "it is not in " + (folder / "other/r-files").string());
  REQUIRE(folder.run({"merge", "r.db", "--out", "all.db"}).status == 0);
  left("all.db", "it is not in " + (folder / "all-files").string());
  // Its files would lie where those of r.db do.
  std::filesystem::copy_file(folder / "r.db", folder / "r.bak");
  left("r.bak", "another database beside r.bak may use it");
  std::filesystem::remove(folder / "r.bak");
  // Two jobs of one database.
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db", "--set", "job.name=l"}).status == 0);
  mosaic::test::execute((folder / "r.db").string(),
                        "UPDATE jobs SET folder = (SELECT folder FROM jobs WHERE name = 'j')");
  left("r.db", "job 'l' uses it too");
  // The last one has them to itself.
  REQUIRE(folder.run({"jobs", "--db", "r.db", "--delete", "l", "--with-files"}).status == 0);
  CHECK_FALSE(std::filesystem::exists(weights.parent_path()));
}

TEST_CASE("nothing is renamed or deleted while a process writes the database") {
  const Folder folder("held");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  const mosaic::db::Database writer((folder / "r.db").string());
  for (const std::vector<std::string>& what :
       {std::vector<std::string>{"--delete", "j"}, {"--rename", "j", "k"}}) {
    std::vector<std::string> words{"jobs", "--db", "r.db"};
    words.insert(words.end(), what.begin(), what.end());
    const auto refused = folder.run(words);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, Contains("is being written by process"));
  }
}

TEST_CASE("the front of a running job says its phase and how far it is") {
  const Folder folder("far");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  mosaic::db::Database writer((folder / "r.db").string());
  auto job = writer.job();
  job.status = "running";
  job.phase = "search";
  writer.update_job(job);
  writer.save_state(job.id, "progress",
                    R"({"label": "search", "done": 1200, "total": 2000, "seconds_left": 180})");
  const auto front = folder.run({"front", "--db", "r.db"});
  CHECK(front.status == 0);
  CHECK_THAT(front.errors,
             Contains("job 'j' is in phase 'search' (running, search 1,200/2,000, 3m00s "
                      "left): this front may change"));
}

TEST_CASE("a dry run says what a job will do and makes nothing") {
  const Folder folder("dry");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto dry = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"run", "j.toml", "--db", "r.db", "--dry-run"};
    words.insert(words.end(), more.begin(), more.end());
    return folder.run(words);
  };
  const auto first = dry({});
  INFO(first.errors);
  CHECK(first.status == 0);
  CHECK_THAT(first.output, Contains("'j' begins in r.db, a new database") &&
                               Contains("resnet-pooling, 36 networks") &&
                               Contains("12 networks by nsga2") && Contains("nothing was written"));
  CHECK_FALSE(std::filesystem::exists(folder / "r.db"));
  CHECK_FALSE(std::filesystem::exists(folder / "r.db.lock"));
  CHECK_THAT(dry({"--set", "search.start=[\"1-1-9\"]"}).errors, Contains("1-1-9"));
  CHECK_THAT(dry({"--set", "evaluator.file=none.csv"}).errors, Contains("none.csv"));
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  const auto before = slurp(folder / "r.db");
  CHECK_THAT(dry({}).output, Contains("is finished in r.db: there is nothing to do"));
  CHECK_THAT(dry({"--set", "search.evaluations=30"}).output,
             Contains("goes on in r.db, phase 'search'") && Contains("18 more networks"));
  CHECK(dry({"--set", "search.population=12"}).status == 2);
  CHECK(slurp(folder / "r.db") == before);
}

TEST_CASE("databases are merged with all that their jobs have") {
  const Folder folder("merge");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto run = [&](const std::string& db, const std::string& name,
                       const std::string& algorithm) {
    REQUIRE(folder
                .run({"run", "j.toml", "--db", db, "--set", "job.name=" + name, "--set",
                      "search.algorithm=" + algorithm})
                .status == 0);
  };
  run("a.db", "one", "nsga2");
  run("a.db", "two", "random");
  run("b.db", "one", "evolution");
  run("b.db", "three", "linas");
  const auto a = slurp(folder / "a.db");
  const auto b = slurp(folder / "b.db");
  const auto clash = folder.run({"merge", "a.db", "b.db", "--out", "c.db"});
  CHECK(clash.status == 2);
  CHECK_THAT(clash.errors,
             Contains("job 'one' is in a.db and in b.db") && Contains("--rename 'b.db:one=one-2'"));
  CHECK_FALSE(std::filesystem::exists(folder / "c.db"));
  const auto merged =
      folder.run({"merge", "a.db", "b.db", "--out", "c.db", "--rename", "b.db:one=one-2"});
  INFO(merged.errors);
  REQUIRE(merged.status == 0);
  CHECK_THAT(merged.output, Contains("4 jobs in c.db"));
  CHECK(names(folder, "c.db") == "one two one-2 three ");
  for (const auto& [db, before, now] :
       std::vector<std::tuple<std::string, std::string, std::string>>{{"a.db", "one", "one"},
                                                                      {"a.db", "two", "two"},
                                                                      {"b.db", "one", "one-2"},
                                                                      {"b.db", "three", "three"}}) {
    INFO(now);
    CHECK(everything(folder, "c.db", now) == everything(folder, db, before));
  }
  CHECK(slurp(folder / "a.db") == a);
  CHECK(slurp(folder / "b.db") == b);
  for (const auto& entry : std::filesystem::directory_iterator(folder / ""))
    CHECK(entry.path().filename().string().find("parts") == std::string::npos);
  // A merged job goes on.
  REQUIRE(
      folder.run({"resume", "one-2", "--db", "c.db", "--set", "search.evaluations=20"}).status ==
      0);
  REQUIRE(folder.run({"resume", "one", "--db", "b.db", "--set", "search.evaluations=20"}).status ==
          0);
  CHECK(everything(folder, "c.db", "one-2") == everything(folder, "b.db", "one"));
  CHECK_THAT(folder.run({"merge", "a.db", "--out", "c.db"}).errors,
             Contains("c.db exists already"));
  CHECK_THAT(folder.run({"merge", "a.db", "--out", "d.db", "--rename", "x.db:one=two"}).errors,
             Contains("names no job of the databases given"));
  CHECK_THAT(folder.run({"merge", "none.db", "--out", "d.db"}).errors,
             Contains("there is no results database none.db"));
}

TEST_CASE("a merge that finds no room leaves nothing that looks whole") {
  const Folder folder("room");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "a.db"}).status == 0);
  REQUIRE(folder.run({"run", "j.toml", "--db", "b.db", "--set", "job.name=k"}).status == 0);
  {
    // Most of the merged file is not written again, so that its log stays smaller.
    mosaic::db::Database database((folder / "a.db").string());
    database.save_state(database.job().id, "much", std::string(1'000'000, 'x'));
  }
  REQUIRE(folder.run({"merge", "a.db", "b.db", "--out", "whole.db"}).status == 0);
  const auto size = std::filesystem::file_size(folder / "whole.db");
  // A limit on file sizes is the full disk that needs no disk: the log has room, the file has not.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit limit{size - 4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const auto merged = folder.run({"merge", "a.db", "b.db", "--out", "c.db"});
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(merged.status == 1);
  CHECK_THAT(merged.errors, Contains("cannot be brought into one file") &&
                                Contains("no space left") && Contains("free some space"));
  CHECK(merged.output.empty());
  for (const auto& entry : std::filesystem::directory_iterator(folder / ""))
    CHECK(entry.path().filename().string().find("c.db") == std::string::npos);
}

TEST_CASE("a log that is left of another database does not get into a merged one") {
  const Folder folder("stale");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "a.db"}).status == 0);
  for (const std::string left : {"-wal", "-shm", "-journal"}) {
    folder.write("c.db" + left, "of another database");
    const auto refused = folder.run({"merge", "a.db", "--out", "c.db"});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.errors, Contains("c.db" + left + " is left of a database that is gone") &&
                                   Contains("rm c.db" + left));
    CHECK_FALSE(std::filesystem::exists(folder / "c.db"));
    CHECK(slurp(folder / ("c.db" + left)) == "of another database");
    std::filesystem::remove(folder / ("c.db" + left));
  }
  CHECK(folder.run({"merge", "a.db", "--out", "c.db"}).status == 0);
}

TEST_CASE("tables and columns that a user added do not keep databases apart") {
  const Folder folder("own");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "a.db"}).status == 0);
  REQUIRE(folder.run({"run", "j.toml", "--db", "b.db", "--set", "job.name=k"}).status == 0);
  const auto own = [&](const std::string& db, const std::string& table) {
    mosaic::test::execute((folder / db).string(),
                          "CREATE TABLE " + table + " (job INTEGER, text TEXT); INSERT INTO " +
                              table + " VALUES (1, 'good'); ALTER TABLE jobs ADD COLUMN " + table +
                              " TEXT");
  };
  own("a.db", "notes");
  own("b.db", "\"my marks\"");
  const auto merged = folder.run({"merge", "a.db", "b.db", "--out", "c.db"});
  INFO(merged.errors);
  REQUIRE(merged.status == 0);
  CHECK_THAT(merged.errors,
             Contains("left out of b.db, as Mosaic did not make them: table my marks"));
  CHECK(names(folder, "c.db") == "j k ");
  CHECK(everything(folder, "c.db", "j") == everything(folder, "a.db", "j"));
  CHECK(everything(folder, "c.db", "k") == everything(folder, "b.db", "k"));
  const mosaic::db::Reader reader((folder / "c.db").string());
  CHECK(reader.query("SELECT text FROM notes").rows.size() == 1);
  CHECK(reader.query("SELECT * FROM sqlite_master WHERE name = 'my marks'").rows.empty());
}
