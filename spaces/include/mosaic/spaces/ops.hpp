/// The op catalogue: what each operation does to shapes, and what it costs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mosaic/core/registry.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

using Dims = std::vector<std::int64_t>;

/// Specification of an op; its kernel lives in supernet/ops/. One file each in spaces/ops/.
struct OpSpec {
  /// Output shape from input shapes. Throws std::logic_error naming the rule if they do not fit.
  std::function<Shape(const Node& node, const std::vector<Shape>& inputs)> shape;
  /// Multiply-accumulates of one example.
  std::function<double(const GraphNode& node, const std::vector<Dims>& inputs, const Dims& output)>
      flops;
  /// Zeros in, zeros out: a node all of whose inputs are dead is dead itself. Normalisation counts
  /// as such by convention (its shift is ignored on a dead branch).
  bool keeps_zero = true;
  /// A weight of the role "bias" makes something of nothing, so that the node is not dead after
  /// all.
  bool bias_revives = true;
  /// The output may share memory with the first input (no activation of its own).
  bool is_view = false;
  /// Inputs commute, and dead inputs are dropped rather than filled with zeros (sums).
  bool drops_dead_inputs = false;
  /// What it makes of sequences [length, ...], a position at a time: does its result there depend
  /// on its inputs there alone (`alone`), on which position it is as well (`numbered`: it takes the
  /// numbers as a last input, int64 [length], where they are not 0, 1, ...), or on other positions?
  enum class Position { others, alone, numbered };
  Position position = Position::others;
};

/// `const core::Registered kEntry{ops(), "relu", "max(x, 0)", OpSpec{...}};`
core::Registry<OpSpec>& ops();

}  // namespace mosaic::spaces
