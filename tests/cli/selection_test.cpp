// What best, front and query hand over, and what they say where there is nothing to hand over.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/measurement.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "program.hpp"

using namespace mosaic::cli::test;
using namespace mosaic;
using Catch::Contains;
using nlohmann::json;

namespace {

struct Row {
  const char* arch;
  double accuracy;
  double latency;
  const char* note = "";
};

core::Measurement measured(const std::string& metric, double value, const std::string& note = "") {
  core::Measurement m;
  m.metric = metric;
  m.value = value;
  m.unit = metric == "accuracy" ? "%" : metric == "latency_ms" ? "ms" : "count";
  m.fidelity = "test";
  m.message = note;
  return m;
}

/// A finished job "job" in r.db.
db::Job fill(const Folder& folder, const std::vector<Row>& rows,
             std::vector<db::Constraint> constraints = {}) {
  db::Database database((folder / "r.db").string(), {.survive_power_failure = false});
  db::Job job;
  job.name = "job";
  job.status = "finished";
  job.phase = "done";
  job.space = "nasbench201";
  job.space_hash = "5bace";
  job.config = "[job]\nname = \"job\"\n";
  job.objectives = {{"accuracy", true}, {"latency_ms", false}};
  job.constraints = std::move(constraints);
  database.create_job(job);
  for (const auto& row : rows) {
    const auto id = database.architecture(job.space_hash, row.arch, std::string("of-") + row.arch);
    database.add_measurement(job.id, id, measured("accuracy", row.accuracy));
    database.add_measurement(job.id, id, measured("latency_ms", row.latency, row.note));
    database.number_evaluation(job.id, id);
  }
  return job;
}

Outcome shell(const Folder& folder, const std::string& command) {
  const std::string line = "cd '" + (folder / ".").string() + "' && { " + command +
                           "; } 2> errors.txt; echo $? > status.txt";
  REQUIRE(std::system(line.c_str()) == 0);
  return {std::stoi(slurp(folder / "status.txt")), "", slurp(folder / "errors.txt")};
}

}  // namespace

TEST_CASE("of equally good networks best hands over one that no other dominates") {
  const Folder folder("selection_ties");
  fill(folder, {{"slow", 90, 9}, {"fast", 90, 2}, {"worse", 80, 1}});
  const auto best = folder.run({"best", "--db", "r.db", "--wide"});
  CHECK(best.status == 0);
  CHECK_THAT(best.output, Contains("fast") && !Contains("slow"));
}

TEST_CASE("where no network keeps a bound, the nearest one and what it misses are said") {
  const Folder folder("selection_nothing");
  fill(folder, {{"a", 90, 3}, {"b", 80, 2.5}}, {{"latency_ms", true, 1}});
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"front", "--db", "r.db"},
                                             {"front", "--db", "r.db", "--json"},
                                             {"best", "--db", "r.db"}}) {
    const auto outcome = folder.run(command);
    CHECK(outcome.status == 1);
    CHECK(outcome.output.empty());
    CHECK_THAT(outcome.errors,
               Contains("no network of 2 keeps latency_ms <= 1: the nearest, b, has "
                        "latency_ms = 2.5, beyond it by 1.5"));
  }
  CHECK(folder.run({"best", "--db", "r.db", "--max", "latency_ms=3"}).status == 0);
  const auto none = folder.run({"best", "--db", "r.db", "--min", "latency_ms=8"});
  CHECK(none.status == 1);
  CHECK_THAT(none.errors, Contains("the nearest, a, has latency_ms = 3, beyond it by 5"));
}

TEST_CASE("a job that has evaluated nothing has no front, and says in which phase it is") {
  const Folder folder("selection_empty");
  {
    auto job = fill(folder, {});
    db::Database database((folder / "r.db").string());
    job.status = "interrupted";
    job.phase = "train";
    database.update_job(job);
  }
  const auto outcome = folder.run({"front", "--db", "r.db"});
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.errors, Contains("no network is evaluated yet (phase 'train', interrupted)"));
}

