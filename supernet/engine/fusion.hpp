/// Graphs as they run in training: fewer, larger nodes.
#pragma once

#include "mosaic/spaces/graph.hpp"

namespace mosaic::supernet {

/// The same network with every batch norm doing what follows it: the addition of another value (its
/// second input then) and the ReLU (its attribute "relu"); every linear map the ReLU or GELU behind
/// it (an attribute as well); and every layer norm and RMS norm the addition before it (two inputs
/// then): all where nobody else reads what is between. The nodes keep their order, and those that
/// normalise or multiply their names.
spaces::Graph fused(spaces::Graph graph);

}  // namespace mosaic::supernet
