// Runs over every registered search algorithm.
#include <algorithm>
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
        result.push_back(
            {spaces::count_parameters(graph), -spaces::count_flops(graph, space.symbols())});
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

TEST_CASE("every algorithm: the networks given come first, in order; of candidates alone") {
  for (const auto& space_name : spaces::space_types().names()) {
    const auto space = conformance::small_space(space_name);
    core::Stream stream(4, "candidates");
    std::vector<spaces::Genotype> networks;
    for (int i = 0; i < 200; ++i)
      if (auto drawn = space.random(stream);
          std::find(networks.begin(), networks.end(), drawn) == networks.end())
        networks.push_back(std::move(drawn));
    for (const auto& name : algorithms().names())
      for (const std::size_t given : {3u, 15u})
        for (const bool limited : {false, true}) {
          if (networks.size() < given) continue;
          INFO(name << " on " << space_name << " from " << given << (limited ? ", limited" : ""));
          AlgorithmSettings settings{.population = 12, .objectives = 2, .seed = 5};
          settings.start.assign(networks.begin(),
                                networks.begin() + static_cast<std::ptrdiff_t>(given));
          if (limited) settings.candidates = std::make_shared<Candidates>(networks);
          Proposals proposals{space, {}};
          const auto algorithm = make_algorithm(name, space, settings);
          for (int i = 0; i < 3; ++i) algorithm->step(proposals.fitness());
          REQUIRE(proposals.all.size() >= given);
          REQUIRE(std::equal(settings.start.begin(), settings.start.end(), proposals.all.begin()));
          if (limited)
            for (const auto& genotype : proposals.all) REQUIRE(settings.candidates->find(genotype));
        }
  }
}
