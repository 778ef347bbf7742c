#include <set>

#include "common.hpp"
#include "mosaic/core/pareto.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

/// Most parameters, least memory, most FLOPs: the first `objectives` of them.
std::vector<double> measure(const spaces::Space& space, const spaces::Genotype& genotype,
                            std::size_t objectives) {
  const auto graph = space.bind(genotype);
  std::vector<double> all = {-spaces::count_parameters(graph), spaces::activation_bytes(graph),
                             -spaces::count_flops(graph)};
  all.resize(objectives);
  return all;
}

/// Everything that a search proposes, generation by generation.
std::vector<std::vector<spaces::Genotype>> run(const spaces::Space& space, const std::string& spec,
                                               const search::AlgorithmSettings& settings,
                                               int steps) {
  std::vector<std::vector<spaces::Genotype>> generations;
  const auto algorithm = search::make_algorithm(spec, space, settings);
  for (int i = 0; i < steps; ++i)
    algorithm->step([&](const std::vector<spaces::Genotype>& batch) {
      generations.push_back(batch);
      std::vector<std::vector<double>> result;
      for (const auto& genotype : batch)
        result.push_back(measure(space, genotype, settings.objectives));
      return result;
    });
  return generations;
}

}  // namespace

TEST_CASE("evolution proposes every network of a small space exactly once, and then nothing") {
  const auto space = toy_space();
  for (const std::size_t population : {2u, 5u, 7u, 40u}) {
    INFO("population " << population);
    const auto generations =
        run(space, "evolution", {.population = population, .objectives = 2, .seed = 2}, 10);
    std::set<spaces::Genotype> seen;
    for (const auto& generation : generations) {
      CHECK(generation.size() <= population);
      for (const auto& genotype : generation) {
        CHECK(genotype == space.canonical(genotype));
        CHECK(seen.insert(genotype).second);
      }
    }
    CHECK(seen.size() == 12);
  }
}

TEST_CASE("evolution improves on chance with one, two and three objectives") {
  const auto space = small_nasbench();
  for (const std::size_t objectives : {1u, 2u, 3u}) {
    double evolved = 0;
    double drawn = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      // The last generations of both, sorted together: whose ranks are lower?
      const search::AlgorithmSettings settings{
          .population = 20, .objectives = objectives, .seed = seed};
      std::vector<std::vector<double>> points;
      for (const std::string algorithm : {"evolution", "random"}) {
        const auto generations = run(space, algorithm, settings, 10);
        for (const auto& genotype : generations.back())
          points.push_back(measure(space, genotype, objectives));
      }
      REQUIRE(points.size() == 40);
      const auto ranks = core::nondominated_ranks(points);
      for (std::size_t i = 0; i < 20; ++i) {
        evolved += static_cast<double>(ranks[i]);
        drawn += static_cast<double>(ranks[20 + i]);
      }
    }
    INFO(objectives << " objectives: sums of ranks " << evolved << " and " << drawn);
    CHECK(evolved < 0.7 * drawn);
  }
}

TEST_CASE("a network given twice to evolution is evaluated once, and a population of one refused") {
  const auto space = small_nasbench();
  core::Stream stream(9, "given");
  const auto given = space.random(stream);
  const auto generations =
      run(space, "evolution",
          {.population = 4, .objectives = 2, .seed = 1, .start = {given, given}}, 1);
  CHECK(std::count(generations[0].begin(), generations[0].end(), given) == 1);
  CHECK(generations[0].size() == 4);
  CHECK(message_of([&] { search::make_algorithm("evolution", space, {.population = 1}); }) ==
        "evolution needs a population of at least 2 (two parents), not 1: leave it out for 40");
}
