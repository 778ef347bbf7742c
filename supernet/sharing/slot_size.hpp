#pragma once

#include <functional>
#include <numeric>

#include "mosaic/spaces/supergraph.hpp"

namespace mosaic::supernet {

/// Entries of a slot at its full shape.
inline std::int64_t slot_size(const spaces::Slot& slot) {
  return std::accumulate(slot.shape.begin(), slot.shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

}  // namespace mosaic::supernet
