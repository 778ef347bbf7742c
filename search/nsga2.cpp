#include <algorithm>
#include <cmath>
#include <pagmo/algorithms/nsga2.hpp>

#include "pagmo_algorithm.hpp"

namespace mosaic::search {

namespace {

/// Variation operators. pagmo crosses (simulated binary crossover) and then mutates integer genes
/// uniformly; by default one gene of a child is mutated on average, because a child equal to its
/// parent is a proposal wasted.
struct Variation {
  double cr;
  double eta_c;
  double m;
  double eta_m;

  Variation(const core::Call& call, std::size_t genes)
      : cr(std::min(call.number("cr", 0.95, 0, 1), std::nextafter(1.0, 0.0))),  // pagmo: below 1
        eta_c(call.number("eta_c", 10, 1, 99)),
        m(call.number("m", 1.0 / static_cast<double>(std::max<std::size_t>(genes, 1)), 0, 1)),
        eta_m(call.number("eta_m", 50, 1, 99)) {}
};

void check_population(const core::Call&, std::size_t population) {
  if (population >= 8 && population % 4 == 0) return;
  const std::size_t below = std::max<std::size_t>(8, population / 4 * 4);
  throw core::UsageError("population " + std::to_string(population) +
                             (population < 8 ? " is less than 8" : " is not a multiple of 4") +
                             " (NSGA-II pairs parents four at a time)",
                         "use " + std::to_string(below) + " or " + std::to_string(below + 4));
}

void check_arguments(const core::Call& call) {
  call.expect_only({"cr", "eta_c", "m", "eta_m"});
  Variation(call, 1);
}

std::unique_ptr<SearchAlgorithm> make_nsga2(const core::Call& call, const spaces::Space& space,
                                            const AlgorithmSettings& settings) {
  check_pagmo("nsga2", settings.objectives);
  if (space.genes().empty())  // nothing to vary: the one network is evaluated
    return make_algorithm("random", space, settings);
  const Variation variation(call, space.genes().size());
  pagmo::nsga2 udp(1, variation.cr, variation.eta_c, variation.m, variation.eta_m,
                   seed32(settings.seed, "search/nsga2"));
  udp.set_bfe(batch_evaluator());
  return std::make_unique<PagmoAlgorithm<pagmo::nsga2>>(space, settings, "nsga2", std::move(udp),
                                                        state_identity(call, space, settings));
}

const core::Registered kEntry{
    algorithms(), "nsga2",
    "NSGA-II: nondominated sorting and crowding (Deb et al. 2002); cr=0.95 crossover probability, "
    "eta_c=10 its distribution index, m=1/genes mutation probability of a gene, eta_m=50",
    AlgorithmType{.make = make_nsga2,
                  .arguments = check_arguments,
                  .population = check_population,
                  .largest_population = kLargestPagmoPopulation}};

}  // namespace

}  // namespace mosaic::search
