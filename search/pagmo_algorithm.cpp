#include "pagmo_algorithm.hpp"

#include "mosaic/core/error.hpp"

namespace mosaic::search {

void check_pagmo(const std::string& name, std::size_t objectives) {
  if (objectives < 2)
    throw core::UsageError(
        name + " needs at least two objectives, and the job has " + std::to_string(objectives),
        "add an [[objective]], or search with 'linas' or 'random'");
}

}  // namespace mosaic::search
