#include <cmath>
#include <map>
#include <set>

#include "common.hpp"
#include "mosaic/core/pareto.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

search::SearchOutcome run(Fixture& f, const std::vector<search::SearchObjective>& objectives,
                          const search::SearchSettings& settings, std::uint64_t seed = 7) {
  return search::run_search(f.space, objectives, {}, settings, seed, f.database, f.job);
}

search::SearchSettings settings(const std::string& algorithm, std::int64_t evaluations,
                                std::int64_t population = 8, std::int64_t stall = 20) {
  return {algorithm, population, evaluations, stall};
}

/// activation_bytes as if they were measured, but every eleventh call is a Ctrl-C.
class InterruptedEvaluator : public evaluators::Evaluator {
 public:
  explicit InterruptedEvaluator(int& calls) : calls_(calls) {
    metrics_[0].exact = false;  // what is measured is kept one by one
  }
  const std::vector<evaluators::MetricInfo>& metrics() const override { return metrics_; }
  std::vector<Row> evaluate(std::span<const evaluators::Candidate> candidates,
                            const Sink& sink) override {
    return evaluators::evaluate_each(*this, candidates, sink, [&](const auto& candidate) {
      if (++calls_ % 11 == 0) throw core::Interrupted("stopped by Ctrl-C");
      core::Measurement result;
      result.value = spaces::activation_bytes(candidate.graph);
      return Row{result};
    });
  }

 private:
  int& calls_;
  std::vector<evaluators::MetricInfo> metrics_ =
      evaluators::graph_evaluator({"activation_bytes"})->metrics();
};

}  // namespace

TEST_CASE(
    "a search evaluates exactly as many networks as asked for, each once, in the order proposed") {
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    Fixture f(small_nasbench());
    const auto outcome = run(f, f.counts(), settings(algorithm, 43));
    CHECK(outcome.stopped_by == "evaluations");
    CHECK(outcome.evaluations == 43);
    const auto evaluations = f.database.evaluations(f.job.id);
    REQUIRE(evaluations.size() == 43);
    std::set<std::string> hashes;
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
      CHECK(evaluations[i].number == evaluations[0].number + static_cast<std::int64_t>(i));
      CHECK(hashes.insert(evaluations[i].hash).second);
      const auto genotype = f.space.parse(evaluations[i].arch);
      CHECK(f.space.canonical(genotype) == genotype);
    }
    CHECK(f.database.measurements(f.job.id, "params").size() == 43);
    CHECK(f.database.measurements(f.job.id, "activation_bytes").size() == 43);
    CHECK(f.database.generations(f.job.id).size() == static_cast<std::size_t>(outcome.generations));
  }
}

TEST_CASE("the stored front is the Pareto front of everything evaluated") {
  Fixture f(small_nasbench());
  const auto outcome = run(f, f.counts(), settings("nsga2", 100));
  std::vector<std::vector<double>> points;
  std::vector<std::int64_t> rows;
  for (const auto& network : f.database.networks(f.job.id)) {
    points.push_back(
        {-network.metrics.at("params").value, network.metrics.at("activation_bytes").value});
    rows.push_back(network.architecture);
  }
  std::vector<std::int64_t> expected;
  for (const std::size_t i : core::pareto_front(points)) expected.push_back(rows[i]);
  const auto generations = f.database.generations(f.job.id);
  CHECK(generations.back().front == expected);
  CHECK(generations.back().hypervolume == outcome.hypervolume);
  CHECK(expected.size() > 3);
  for (std::size_t g = 1; g < generations.size(); ++g) {
    CHECK(generations[g].number == generations[g - 1].number + 1);
    CHECK(generations[g].hypervolume >= generations[g - 1].hypervolume);
  }
}

TEST_CASE("nsga2 finds a larger hypervolume than random search does") {
  double total[2] = {0, 0};
  for (const std::uint64_t seed : {1, 2, 3})
    for (const int i : {0, 1}) {
      Fixture f(small_nasbench());
      // One scale for both: of all networks, most parameters 1 and least memory 0.
      run(f, f.counts(), settings(i == 0 ? "random" : "nsga2", 120, 16), seed);
      std::vector<std::vector<double>> points;
      for (const auto& network : f.database.front(f.job))
        points.push_back(
            {-network.metrics.at("params").value, network.metrics.at("activation_bytes").value});
      total[i] += core::hypervolume(points, {0, 1e6});
    }
  CHECK(total[1] > total[0]);
}

