// The commands that ask the database, as a user calls them.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mosaic/core/random.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/spaces/space.hpp"
#include "program.hpp"

using namespace mosaic::cli::test;
using namespace mosaic;
using Catch::Contains;
using nlohmann::json;

namespace {

core::Measurement measured(const std::string& metric, double value) {
  core::Measurement m;
  m.metric = metric;
  m.value = value;
  m.unit = metric == "accuracy" ? "%" : "ms";
  m.fidelity = "table=t.csv";
  m.seed = 3;
  m.device = "cpu: test";
  return m;
}

db::Job make_job(const std::string& name, const spaces::Space& space) {
  db::Job job;
  job.name = name;
  job.status = "finished";
  job.config = "[job]\nname = \"" + name + "\"\n[space]\nname = \"nasbench201\"\n";
  job.config_path = name + ".toml";
  job.config_hash = "c0ffee";
  job.space = space.name();
  job.space_hash = space.hash();
  job.data_checksum = "da7a";
  job.seed = 7;
  job.objectives = {{"accuracy", true}, {"latency_ms", false}};
  return job;
}

/// Two jobs of 40 networks in 4 generations each; accuracy depends on the first decision above all.
struct Sample {
  explicit Sample(const Folder& folder) : space(spaces::Space::make("nasbench201")) {
    db::Database database((folder / "r.db").string(), {.survive_power_failure = false});
    for (const auto* name : {"one", "two"}) {
      auto job = make_job(name, space);
      if (std::string(name) == "two") job.constraints = {{"latency_ms", true, 8}};
      database.create_job(job);
      core::Stream random(5, name);
      for (int generation = 1; generation <= 4; ++generation) {
        std::vector<std::int64_t> rows;
        while (rows.size() < 10) {
          const auto genotype = space.random(random);
          const auto row =
              database.architecture(space.hash(), space.text(genotype), space.hash(genotype));
          if (database.network(job.id, space.text(genotype))) continue;
          rows.push_back(row);
          database.add_measurement(
              job.id, row,
              measured("accuracy", 70 + 5 * static_cast<double>(genotype[0]) + random.uniform()));
          database.add_measurement(job.id, row, measured("latency_ms", 1 + 10 * random.uniform()));
          genotypes[name].push_back(genotype);
        }
        database.transaction([&] {
          for (const auto row : rows) database.number_evaluation(job.id, row);
          database.add_generation(job.id, {generation, 10 * generation, 0.5, rows});
        });
      }
    }
  }
  spaces::Space space;
  std::map<std::string, std::vector<spaces::Genotype>> genotypes;
};

json parsed(const Outcome& outcome) {
  INFO(outcome.errors);
  REQUIRE(outcome.status == 0);
  return json::parse(outcome.output);
}

}  // namespace

TEST_CASE("fronts are shown at any number of evaluations and after any generation") {
  const Folder folder("ask_front");
  const Sample sample(folder);
  const auto front = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"front", "--db", "r.db", "--job", "one", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parsed(folder.run(arguments));
  };
  const db::Reader reader((folder / "r.db").string());
  const auto job = reader.job("one");
  for (const std::int64_t at : {1, 10, 20, 37}) {
    const auto shown = front({"--at", std::to_string(at)});
    const auto expected = reader.front(job, at);
    REQUIRE(shown.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(shown[i]["hash"] == expected[i].hash);
      CHECK(shown[i]["evaluation"] <= at);
    }
  }
  CHECK(front({"--generation", "2"}) == front({"--at", "20"}));
  CHECK(front({"--generation", "4"}) == front({}));
  const auto wrong = folder.run({"front", "--db", "r.db", "--job", "one", "--generation", "9"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors,
             Contains("job 'one' has no generation 9") && Contains("it has generations 1 to 4"));
  CHECK(folder.run({"front", "--db", "r.db", "--at", "3", "--generation", "1"}).status == 2);
  // The job's constraint holds.
  for (const auto& network :
       parsed(folder.run({"front", "--db", "r.db", "--job", "two", "--json"})))
    CHECK(network["metrics"]["latency_ms"] <= 8);
}

