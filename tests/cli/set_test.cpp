// Jobs whose keys are set on the command line, and jobs that go on further than they were to go.
#include <signal.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "job.hpp"
#include "table_job.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;
using nlohmann::json;

namespace {

std::int64_t evaluations(const Folder& folder, const std::string& db) {
  return mosaic::db::Reader((folder / db).string()).evaluation_count(1);
}

}  // namespace

TEST_CASE("keys are set on the command line, and the database keeps the text that was effective") {
  const Folder folder("set");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto run = folder.run({"run", "j.toml", "--db", "r.db", "--set", "search.evaluations=16",
                               "--set", "search.algorithm=random", "--set", "objective.ms.goal=max",
                               "--set", "search.start=[\"1-1-8\", \"8-1-1\"]"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  CHECK(evaluations(folder, "r.db") == 16);
  const auto job = mosaic::db::Reader((folder / "r.db").string()).job();
  CHECK_THAT(job.config, Contains("evaluations = 16     # few\n") &&
                             Contains("algorithm = \"random\"\n") &&
                             Contains("start = [\"1-1-8\", \"8-1-1\"]\n"));
  CHECK(job.objectives[1].maximise);
  // The file did not change, and the job is the one that it is.
  const auto again = folder.run({"resume", "--db", "r.db"});
  CHECK(again.status == 0);
  CHECK_THAT(again.errors, Contains("is finished") && !Contains("changed since"));
  const auto plain = folder.run({"run", "j.toml", "--db", "r.db"});
  CHECK(plain.status == 2);
  CHECK_THAT(plain.errors, Contains("was begun with other settings") &&
                               Contains("search.evaluations (16, now 12)"));
}

TEST_CASE("what cannot be set is refused before there is a job") {
  const Folder folder("setbad");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto refusal = [&](const std::string& assignment) {
    const auto run = folder.run({"run", "j.toml", "--db", "r.db", "--set", assignment});
    CHECK(run.status == 2);
    CHECK_FALSE(std::filesystem::exists(folder / "r.db"));
    return run.errors;
  };
  CHECK_THAT(refusal("search.evaluations=0"),
             Contains("--set search.evaluations=0: [search] evaluations = 0: must be"));
  CHECK_THAT(refusal("search.evaluation=40"), Contains("unknown key 'evaluation' in [search]") &&
                                                  Contains("did you mean 'evaluations'"));
  CHECK_THAT(refusal("objective.goal=min"), Contains("objective.score.goal, objective.ms.goal"));
  CHECK_THAT(refusal("search.evaluations"), Contains("there is no '='"));
}

TEST_CASE("a finished job goes on with more evaluations, and ends as an unbroken one") {
  const Folder folder("more");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  for (const std::string algorithm : {"nsga2", "linas"}) {
    const auto begin = [&](const std::string& db, const std::string& count) {
      return folder.run({"run", "j.toml", "--db", db, "--set", "search.algorithm=" + algorithm,
                         "--set", "search.evaluations=" + count});
    };
    const auto whole = algorithm + "-whole.db";
    const auto broken = algorithm + "-broken.db";
    REQUIRE(begin(whole, "25").status == 0);
    REQUIRE(begin(broken, "13").status == 0);
    CHECK(evaluations(folder, broken) == 13);
    const auto fewer = begin(broken, "12");
    CHECK(fewer.status == 0);  // it has them all
    CHECK_THAT(fewer.errors, Contains("was allowed more, and keeps what it found: "
                                      "search.evaluations (13, now 12)"));
    CHECK(evaluations(folder, broken) == 13);
    const auto more = folder.run({"resume", "--db", broken, "--set", "search.evaluations=20"});
    INFO(more.errors);
    CHECK(more.status == 0);
    CHECK_THAT(more.errors, Contains("job 'j' may search on: search.evaluations (13, now 20)"));
    CHECK_THAT(more.output, Contains("hash"));
    CHECK(begin(broken, "25").status == 0);
    CHECK(content(folder / broken) == content(folder / whole));
  }
}

TEST_CASE("a search that begins again with a larger population says so") {
  const Folder folder("population");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  const auto search = [&](const std::string& db, const std::string& count) {
    return folder.run({"run", "j.toml", "--db", db, "--set", "search.population=20", "--set",
                       "search.evaluations=" + count});
  };
  REQUIRE(search("whole.db", "30").status == 0);
  // 10 networks of a generation of 12: nsga2 bears no fewer.
  REQUIRE(search("r.db", "10").status == 0);
  const auto more = search("r.db", "30");
  INFO(more.errors);
  CHECK(more.status == 0);
  CHECK_THAT(more.errors, Contains("the search begins again with a population of 20, not 12: what "
                                   "was evaluated is not evaluated again"));
  CHECK(content(folder / "r.db") == content(folder / "whole.db"));
}

TEST_CASE("the same command goes on with a job that was stopped, and says when it is done") {
  const Folder folder("again");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"run", "j.toml", "--db", "whole.db"}).status == 0);
  const auto killed = folder.run({"run", "j.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "30"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  const auto again = folder.run({"run", "j.toml", "--db", "r.db"});
  INFO(again.errors);
  CHECK(again.status == 0);
  CHECK_THAT(again.errors, Contains("job 'j' goes on in phase 'search'"));
  CHECK(content(folder / "r.db") == content(folder / "whole.db"));
  const auto done = folder.run({"run", "j.toml", "--db", "r.db"});
  CHECK(done.status == 0);
  CHECK_THAT(done.errors, Contains("job 'j' is finished: mosaic front --job j --db r.db") &&
                              Contains("mosaic resume j --db r.db --set search.evaluations=24"));
  const auto other = folder.run({"resume", "--db", "r.db", "--set", "search.population=12"});
  CHECK(other.status == 2);
  CHECK_THAT(other.errors, Contains("search.population (8, now 12)") &&
                               Contains("only limits of its search may be raised"));
}

TEST_CASE("a job is named by a word or by --job, and one that is not named is said") {
  const Folder folder("named");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  for (const auto& name : {"one", "two", "three"})
    REQUIRE(
        folder.run({"search", "j.toml", "--db", "r.db", "--set", "job.name=" + std::string(name)})
            .status == 0);
  const auto word = folder.run({"front", "two", "--db", "r.db"});
  CHECK(word.status == 0);
  CHECK_THAT(word.errors, !Contains("the latest of"));
  CHECK(word.output == folder.run({"front", "--job", "two", "--db", "r.db"}).output);
  for (const auto& command : {"front", "history", "report"}) {
    INFO(command);
    CHECK_THAT(folder.run({command, "--db", "r.db"}).errors,
               Contains("job 'three', the latest of 3 (others: two, one)"));
    CHECK(folder.run({command, "two", "--db", "r.db"}).status == 0);
  }
  CHECK(folder.run({"nearest", "1-1-8", "two", "--db", "r.db"}).status == 0);
  CHECK(folder.run({"resume", "--job", "two", "--db", "r.db"}).status == 0);
}
