#include <algorithm>
#include <pagmo/algorithms/maco.hpp>

#include "pagmo_algorithm.hpp"

namespace mosaic::search {

namespace {

const std::vector<std::string> kArguments = {"ker", "q", "focus", "threshold"};

/// Hypervolume-based ant colony optimisation of pagmo: new networks are drawn around an archive of
/// `ker` good ones, the more narrowly the longer the search lasts.
pagmo::maco make_udp(const core::Call& call, std::size_t population, std::uint64_t seed) {
  call.expect_only(kArguments);
  const auto most = static_cast<long long>(population);
  return {1,
          static_cast<unsigned>(call.integer("ker", std::min<long long>(63, most), 2, most)),
          call.number("q", 1, 0, 1e6),
          static_cast<unsigned>(call.integer("threshold", 1, 1, 1'000'000)),
          7,
          100'000,
          call.number("focus", 0, 0, 1e6),
          true,  // the archive lives from one generation to the next
          seed32(seed, "search/maco")};
}

std::unique_ptr<SearchAlgorithm> make_maco(const core::Call& call, const spaces::Space& space,
                                           const AlgorithmSettings& settings) {
  check_pagmo("maco", space, settings);
  pagmo::maco udp = make_udp(call, settings.population, settings.seed);
  udp.set_bfe(batch_evaluator());
  return std::make_unique<PagmoAlgorithm<pagmo::maco>>(space, settings, "maco", std::move(udp),
                                                       state_identity(call, space, settings));
}

const core::Registered kEntry{
    algorithms(), "maco",
    "multi-objective ant colony (Acciarini et al. 2020) of pagmo; ker=63 archive (at most the "
    "population), q=1 convergence speed, threshold=1, focus=0",
    AlgorithmFactory(make_maco)};
const core::Registered kRulesEntry{
    algorithm_rules(), "maco", "",
    AlgorithmRules{.arguments = [](const core::Call& call) { make_udp(call, 1'000'000, 1); },
                   .population = {}}};

}  // namespace

}  // namespace mosaic::search