TEST_CASE("history, comparison and constrained best are printed as table, CSV and JSON") {
  const Folder folder("ask_jobs");
  const Sample sample(folder);
  const auto history = parsed(folder.run({"history", "--db", "r.db", "--job", "one", "--json"}));
  REQUIRE(history.size() == 4);
  CHECK(history[2]["evaluations"] == 30);
  CHECK(history[3]["measured_hypervolume"] >= history[0]["measured_hypervolume"]);
  CHECK(history[3]["measured_hypervolume"] > 0);
  const auto csv = folder.run({"history", "--db", "r.db", "--job", "one", "--csv"});
  CHECK_THAT(csv.output, Catch::StartsWith("generation,evaluations,hypervolume,front,"
                                           "measured_front,measured_hypervolume\n1,10,0.5,10,"));

  const auto compared = folder.run({"compare", "one", "two", "--db", "r.db", "--at", "20"});
  CHECK(compared.status == 0);
  CHECK_THAT(compared.output, Contains("hypervolume_share") && Contains("covers two"));
  const auto rows =
      parsed(folder.run({"compare", "one", "two", "--db", "r.db", "--at", "20", "--json"}));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["evaluations"] == 20);
  CHECK(rows[0]["hypervolume_share"] <= 1);
  CHECK(rows[0]["held"].get<int>() + rows[1]["held"].get<int>() >= rows[0]["of"].get<int>());
  CHECK(rows[0]["covers one"].is_null());
  CHECK(folder.run({"compare", "one", "--db", "r.db"}).status == 2);
  const auto unknown = folder.run({"compare", "one", "twoo", "--db", "r.db"});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.errors, Contains("did you mean 'two'?"));

  const auto best =
      parsed(folder.run({"best", "--db", "r.db", "--job", "one", "--max", "latency_ms=5", "--min",
                         "accuracy=75", "--best", "accuracy", "--count", "3", "--json"}));
  REQUIRE(best.size() == 3);
  CHECK(best[0]["metrics"]["accuracy"] >= best[1]["metrics"]["accuracy"]);
  for (const auto& network : best) CHECK(network["metrics"]["latency_ms"] <= 5);
  // The job's own bound counts, unless another one is given for that metric.
  const auto fastest = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"best",   "--db",       "r.db",   "--job", "two",
                                       "--best", "latency_ms", "--goal", "max",   "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parsed(folder.run(arguments))[0]["metrics"]["latency_ms"].get<double>();
  };
  CHECK(fastest({}) <= 8);
  CHECK(fastest({"--max", "latency_ms=100"}) > 8);
  for (const auto& [argument, message] :
       std::map<std::string, std::string>{{"--max=latency_ms", "'latency_ms' is no bound"},
                                          {"--max=latency_ms=fast", "is no bound"},
                                          {"--max==3", "is no bound"},
                                          {"--min=params=1", "no good measurement of 'params'"},
                                          {"--best=latenci", "no good measurement of 'latenci'"}}) {
    const auto wrong = folder.run({"best", "--db", "r.db", "--job", "one", argument});
    CHECK(wrong.status == 2);
    CHECK_THAT(wrong.errors, Contains(message));
  }
}

TEST_CASE("nearest networks are those that fewest decisions part from the given one") {
  const Folder folder("ask_nearest");
  const Sample sample(folder);
  const auto& genotypes = sample.genotypes.at("one");
  const auto wanted = sample.space.canonical(genotypes[3]);
  std::vector<int> expected;
  for (const auto& genotype : genotypes) {
    int differing = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) differing += genotype[i] != wanted[i] ? 1 : 0;
    expected.push_back(differing);
  }
  std::sort(expected.begin(), expected.end());
  for (const auto& name : {sample.space.text(wanted), sample.space.hash(wanted)}) {
    const auto rows = parsed(
        folder.run({"nearest", name, "--db", "r.db", "--job", "one", "--count", "12", "--json"}));
    REQUIRE(rows.size() == 12);
    CHECK(rows[0]["arch"] == sample.space.text(wanted));
    CHECK(rows[0]["accuracy"].is_number());
    for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i]["differing"] == expected[i]);
  }
  const auto wrong = folder.run({"nearest", "nonsense", "--db", "r.db", "--job", "one"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors, Contains("nonsense"));
}

TEST_CASE("decisions that matter are told by the variance that they explain") {
  const Folder folder("ask_decisions");
  const Sample sample(folder);
  const auto rows = parsed(
      folder.run({"decisions", "--db", "r.db", "--job", "one", "--metric", "accuracy", "--json"}));
  CHECK(rows[0]["decision"] == sample.space.genes()[0].name);
  double total = 0;
  for (const auto& row : rows)
    if (row["decision"] == rows[0]["decision"]) {
      total += row["networks"].get<double>();
      if (!row["low"].is_null()) CHECK(row["low"] <= row["mean"]);
    }
  CHECK(total == 40);
  const auto wrong = folder.run({"decisions", "--db", "r.db", "--job", "one", "--metric", "nope"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors, Contains("no good measurement of 'nope'") &&
                               Contains("measured: accuracy, latency_ms"));
}

TEST_CASE("a network's numbers are told with all that made them") {
  const Folder folder("ask_provenance");
  const Sample sample(folder);
  const auto arch = sample.space.text(sample.genotypes.at("one")[0]);
  const auto rows = parsed(folder.run({"provenance", arch, "--db", "r.db", "--json"}));
  REQUIRE(rows.size() >= 2);
  CHECK(rows[0]["metric"] == "accuracy");
  CHECK(rows[0]["job"] == "one");
  CHECK(rows[0]["seed"] == "3");
  CHECK(rows[0]["job_seed"] == "7");
  CHECK(rows[0]["data_checksum"] == "da7a");
  CHECK(rows[0]["config_hash"] == "c0ffee");
  CHECK(rows[0]["predicted"].is_null());
  CHECK_FALSE(rows[0]["revision"].get<std::string>().empty());
  const auto text = folder.run({"provenance", arch, "--db", "r.db"});
  CHECK_THAT(text.output, Contains("table=t.csv") && Contains("cpu: test"));
  const auto wrong = folder.run({"provenance", "nothing", "--db", "r.db"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors, Contains("holds no number of a network 'nothing'"));
}
