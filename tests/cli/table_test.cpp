// Searches over a user's own table, as a user meets them.
#include <signal.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "job.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;
using nlohmann::json;

namespace {

/// A job over the 36 networks of a small space; `objectives` and `search` are lines of TOML.
std::string job(const std::string& table, const std::string& objectives,
                const std::string& search) {
  return "[job]\nname = \"j\"\n[space]\nname = \"resnet-pooling\"\n[evaluator]\ntype = "
         "\"table\"\nfile = \"" +
         table + "\"\n" + objectives + "[search]\n" + search;
}

std::string objective(const std::string& metric, const std::string& goal) {
  return "[[objective]]\nmetric = \"" + metric + "\"\ngoal = \"" + goal + "\"\n";
}

json front(const Folder& folder) {
  return json::parse(folder.run({"front", "--db", "r.db", "--json"}).output);
}

}  // namespace

TEST_CASE("columns called accuracy and latency_ms are looked up, as objective and as constraint") {
  const Folder folder("names");
  folder.write("t.csv",
               "arch,accuracy,latency_ms\n1-1-8,85.7,0.968\n1-2-7,86.2,1.065\n8-1-1,91.6,2.488\n");
  folder.write("j.toml", job("t.csv", objective("accuracy", "max"),
                             "algorithm = \"linas\"\nconstraints = [\"latency_ms <= 2\"]\n"));
  const auto search = folder.run({"search", "j.toml", "--db", "r.db"});
  INFO(search.errors);
  REQUIRE(search.status == 0);
  CHECK_THAT(search.errors, Contains("searching 3 of the 3 networks that t.csv has all values of"));
  const auto found = front(folder);
  REQUIRE(found.size() == 1);
  CHECK(found[0]["arch"] == "1-2-7");
  CHECK(found[0]["metrics"]["latency_ms"] == 1.065);
  const auto rows =
      folder.run({"query", "--db", "r.db",
                  "SELECT count(*) AS n FROM measurements WHERE status = 'failed'", "--json"});
  CHECK(json::parse(rows.output)[0]["n"] == 0);
}

TEST_CASE("a network to begin with that is no row is refused with its line, and leaves no job") {
  const Folder folder("start");
  folder.write("t.csv", "arch,score\n8-1-1,1\n1-1-8,2\n1-2-7,\n");
  const auto refusal = [&](const std::string& search) {
    folder.write("j.toml", job("t.csv", objective("score", "max"), search));
    const auto run = folder.run({"search", "j.toml", "--db", "r.db"});
    CHECK(run.status == 2);
    CHECK(json::parse(folder.run({"jobs", "--db", "r.db", "--json"}).output).empty());
    return run.errors;
  };
  CHECK_THAT(refusal("algorithm = \"random\"\nstart = [\"8-1-1\", \"9-9-9\"]\n"),
             Contains("j.toml:13: [search] start: '9-9-9' is no placement of this space"));
  for (const std::string arch : {"1-2-7", "2-2-6"})
    CHECK_THAT(refusal("algorithm = \"random\"\nstart = [\"" + arch + "\"]\n"),
               Contains("j.toml:13: [search] start: '" + arch +
                        "' is no network that t.csv has all values of"));
  CHECK_THAT(refusal("algorithm = \"random\"\nstart_job = \"nobody\"\n"),
             Contains("j.toml:13: [search] start_job = \"nobody\": r.db holds no job"));
  CHECK_THAT(refusal("algorithm = \"nsga2\"\npopulation = 8\n"),
             Contains("nsga2 needs at least two objectives, and the job has 1"));
  CHECK_THAT(refusal("algorithm = \"random\"\nevaluations = 1\nstart = [\"8-1-1\", \"1-1-8\"]\n"),
             Contains("more than the 1 that it may evaluate"));
  // The corrected file is the same job's.
  folder.write("j.toml", job("t.csv", objective("score", "max"),
                             "algorithm = \"random\"\nstart = [\"8-1-1\"]\n"));
  const auto run = folder.run({"search", "j.toml", "--db", "r.db"});
  INFO(run.errors);
  CHECK(run.status == 0);
  CHECK_THAT(run.errors, Contains("the search begins with 1 given networks") &&
                             Contains("stopped by all 2 candidates evaluated"));
}

