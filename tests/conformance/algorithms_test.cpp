// Runs over every registered search algorithm.
#include <catch2/catch.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/search/algorithm.hpp"
#include "samples.hpp"

using namespace mosaic;
using namespace mosaic::search;

namespace {

/// Records everything that is proposed.
struct Proposals {
  const spaces::Space& space;
  std::vector<spaces::Genotype> all;

  BatchFitness fitness() {
    return [this](const std::vector<spaces::Genotype>& genotypes) {
      std::vector<std::vector<double>> result;
      for (const auto& genotype : genotypes) {
        all.push_back(space.canonical(genotype));
        const auto graph = space.bind(genotype);
        result.push_back({spaces::count_parameters(graph), -spaces::count_flops(graph)});
      }
      return result;
    };
  }
};

}  // namespace

TEST_CASE("every algorithm: same seed, same proposals; saved and loaded it goes on bit for bit") {
  for (const auto& space_name : spaces::space_types().names()) {
    const auto space = conformance::small_space(space_name);
    for (const auto& name : algorithms().names()) {
      INFO(name << " on " << space_name);
      const AlgorithmSettings settings{.population = 12, .objectives = 2, .seed = 5};
      Proposals whole{space, {}};
      Proposals broken{space, {}};
      const auto a = make_algorithm(name, space, settings);
      for (int i = 0; i < 6; ++i) a->step(whole.fitness());
      auto b = make_algorithm(name, space, settings);
      for (int i = 0; i < 6; ++i) {
        b->step(broken.fitness());
        auto next = make_algorithm(name, space, settings);
        next->load(b->save());
        b = std::move(next);
      }
      REQUIRE(whole.all == broken.all);
      REQUIRE_FALSE(whole.all.empty());

      Proposals other{space, {}};
      const auto c = make_algorithm(name, space, {.population = 12, .objectives = 2, .seed = 6});
      for (int i = 0; i < 6; ++i) c->step(other.fitness());
      REQUIRE(whole.all != other.all);
      REQUIRE_THROWS_AS(make_algorithm(name, space, settings)->load("no state of a search"),
                        core::Error);
    }
  }
}
