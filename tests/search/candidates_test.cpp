// Searches whose candidates are a list of networks: the rows of a table.
#include <chrono>
#include <set>

#include "common.hpp"
#include "mosaic/core/pareto.hpp"
#include "population.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

std::shared_ptr<const search::Candidates> random_candidates(const spaces::Space& space,
                                                            std::size_t size) {
  core::Stream stream(11, "candidates");
  std::set<spaces::Genotype> drawn;
  std::vector<spaces::Genotype> networks;
  while (networks.size() < size)
    if (auto genotype = space.random(stream); drawn.insert(genotype).second)
      networks.push_back(std::move(genotype));
  return std::make_shared<search::Candidates>(std::move(networks));
}

int differences(const spaces::Genotype& a, const spaces::Genotype& b) {
  int result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result += a[i] != b[i] ? 1 : 0;
  return result;
}

search::SearchSettings limited(const std::string& algorithm, std::int64_t evaluations,
                               std::shared_ptr<const search::Candidates> candidates) {
  search::SearchSettings settings;
  settings.algorithm = algorithm;
  settings.population = 8;
  settings.evaluations = evaluations;
  settings.stall = 1000;
  settings.candidates = std::move(candidates);
  return settings;
}

/// Share of the front of all candidates' hypervolume that a search finds.
double share_found(const std::string& algorithm, std::uint64_t seed) {
  Fixture f(small_nasbench());
  const auto candidates = random_candidates(f.space, 1000);
  search::run_search(f.space, f.counts(), {}, limited(algorithm, 100, candidates), seed, f.database,
                     f.job);
  const auto point = [&](const spaces::Genotype& genotype) {
    const auto graph = f.space.bind(genotype);
    return std::vector<double>{-spaces::count_parameters(graph), spaces::activation_bytes(graph)};
  };
  std::vector<std::vector<double>> all;
  std::vector<std::vector<double>> found;
  for (const auto& genotype : candidates->networks()) all.push_back(point(genotype));
  for (const auto& evaluation : f.database.evaluations(f.job.id))
    found.push_back(point(f.space.parse(evaluation.arch)));
  std::vector<double> worst = all[0];
  for (const auto& values : all)
    for (std::size_t k = 0; k < 2; ++k) worst[k] = std::max(worst[k], values[k]);
  return core::hypervolume(found, worst) / core::hypervolume(all, worst);
}

}  // namespace

TEST_CASE("the nearest candidates are those that the fewest genes separate") {
  const auto space = small_nasbench();
  const auto candidates = random_candidates(space, 300);
  core::Stream stream(3, "asked");
  for (int i = 0; i < 20; ++i) {
    const auto asked = space.random(stream);
    std::vector<std::uint8_t> marks(candidates->size());
    for (auto& mark : marks) mark = static_cast<std::uint8_t>(stream.below(2));
    int least = 100;
    std::vector<std::size_t> expected;
    for (std::size_t k = 0; k < candidates->size(); ++k) {
      const int apart = differences(asked, candidates->networks()[k]);
      if (apart == 0 || marks[k] != 0 || apart > least) continue;
      if (apart < least) expected.clear();
      least = apart;
      expected.push_back(k);
    }
    CHECK(candidates->nearest(asked, marks) == expected);
  }
}

TEST_CASE("with candidates every algorithm evaluates them alone, each once, to the last") {
  for (const auto& algorithm : search::algorithms().names()) {
    for (const std::size_t size : {1u, 60u}) {
      INFO(algorithm << " over " << size);
      Fixture f(small_nasbench());
      const auto candidates = random_candidates(f.space, size);
      const auto outcome = search::run_search(
          f.space, f.counts(), {}, limited(algorithm, 1000, candidates), 7, f.database, f.job);
      CHECK(outcome.stopped_by == "all " + std::to_string(size) + " candidates evaluated");
      CHECK(outcome.evaluations == static_cast<std::int64_t>(size));
      for (const auto& evaluation : f.database.evaluations(f.job.id))
        CHECK(candidates->find(f.space.parse(evaluation.arch)));
    }
  }
}