TEST_CASE("failed candidates are counted with their reasons, the most frequent first") {
  const Folder folder("selection_failures");
  {
    const auto job = fill(folder, {{"a", 90, 3}});
    db::Database database((folder / "r.db").string());
    const auto fail = [&](const std::string& arch, const std::string& why) {
      auto failed = measured("accuracy", std::nan(""), why);
      failed.status = core::Status::failed;
      const auto id = database.architecture(job.space_hash, arch, "of-" + arch);
      database.add_measurement(job.id, id, failed);
      database.number_evaluation(job.id, id);
    };
    fail("b", "out of memory");
    fail("c", "t.csv:7: 'x' is no number");
    fail("d", "t.csv:12: 'x' is no number");
  }
  const auto front = folder.run({"front", "--db", "r.db"});
  CHECK(front.status == 0);
  CHECK_THAT(
      front.errors,
      Contains("3 networks have no accuracy: t.csv:7: 'x' is no number (2), out of memory (1)"));
}

TEST_CASE("a timing taken while the device was slow is marked wherever it is shown") {
  const Folder folder("selection_suspect");
  fill(folder,
       {{"a", 90, 28, "device slow: reference network at 9.42x of its best"}, {"b", 80, 2.5}});
  const auto text = folder.run({"front", "--db", "r.db"});
  CHECK_THAT(text.output, Contains("latency_ms: device slow: reference network at 9.42x"));
  CHECK_THAT(text.errors, Contains("1 timings, of them 1 on the front of 2") &&
                              Contains("mosaic remeasure job --db r.db"));
  CHECK_THAT(folder.run({"front", "--db", "r.db", "--csv"}).output, Contains("device slow"));
  const auto rows = json::parse(folder.run({"front", "--db", "r.db", "--json"}).output);
  CHECK_THAT(rows.at(0).at("note").get<std::string>(), Contains("device slow"));
  CHECK(rows.at(1).at("note") == "");
  // A bound that shuts such a network out says so, and so does its being chosen.
  CHECK_THAT(folder.run({"best", "--db", "r.db", "--max", "latency_ms=5"}).errors,
             Contains("1 networks were left out for timings taken while the device was slow"));
  CHECK_THAT(folder.run({"best", "--db", "r.db"}).errors,
             Contains("latency_ms of a is not to be trusted"));
  CHECK(folder.run({"report", "--db", "r.db"}).status == 0);
  CHECK_THAT(
      slurp(folder / "r-job.html"),
      Contains("1 timings, of them 1 on the front of 2, were taken while the device was slow"));
}

TEST_CASE("what was timed while the device was slow, and only that, is measured again") {
  const Folder folder("selection_remeasure");
  folder.write("job.toml",
               "[job]\nname = \"timed\"\nthreads = 1\n[space]\nname = \"nasbench201\"\ncells = 1\n"
               "channels = 4\n[[objective]]\nmetric = \"latency_ms\"\nrepeats = 5\n"
               "warmup = 1\npredictor = \"none\"\n[[objective]]\nmetric = \"params\"\n[search]\n"
               "algorithm = \"random\"\nevaluations = 6\npopulation = 6\n");
  const auto search = folder.run({"search", "job.toml", "--db", "r.db"});
  INFO(search.errors);
  REQUIRE(search.status == 0);
  std::string slow;
  {
    db::Database database((folder / "r.db").string());
    const auto job = database.job("timed");
    const auto network = database.front(job).front();
    slow = network.arch;
    auto timing = network.metrics.at("latency_ms");
    timing.value *= 14;
    timing.message = "device slow: reference network at 14.00x of its best";
    database.add_measurement(job.id, network.architecture, timing);
  }
  const auto rows = [&] {
    const db::Reader reader((folder / "r.db").string());
    return reader.measurements(reader.job("timed").id, "latency_ms");
  };
  // This machine may be slow itself, in the search and afterwards: what it says then is checked
  // too.
  const auto suspects = [&] {
    const db::Reader reader((folder / "r.db").string());
    std::set<std::string> result;
    for (const auto& row : reader.suspects(reader.job("timed").id)) result.insert(row.arch);
    return result;
  };
  const auto before = rows();
  const auto asked = suspects();
  CHECK(asked.count(slow) == 1);
  const auto again = folder.run({"remeasure", "timed", "--db", "r.db"});
  INFO(again.errors);
  const auto after = rows();
  std::set<std::string> measured;
  for (auto i = before.size(); i < after.size(); ++i) {
    measured.insert(after[i].arch);
    if (after[i].arch == slow) CHECK(after[i].measurement.value < before.back().measurement.value);
  }
  CHECK(measured == asked);
  CHECK(after.size() == before.size() + asked.size());
  const auto none_better = suspects() == asked;
  CHECK(again.status == (none_better ? 1 : 0));
  CHECK(Contains("the device is still slow: all").match(again.errors) == none_better);
  if (suspects().empty())
    CHECK_THAT(folder.run({"remeasure", "--db", "r.db"}).errors,
               Contains("was taken while the device was slow"));
}

