#include "common.hpp"
#include "mosaic/core/pareto.hpp"
#include "operators.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

/// Parameters of every network of the small space, and activation bytes.
std::vector<std::pair<double, double>> all_networks(const spaces::Space& space) {
  std::vector<std::pair<double, double>> result;
  const auto genotypes = space.enumerate().value();
  for (const auto& genotype : genotypes) {
    const auto graph = space.bind(genotype);
    result.emplace_back(spaces::count_parameters(graph), spaces::activation_bytes(graph));
  }
  return result;
}

}  // namespace

TEST_CASE("feasibility comes before dominance") {
  using search::penalised;
  const auto feasible = penalised({5, 7, -0.1}, 2);
  const auto near = penalised({1, 1, 0.1}, 2);
  const auto far = penalised({0, 0, 0.5}, 2);
  const auto failure = penalised({1e30, 1e30, 1e30}, 2);
  CHECK(feasible == std::vector<double>{5, 7});
  CHECK(core::dominates(feasible, near));
  CHECK(core::dominates(near, far));
  CHECK(core::dominates(far, failure));
  CHECK(penalised({5, 7, 0}, 2) == std::vector<double>{5, 7});
}

TEST_CASE("every algorithm keeps the constraints of a job on its front") {
  const auto space = small_nasbench();
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    Fixture f(small_nasbench());
    f.job.id = 0;
    f.job.name = "constrained";
    f.job.constraints = {{"params", true, 6000}, {"flops", false, 20'000}};
    f.database.create_job(f.job);
    auto objectives = std::vector<search::SearchObjective>{
        {"params",
         true,
         std::make_shared<evaluators::Cached>(evaluators::graph_evaluator({"params"}), f.database,
                                              f.job.id, f.space.hash()),
         {},
         ""},
        {"activation_bytes",
         false,
         std::make_shared<evaluators::Cached>(evaluators::graph_evaluator({"activation_bytes"}),
                                              f.database, f.job.id, f.space.hash()),
         {},
         ""},
        {"flops",
         false,
         std::make_shared<evaluators::Cached>(evaluators::graph_evaluator({"flops"}), f.database,
                                              f.job.id, f.space.hash()),
         {},
         "",
         false}};
    search::SearchSettings settings;
    settings.algorithm = algorithm;
    settings.population = 8;
    settings.evaluations = 80;
    search::run_search(f.space, objectives, {}, settings, 3, f.database, f.job);
    const auto front = f.database.front(f.job);
    REQUIRE_FALSE(front.empty());
    for (const auto& network : front) {
      CHECK(network.metrics.at("params").value <= 6000);
      CHECK(network.metrics.at("flops").value >= 20'000);
    }
    // The search and the database agree on who is on the front.
    CHECK(f.database.generations(f.job.id).back().front.size() == front.size());
  }
}

TEST_CASE("with one objective and a cap the best feasible network is found") {
  const auto space = small_nasbench();
  double best = 0;
  for (const auto& [params, bytes] : all_networks(space))
    if (params <= 1000) best = std::max(best, params);
  for (const std::string algorithm : {"linas", "regularized_evolution", "local_search"}) {
    INFO(algorithm);
    Fixture f(small_nasbench(), {{"params", true}});
    f.job.id = 0;
    f.job.name = "capped";
    f.job.constraints = {{"params", true, 1000}};
    f.database.create_job(f.job);
    const std::vector<search::SearchObjective> objectives = {
        {"params",
         true,
         std::make_shared<evaluators::Cached>(evaluators::graph_evaluator({"params"}), f.database,
                                              f.job.id, f.space.hash()),
         {},
         ""}};
    search::SearchSettings settings;
    settings.algorithm = algorithm;
    settings.population = 5;
    settings.evaluations = 150;
    search::run_search(f.space, objectives, {}, settings, 1, f.database, f.job);
    const auto front = f.database.front(f.job);
    REQUIRE(front.size() == 1);
    CHECK(front[0].metrics.at("params").value <= 1000);
    CHECK(front[0].metrics.at("params").value >= 0.95 * best);
  }
}

TEST_CASE("a search begins with all the networks it is given, in their order") {
  for (const auto& algorithm : search::algorithms().names()) {
    const std::size_t given = GENERATE(3, 12);  // fewer and more than a population
    INFO(algorithm << " from " << given);
    Fixture f(small_nasbench());
    search::SearchSettings settings;
    settings.algorithm = algorithm;
    settings.population = 8;
    settings.evaluations = 40;
    core::Stream stream(9, "given");
    for (std::size_t i = 0; i < given; ++i) settings.start.push_back(f.space.random(stream));
    search::run_search(f.space, f.counts(), {}, settings, 3, f.database, f.job);
    const auto evaluations = f.database.evaluations(f.job.id);
    REQUIRE(evaluations.size() == 40);
    for (std::size_t i = 0; i < given; ++i)
      CHECK(evaluations[i].arch == f.space.text(settings.start[i]));
  }
}

TEST_CASE("a search refuses more networks to begin with than it may evaluate") {
  Fixture f(small_nasbench());
  search::SearchSettings settings;
  settings.algorithm = "random";
  settings.evaluations = 2;
  settings.start = {f.space.smallest(), f.space.largest(), {1, 2, 3, 1, 2, 3}};
  CHECK(message_of([&] { search::check_search(f.space, settings, 2); }) ==
        "the search is given 3 networks to begin with, more than the 2 that it may evaluate: raise "
        "evaluations, or begin with fewer");
}

TEST_CASE("a search stops when its front no longer changes, and when its time is up") {
  Fixture f(small_nasbench());
  search::SearchSettings settings;
  settings.algorithm = "random";
  settings.population = 8;
  settings.evaluations = 10'000;
  settings.patience = 3;
  const auto outcome = search::run_search(f.space, f.counts(), {}, settings, 3, f.database, f.job);
  CHECK(outcome.stopped_by == "no gain in 3 generations");
  const auto generations = f.database.generations(f.job.id);
  REQUIRE(generations.size() > 3);
  CHECK(generations[generations.size() - 4].front == generations.back().front);
  CHECK(generations[generations.size() - 5].front != generations.back().front);

  Fixture timed(small_nasbench());
  settings.patience = 0;
  settings.minutes = 1e-9;
  CHECK(search::run_search(timed.space, timed.counts(), {}, settings, 3, timed.database, timed.job)
            .stopped_by == "time");
}
