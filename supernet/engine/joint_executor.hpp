/// Runs several networks as one: layers of equal shape become one grouped layer.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// Weights of the networks `members`, [members, ...ref.active].
using JointWeights =
    std::function<at::Tensor(const spaces::WeightRef& ref, std::span<const int> members)>;

/// graphs[i] for network i, through the entry point "forward". `inputs`:
/// [batch, networks * channels, height, width], each network's channels in turn. Nodes of one name
/// that agree in op, attributes and shapes run as one kernel call, whatever graphs they belong to.
/// Statistics of normalisation (modes calibrate and stored) are those of this list of graphs.
/// Returns [networks, batch, classes]. The graphs must be of one space.
at::Tensor execute_joint(std::span<const spaces::Graph* const> graphs, const at::Tensor& inputs,
                         const JointWeights& weights, NormMode mode = NormMode::batch,
                         NormStats* stats = nullptr);

}  // namespace mosaic::supernet
