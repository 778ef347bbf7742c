#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape linear_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  if (inputs[0].empty()) throw std::logic_error("needs at least one axis");
  Shape result = inputs[0];
  result.back() = node.attributes.at("out");
  return result;
}

double linear_flops(const GraphNode&, const std::vector<Dims>& inputs, const Dims& output) {
  return elements(output) * static_cast<double>(inputs[0].back());
}

const core::Registered kEntry{
    ops(), "linear", "x W^T + b over the last axis; weight [out, in]",
    OpSpec{.shape = linear_shape, .flops = linear_flops, .position = OpSpec::Position::alone}};

}  // namespace
}  // namespace mosaic::spaces
