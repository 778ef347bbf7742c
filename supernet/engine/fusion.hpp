/// Graphs as they run in training: fewer, larger nodes.
#pragma once

#include "mosaic/spaces/graph.hpp"

namespace mosaic::supernet {

/// The same network with every batch norm doing what follows it: the addition of another value (its
/// second input then) and the ReLU (its attribute "relu"). The nodes keep their order, and those
/// that normalise their names.
spaces::Graph fused(spaces::Graph graph);

}  // namespace mosaic::supernet