TEST_CASE("values that differ behind many equal digits, or lie near zero, are told apart") {
  const Folder folder("selection_spread");
  fill(folder, {{"a", 10000.83, 2e-12}, {"b", 10000.89, 3e-12}, {"c", 10000.70, 1e-12}});
  const auto shown = folder.run({"front", "--db", "r.db"}).output;
  CHECK_THAT(shown, Contains("10000.89") && Contains("10000.83"));
  CHECK_THAT(shown, Contains("2e-12") && Contains("1e-12"));
}

TEST_CASE("small and large values are shown with digits that tell them apart") {
  const Folder folder("selection_digits");
  fill(folder, {{"a", 90.5, 0.0004}, {"b", 80.25, 0.0001}});
  CHECK_THAT(folder.run({"front", "--db", "r.db"}).output,
             Contains("0.0004000") && Contains("0.0001000"));
}

TEST_CASE("query keeps columns of one name apart, and any byte") {
  const Folder folder("selection_query");
  fill(folder, {});
  const auto query = [&](const std::string& sql, const std::string& how) {
    return folder.run({"query", "--db", "r.db", sql, how});
  };
  const auto both = query("SELECT 1 AS a, 2 AS a, 3 AS a_2", "--json");
  CHECK(json::parse(both.output) == json::parse(R"([{"a": 1, "a_3": 2, "a_2": 3}])"));
  CHECK_THAT(query("SELECT 1 AS a, 2 AS a", "--csv").output, Contains("a,a_2\n1,2"));
  const auto latin = query("SELECT CAST(x'636166e9' AS TEXT) AS t", "--json");
  CHECK(latin.status == 0);
  CHECK(json::parse(latin.output)[0]["t"] == "caf\xEF\xBF\xBD");
  CHECK_THAT(folder.run({"query", "--db", "r.db", "SELECT char(27) || '[31m' AS t"}).output,
             Contains("\\x1b[31m"));
  CHECK_THAT(
      folder.run({"query", "--db", "r.db", "SELECT 1.0/3 AS t, 91.30000305175781 AS u"}).output,
      Contains("0.3333 ") && Contains("91.30\n"));
  CHECK_THAT(query("SELECT 1.0/3 AS t", "--csv").output, Contains("0.3333333333333333"));
}

TEST_CASE("numbers on the command line are read as in job files") {
  const Folder folder("selection_numbers");
  fill(folder, {{"a", 90, 3}});
  for (const auto& [given, why] :
       std::map<std::string, std::string>{{"-1", "'-1' is not an integer from 1 to 1000000000"},
                                          {"0", "'0' is not an integer from 1"},
                                          {"99999999999999999999", "is not an integer from 1"},
                                          {"1e3", "is not an integer from 1"},
                                          {"010", "leading zeros"}}) {
    const auto wrong = folder.run({"best", "--db", "r.db", "--count=" + given});
    CHECK(wrong.status == 2);
    CHECK_THAT(wrong.errors, Contains(why));
  }
  for (const char* bound : {"nan", "inf", "-inf", "0x5A", "1,5", "5ms", ""}) {
    const auto wrong =
        folder.run({"best", "--db", "r.db", "--max", std::string("accuracy=") + bound});
    CHECK(wrong.status == 2);
    CHECK_THAT(wrong.errors, Contains("is no bound"));
  }
  const auto impossible =
      folder.run({"best", "--db", "r.db", "--min", "latency_ms=8", "--max", "latency_ms=6"});
  CHECK(impossible.status == 2);
  CHECK_THAT(impossible.errors, Contains("no value is both: latency_ms >= 8 and latency_ms <= 6"));
}