TEST_CASE("a small space that is exhausted ends the search") {
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    Fixture f(toy_space());
    const auto outcome = run(f, f.counts(), settings(algorithm, 1000, 8, 1000));
    CHECK(outcome.stopped_by == "space exhausted");
    CHECK(outcome.evaluations == 12);
    CHECK(f.database.evaluations(f.job.id).size() == 12);
  }
}

TEST_CASE("generations without a new network end the search") {
  Fixture f(toy_space());
  // Without mutation and crossover nothing new appears after the first population.
  const auto outcome = run(f, f.counts(), settings("nsga2(cr=0, m=0)", 1000, 8, 3));
  CHECK(outcome.stopped_by == "no new network in 3 generations");
  CHECK(outcome.generations == 4);
  CHECK(outcome.evaluations < 12);
}

TEST_CASE("a network that fails is recorded and never on the front") {
  Fixture f(small_nasbench());
  auto objectives = f.counts();
  int calls = 0;
  objectives[0].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
      "params", [&](const evaluators::Candidate& candidate) -> double {
        if (++calls % 3 == 0) throw std::runtime_error("does not fit");
        if (calls % 3 == 1 && calls % 2 == 0) return std::nan("");
        return spaces::count_parameters(candidate.graph);
      }));
  const auto outcome = run(f, objectives, settings("nsga2", 60));
  std::map<std::int64_t, bool> good;
  for (const auto& network : f.database.networks(f.job.id))
    good[network.architecture] = network.metrics.contains("params");
  // Every second one fails: the budget is of those that do not, or of as many failures.
  CHECK((outcome.stopped_by == "evaluations" || outcome.stopped_by == "60 failures"));
  CHECK(outcome.evaluations >= 119);
  CHECK(outcome.evaluations <= 120);
  int failures = 0;
  for (const auto& timed : f.database.measurements(f.job.id, "params")) {
    if (timed.measurement.ok()) continue;
    ++failures;
    CHECK((timed.measurement.message == "does not fit" ||
           timed.measurement.message == "the value is nan, not a finite number"));
  }
  CHECK(failures >= 59);
  CHECK(failures <= 60);
  for (const auto& generation : f.database.generations(f.job.id))
    for (const auto row : generation.front) CHECK(good.at(row));
}

TEST_CASE("a search whose every network fails ends without a front") {
  Fixture f(small_nasbench());
  auto objectives = f.counts();
  objectives[1].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
      "activation_bytes", [](const auto&) -> double { throw std::runtime_error("no device"); }));
  const auto outcome = run(f, objectives, settings("nsga2", 20));
  CHECK(outcome.evaluations == 20);
  CHECK(outcome.stopped_by == "20 failures");
  CHECK(outcome.hypervolume == 0);
  CHECK(f.database.generations(f.job.id).back().front.empty());
}

TEST_CASE("the same job gives the same result bit for bit, and running it again changes nothing") {
  std::string dumps[2];
  for (auto& text : dumps) {
    Fixture f(small_nasbench());
    const auto first = run(f, f.counts(), settings("nsga2", 60));
    text = dump(f.database, f.job);
    const auto again = run(f, f.counts(), settings("nsga2", 60));
    CHECK(again.evaluations == first.evaluations);
    CHECK(again.generations == first.generations);
    CHECK(again.hypervolume == first.hypervolume);
    CHECK(again.stopped_by == first.stopped_by);
    CHECK(dump(f.database, f.job) == text);
  }
  CHECK(dumps[0] == dumps[1]);
  Fixture f(small_nasbench());
  run(f, f.counts(), settings("nsga2", 60), 8);
  CHECK(dump(f.database, f.job) != dumps[0]);
}

TEST_CASE("an interrupted search loses nothing, and goes on to the same end") {
  std::string expected;
  {
    Fixture f(small_nasbench());
    run(f, f.counts(), settings("nsga2", 60));
    expected = dump(f.database, f.job);
  }
  Fixture f(small_nasbench());
  auto objectives = f.counts();
  int calls = 0;
  objectives[1].evaluator = f.cached(std::make_unique<InterruptedEvaluator>(calls));
  int interrupts = 0;
  for (bool ended = false; !ended;) {
    try {
      run(f, objectives, settings("nsga2", 60));
      ended = true;
    } catch (const core::Interrupted&) {
      ++interrupts;
    }
  }
  CHECK(interrupts == 5);
  CHECK(calls == 65);  // 60 networks, and those where Ctrl-C came first
  CHECK(dump(f.database, f.job) == expected);
}

