/// Linear maps that follow each other, as one: what a network costs where it is deployed.
#pragma once

#include <string>
#include <vector>

#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

/// A linear node in the place of two: slots of its own, and those that their values come from (W =
/// W2 W1 and b = W2 b1 + b2, of what the nodes read of them).
struct Merge {
  std::string node;                   ///< named after both
  WeightRef first, second;            ///< weights [inner, in] and [out, inner]
  WeightRef first_bias, second_bias;  ///< without a slot: there is none
  std::string weight, bias;           ///< slots; bias empty: there is none
};

/// The network with linear nodes merged whose result only one other linear node reads, where one
/// map has no more entries than both: around a bottleneck (as in SuperShaper, Ganesan et al. 2021)
/// it has far fewer. Computes the same up to rounding. `merges`: what was done, in an order in
/// which each may read what those before it made; null: not asked for.
Graph merged(const Graph& graph, std::vector<Merge>* merges = nullptr);

}  // namespace mosaic::spaces