TEST_CASE("a command that there is not gets the nearest one") {
  const Folder folder("selection_command");
  const auto wrong = folder.run({"fron"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors, Contains("unknown command 'fron'") && Contains("did you mean 'front'?"));
  CHECK_THAT(folder.run({"delete"}).errors, Contains("unknown command 'delete'"));
  CHECK_THAT(folder.run({"help", "front"}).output, Contains("Usage: mosaic front"));
}

TEST_CASE("a hash that the job does not know is said to be one") {
  const Folder folder("selection_hash");
  fill(folder, {{"a", 90, 3}});
  const auto wrong = folder.run({"nearest", "0123456789abcdef", "--db", "r.db"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors, Contains("job 'job' knows no network with hash 0123456789abcdef"));
}

TEST_CASE("output that cannot be written is no success") {
  const Folder folder("selection_output");
  fill(folder, {{"a", 90, 3}});
  const std::string program = "\"$MOSAIC_BINARY\" ";
  for (const char* command :
       {"front --db r.db --csv", "query --db r.db 'SELECT 1'", "spaces", "--help", "--version"}) {
    INFO(command);
    const auto full = shell(folder, program + command + " > /dev/full");
    CHECK(full.status == 1);
    CHECK_THAT(full.errors, Contains("cannot write standard output: No space left on device"));
    const auto closed = shell(folder, program + command + " >&-");
    CHECK(closed.status == 1);
    CHECK_THAT(closed.errors, Contains("cannot write standard output: Bad file descriptor"));
  }
  // What is closed does not become the database.
  CHECK(folder.run({"query", "--db", "r.db", "PRAGMA integrity_check"}).status == 0);
  const auto piped = shell(folder, program +
                                       "query --db r.db --csv \"WITH RECURSIVE n(i) AS (SELECT "
                                       "1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i "
                                       "FROM n\" | head -1 > /dev/null");
  CHECK(piped.status == 0);
  CHECK(piped.errors.empty());
}

TEST_CASE("a step that has nothing to do is refused before there is a job") {
  const Folder folder("selection_steps");
  folder.write("t.csv", "arch,score\n1-1-8,85\n8-1-1,91\n");
  const std::string job =
      "[job]\nname = \"t\"\n[space]\nname = \"resnet-pooling\"\n[evaluator]\ntype = \"table\"\n"
      "file = \"t.csv\"\n[[objective]]\nmetric = \"score\"\ngoal = \"max\"\n[search]\n"
      "algorithm = \"random\"\nevaluations = 2\n";
  folder.write("job.toml", job);
  for (const auto& [step, why] : std::map<std::string, std::string>{
           {"train", "there is nothing to train"}, {"measure", "there is nothing to measure"}}) {
    const auto outcome = folder.run({step, "job.toml", "--db", "r.db"});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.errors, Contains(why));
  }
  folder.write("both.toml", job + "constraints = [\"score >= 90\", \"score <= 80\"]\n");
  CHECK_THAT(folder.run({"search", "both.toml", "--db", "r.db"}).errors,
             Contains("no score is at least 90 and at most 80"));
  const std::string old = "metric = \"score\"\ngoal = \"max\"";
  auto timed = job;
  timed.replace(timed.find(old), old.size(), "metric = \"latency_ms\"");
  folder.write("timed.toml", timed);
  CHECK_THAT(folder.run({"search", "timed.toml", "--db", "r.db"}).errors,
             Contains("t.csv has no column 'latency_ms'") && Contains("measures nothing"));
}

TEST_CASE("commands that Mosaic names take every job, also one whose name begins with '-'") {
  CHECK(jobs::job_command("remeasure", "job", "r.db") == "mosaic remeasure job --db r.db");
  CHECK(jobs::job_command("remeasure", "a b", "r.db") == "mosaic remeasure 'a b' --db r.db");
  const auto dashed = jobs::job_command("remeasure", "-x", "r.db");
  CHECK_THAT(dashed, Catch::StartsWith("mosaic remeasure --db r.db -- ") && Contains("-x"));
}