TEST_CASE("extra metrics are measured of every network") {
  Fixture f(small_nasbench());
  search::run_search(f.space, f.counts(), {f.cached(evaluators::graph_evaluator({"flops"}))},
                     settings("random", 20), 7, f.database, f.job);
  CHECK(f.database.measurements(f.job.id, "flops").size() == 20);
}

TEST_CASE("a search with one objective is possible at random") {
  Fixture f(toy_space());
  const auto outcome = run(f, {f.measured("params", false)}, settings("random", 100));
  CHECK(outcome.evaluations == 12);
  const auto front = f.database.generations(f.job.id).back().front;
  REQUIRE(front.size() == 1);
  CHECK(f.database.networks(f.job.id).at(static_cast<std::size_t>(front[0]) - 1).arch ==
        f.space.text(f.space.smallest()));
}

TEST_CASE("objectives that no search can use are refused") {
  Fixture f(toy_space());
  CHECK(message_of([&] { run(f, {}, {}); }) ==
        "a search needs an objective, and the job has none: add an [[objective]] with a metric and "
        "a goal");
  CHECK(message_of([&] {
          run(f, {f.measured("params", false), f.measured("params", true)}, {});
        }) == "the objective 'params' is given twice: leave one of them out");
}

TEST_CASE("a search does not go on from the state of another seed") {
  Fixture f(small_nasbench());
  run(f, f.counts(), settings("nsga2", 30));
  CHECK_THAT(message_of([&] { run(f, f.counts(), settings("nsga2", 30), 8); }),
             Catch::Contains("seed=7, not of nsga2()"));
}

TEST_CASE("predictions lead the search, and the front is then measured until it is stable") {
  Fixture f(small_nasbench(), {{"params", true}, {"latency_ms", false}});
  const auto truth = [](const evaluators::Candidate& candidate) {
    return spaces::activation_bytes(candidate.graph) * 1e-3 +
           spaces::count_flops(candidate.graph) * 1e-6;
  };
  int predicted = 0;
  int measured = 0;
  auto own = std::vector{f.measured("params", true), search::SearchObjective{}};
  own[1].metric = "latency_ms";
  own[1].predictor = "a formula";
  // 20% too low for some networks, so that the measured front differs.
  own[1].predict = [&](std::span<const evaluators::Candidate> candidates) {
    std::vector<predictors::Prediction> result;
    for (const auto& candidate : candidates)
      result.push_back({truth(candidate) * (candidate.hash[0] < '4' ? 0.8 : 1.0), 0.5});
    predicted += static_cast<int>(candidates.size());
    return result;
  };
  own[1].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
      "latency_ms",
      [&](const evaluators::Candidate& candidate) {
        ++measured;
        return truth(candidate);
      },
      true));
  run(f, own, settings("nsga2", 80));
  CHECK(predicted == 80);
  CHECK(measured == 0);
  for (const auto& network : f.database.networks(f.job.id)) {
    CHECK(network.predicted.at("latency_ms").predictor == "a formula");
    CHECK_FALSE(network.metrics.contains("latency_ms"));
  }
  const auto searched = f.database.generations(f.job.id).back().front;

  const auto count = search::remeasure_front(f.space, own, f.database, f.job);
  CHECK(count == measured);
  CHECK(count >= static_cast<std::int64_t>(searched.size()));
  CHECK(count < 80);
  CHECK(predicted == 80);  // read back, not made again

  // Nothing on the mixed front stands there by prediction any more.
  std::vector<std::vector<double>> points;
  std::vector<bool> by_measurement;
  for (const auto& network : f.database.networks(f.job.id)) {
    const bool known = network.metrics.contains("latency_ms");
    by_measurement.push_back(known);
    points.push_back(
        {-network.metrics.at("params").value,
         known ? network.metrics.at("latency_ms").value : network.predicted.at("latency_ms").mean});
  }
  const auto front = core::pareto_front(points);
  for (const std::size_t i : front) CHECK(by_measurement[i]);
  CHECK(f.database.front(f.job).size() == front.size());

  CHECK(search::remeasure_front(f.space, own, f.database, f.job) == 0);
  CHECK(measured == count);
  CHECK(search::remeasure_front(f.space, f.counts(), f.database, f.job) == 0);
}

