/// Graphs as they run in training: fewer, larger nodes.
#pragma once

#include "mosaic/spaces/graph.hpp"

namespace mosaic::supernet {

/// The same network with every batch norm doing what follows it: the addition of another value (its
/// second input then) and the ReLU (its attribute "relu"); every linear map the ReLU or GELU behind
/// it (an attribute as well); and every layer norm and RMS norm the addition before it (two inputs
/// then): all where nobody else reads what is between. Linear maps to queries, keys and values of
/// one attention are one (attribute "maps"; weights "weight", "weight 2", ...), and the attention
/// reads their columns (attribute "packed", of so many), unless others ask for what it reads. The
/// nodes keep their order, and those that normalise or multiply their names.
spaces::Graph fused(spaces::Graph graph, bool attention_is_kept = false);

}  // namespace mosaic::supernet