TEST_CASE("with candidates a search wastes no evaluation, and goes on bit for bit") {
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    const auto run = [&](std::size_t stop_after) {
      Fixture f(small_nasbench());
      const auto candidates = random_candidates(f.space, 400);
      auto settings = limited(algorithm, 40, candidates);
      settings.start = {candidates->networks()[5], candidates->networks()[3]};
      std::size_t calls = 0;
      auto objectives = f.counts();
      objectives[1].evaluator = f.cached(std::make_unique<FunctionEvaluator>(
          "activation_bytes", [&](const evaluators::Candidate& candidate) -> double {
            CHECK(candidates->find(candidate.genotype));
            if (++calls == stop_after) throw core::Interrupted("stopped by Ctrl-C");
            return spaces::activation_bytes(candidate.graph);
          }));
      std::string stopped_by;
      while (stopped_by.empty()) try {
          stopped_by = search::run_search(f.space, objectives, {}, settings, 7, f.database, f.job)
                           .stopped_by;
        } catch (const core::Interrupted&) {
        }
      CHECK(stopped_by == "evaluations");
      CHECK(f.database.evaluations(f.job.id).size() == 40);
      return dump(f.database, f.job);
    };
    const auto whole = run(0);
    CHECK(run(20) == whole);
    CHECK(run(35) == whole);
  }
}

TEST_CASE("with candidates the algorithms are better than drawing them at random") {
  double random = 0;
  for (const std::uint64_t seed : {1, 2, 3}) random += share_found("random", seed) / 3;
  for (const std::string algorithm : {"linas", "evolution", "regularized_evolution", "nsga2"}) {
    double found = 0;
    for (const std::uint64_t seed : {1, 2, 3}) found += share_found(algorithm, seed) / 3;
    INFO(algorithm << " " << found << ", random " << random);
    CHECK(found > random);
  }
}

TEST_CASE("a search does not go on over other candidates") {
  Fixture f(small_nasbench());
  const auto run = [&](std::size_t size) {
    search::run_search(f.space, f.counts(), {},
                       limited("evolution", 20, random_candidates(f.space, size)), 7, f.database,
                       f.job);
  };
  run(50);
  CHECK_THAT(message_of([&] { run(51); }),
             Catch::Contains("candidates=") &&
                 Catch::EndsWith("go on with the job file that began the search"));
}

TEST_CASE("linas searches among more candidates than it can weigh at a time") {
  Fixture f(spaces::Space::make("resnet-elastic"));
  const auto candidates = random_candidates(f.space, 20'001);
  search::run_search(f.space, f.counts(), {}, limited("linas", 34, candidates), 7, f.database,
                     f.job);
  const auto evaluations = f.database.evaluations(f.job.id);
  CHECK(evaluations.size() == 34);
  for (const auto& evaluation : evaluations)
    CHECK(candidates->find(f.space.parse(evaluation.arch)));
}

TEST_CASE("a search over candidates does not go on from a state without them") {
  Fixture f(small_nasbench());
  const auto run = [&](std::shared_ptr<const search::Candidates> candidates) {
    search::run_search(f.space, f.counts(), {}, limited("evolution", 20, std::move(candidates)), 7,
                       f.database, f.job);
  };
  run(nullptr);
  CHECK_THAT(message_of([&] { run(random_candidates(f.space, 50)); }),
             Catch::Contains("an earlier version began it") &&
                 Catch::EndsWith("begin the job under another name"));
}

TEST_CASE("among a hundred thousand candidates the nearest is found in far less than a second") {
  const auto space = spaces::Space::make("resnet-elastic");
  const auto candidates = random_candidates(space, 100'000);
  search::Known known(candidates);
  core::Stream stream(5, "asked");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) CHECK(known.add(known.nearest(space.random(stream)).value()));
  std::vector<spaces::Genotype> drawn;
  known.fill(drawn, 1000, space, stream);
  CHECK(drawn.size() == 1000);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}