TEST_CASE("what was measured before counts when the front is re-measured") {
  Fixture f(toy_space(), {{"params", false}, {"latency_ms", false}});
  int measured = 0;
  // All latencies are predicted as 10, and are 5 for the largest network and 20 for the others.
  const auto largest = f.space.text(f.space.largest());
  auto objectives = std::vector{f.measured("params", false), search::SearchObjective{}};
  objectives[1].metric = "latency_ms";
  objectives[1].predictor = "constant";
  objectives[1].predict = [](std::span<const evaluators::Candidate> candidates) {
    return std::vector<predictors::Prediction>(candidates.size(), {10, 1});
  };
  objectives[1].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
      "latency_ms",
      [&](const evaluators::Candidate& candidate) {
        ++measured;
        return candidate.arch == largest ? 5 : 20;
      },
      true));
  const auto candidate = evaluators::make_candidate(f.space, f.space.largest());
  const bool before = GENERATE(false, true);
  if (before) objectives[1].evaluator->evaluate({&candidate, 1});
  run(f, objectives, settings("random", 12));
  measured = 0;
  const auto count = search::remeasure_front(f.space, objectives, f.database, f.job);
  CHECK(count == measured);
  // One after another turns out slower than the next one is predicted to be, down to the largest.
  CHECK(count == (before ? 11 : 12));
  const auto front = f.database.front(f.job);
  REQUIRE(front.size() == 2);
  CHECK(front[0].arch == f.space.text(f.space.smallest()));
  CHECK(front[1].arch == largest);
}

TEST_CASE("a network whose re-measurement fails leaves the front") {
  Fixture f(toy_space());
  auto objectives = f.counts();
  objectives[1].predict = [](std::span<const evaluators::Candidate> candidates) {
    std::vector<predictors::Prediction> result;
    for (const auto& candidate : candidates)
      result.push_back({spaces::activation_bytes(candidate.graph), 1});
    return result;
  };
  objectives[1].predictor = "exact";
  objectives[1].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
      "activation_bytes", [](const auto&) -> double { throw std::runtime_error("device lost"); }));
  run(f, objectives, settings("random", 12));
  // Every front is measured, fails and gives way to the next one, until no network is left.
  CHECK(search::remeasure_front(f.space, objectives, f.database, f.job) == 12);
  CHECK(f.database.front(f.job).empty());
}

TEST_CASE("a population beyond the space and the budget is made smaller") {
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    Fixture f(toy_space());
    const auto outcome = run(f, f.counts(), settings(algorithm, 1000, 1'000'000, 1000));
    CHECK(outcome.stopped_by == "space exhausted");
    CHECK(outcome.evaluations == 12);
    CHECK_THAT(f.database.state(f.job.id, "search").value(), Catch::Contains(" population=12 "));
  }
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    Fixture f(small_nasbench());
    const auto outcome = run(f, f.counts(), settings(algorithm, 21, 1'000'000));
    CHECK(outcome.stopped_by == "evaluations");
    CHECK(outcome.evaluations == 21);
  }
}

TEST_CASE("pagmo's algorithms evaluate the single network of a space without decisions") {
  for (const std::string algorithm : {"nsga2", "maco"}) {
    INFO(algorithm);
    Fixture f(spaces::Space::make("resnet-pooling", {}, {{"poolings", "0"}}));
    const auto outcome = run(f, f.counts(), settings(algorithm, 20));
    CHECK(outcome.evaluations == 1);
    CHECK(outcome.stopped_by == "space exhausted");
  }
}

TEST_CASE("what no search can be made of is found before one begins") {
  const auto space = small_nasbench();
  CHECK(message_of([&] { search::check_search(space, settings("nsga2", 20), 1); }) ==
        "nsga2 needs at least two objectives, and the job has 1: add an [[objective]], or search "
        "with 'linas' or 'random'");
  CHECK_NOTHROW(search::check_search(space, settings("nsga2", 20), 2));
}
