#pragma once

#include <functional>
#include <numeric>
#include <string>

#include "mosaic/spaces/supergraph.hpp"

namespace mosaic::supernet {

/// Entries of a slot at its full shape.
inline std::int64_t slot_size(const spaces::Slot& slot) {
  return std::accumulate(slot.shape.begin(), slot.shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

/// The node that a slot is named after; slots without a group are that node's own.
inline std::string node_of(const spaces::Slot& slot) {
  return slot.name.substr(0, slot.name.rfind('.'));
}

}  // namespace mosaic::supernet
