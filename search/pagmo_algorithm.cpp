#include "pagmo_algorithm.hpp"

#include "mosaic/core/error.hpp"

namespace mosaic::search {

void check_pagmo(const std::string& name, const spaces::Space& space,
                 const AlgorithmSettings& settings) {
  if (settings.objectives < 2)
    throw core::UsageError(name + " needs at least two objectives, and the job has " +
                               std::to_string(settings.objectives),
                           "add an [[objective]], or search with 'linas' or 'random'");
  if (space.genes().empty())
    throw core::UsageError(
        "the space " + space.name() + " has no decisions: " + name + " has nothing to vary",
        "give its options more than one choice");
}

}  // namespace mosaic::search