TEST_CASE("a table that cannot be searched is refused before there is a job") {
  const Folder folder("unusable");
  const auto refusal = [&](const std::string& table) {
    folder.write("t.csv", table);
    folder.write("j.toml", job("t.csv", objective("score", "max"), "algorithm = \"random\"\n"));
    const auto run = folder.run({"search", "j.toml", "--db", "r.db"});
    CHECK(run.status == 1);
    CHECK_FALSE(std::filesystem::exists(folder / "r.db"));
    return run.errors;
  };
  CHECK_THAT(refusal("arch,score\n1-1-8,\"85,7\"\n1-2-7,\"86,2\"\n"),
             Contains("column 'score' of t.csv has no number (t.csv:2: '85,7'; t.csv:3: '86,2')") &&
                 Contains("write 85.7: decimals stand behind a point"));
  CHECK_THAT(refusal("arch,score\nr18,85\nr34,86\n"),
             Contains("t.csv holds no network of the space resnet-pooling (2 rows, none can be "
                      "read: t.csv:2: 'r18' is no placement of this space"));
}

TEST_CASE("a population far beyond the space takes neither memory nor time") {
  const Folder folder("population");
  std::string table = "arch,score,ms\n";
  int row = 0;
  for (int a = 1; a <= 8; ++a)
    for (int b = 1; a + b <= 9; ++b, ++row)
      table += std::to_string(a) + "-" + std::to_string(b) + "-" + std::to_string(10 - a - b) +
               "," + std::to_string(row * 7 % 36) + "," + std::to_string(row * 5 % 36) + "\n";
  folder.write("t.csv", table);
  for (const std::string algorithm : {"nsga2", "maco"}) {
    folder.write("j.toml", job("t.csv", objective("score", "max") + objective("ms", "min"),
                               "algorithm = \"" + algorithm +
                                   "\"\npopulation = 1000000\nevaluations = 100\n"));
    const auto run = folder.run({"search", "j.toml", "--db", algorithm + ".db"});
    INFO(run.errors);
    CHECK(run.status == 0);
    CHECK_THAT(run.errors, Contains("population = 1,000,000 is more than this search can use: it "
                                    "goes on with 36") &&
                               Contains("search: 36 networks in"));
  }
}

TEST_CASE("patience waits while the front grows, be it outside of the first networks' box") {
  const Folder folder("patience");
  std::string table = "arch,score,ms\n";
  int row = 0;
  for (int a = 1; a <= 8; ++a)  // better in one objective is worse in the other, for all
    for (int b = 1; a + b <= 9; ++b, ++row)
      table += std::to_string(a) + "-" + std::to_string(b) + "-" + std::to_string(10 - a - b) +
               "," + std::to_string(50 + row) + "," + std::to_string(1 + row) + "\n";
  folder.write("t.csv", table);
  folder.write("j.toml",
               job("t.csv", objective("score", "max") + objective("ms", "min"),
                   "algorithm = \"local_search\"\npopulation = 8\npatience = 3\nevaluations = 36\n"
                   "start = [\"2-3-5\", \"2-4-4\", \"2-5-3\", \"2-6-2\", \"2-7-1\"]\n"));
  const auto run = folder.run({"search", "j.toml", "--db", "r.db"});
  INFO(run.errors);
  CHECK(run.status == 0);
  CHECK_THAT(run.errors, Contains("stopped by evaluations"));
  CHECK(front(folder).size() == 36);
  const auto history = json::parse(folder.run({"history", "--db", "r.db", "--json"}).output);
  for (std::size_t i = 1; i < history.size(); ++i)
    CHECK(history[i]["hypervolume"] > history[i - 1]["hypervolume"]);
}

TEST_CASE("a table search that is killed goes on to the same end") {
  const Folder folder("killed");
  std::string table = "arch,score,ms\n";
  int row = 0;
  for (int a = 1; a <= 8; ++a)
    for (int b = 1; a + b <= 9 && row < 30; ++b, ++row)
      table += std::to_string(a) + "-" + std::to_string(b) + "-" + std::to_string(10 - a - b) +
               "," + std::to_string(row * 7 % 36) + "," + std::to_string(row * 5 % 36) + "\n";
  folder.write("t.csv", table);
  folder.write("j.toml", job("t.csv", objective("score", "max") + objective("ms", "min"),
                             "algorithm = \"nsga2\"\npopulation = 8\nevaluations = 25\n"
                             "start = [\"1-1-8\"]\n"));
  REQUIRE(folder.run({"search", "j.toml", "--db", "whole.db"}).status == 0);
  const auto killed =
      folder.run({"search", "j.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "120"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  REQUIRE(folder.run({"resume", "--db", "r.db"}).status == 0);
  CHECK(content(folder / "r.db") == content(folder / "whole.db"));
}
