#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

/// [in, h, w] -> [out, h', w'] with padding kernel / 2, so that an odd kernel keeps the size at
/// stride 1.
Shape conv_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 3, "[channels, height, width]");
  const Extent& kernel = node.attributes.at("kernel");
  const Extent& stride = node.attributes.at("stride");
  if ((kernel % Extent(2)).min() != 1) throw std::logic_error("kernel sizes must be odd");
  const Extent groups = attribute_or(node, "groups", 1);
  const Extent& out = node.attributes.at("out");
  if (groups.min() < 1) throw std::logic_error("groups must be 1 or more");
  if ((inputs[0][0] % groups).max() != 0 || (out % groups).max() != 0)
    throw std::logic_error("groups must divide the channels in and out in every architecture");
  const auto side = [&](const Extent& size) {
    return window(size, kernel, stride, kernel / Extent(2));
  };
  return {out, side(inputs[0][1]), side(inputs[0][2])};
}

double conv_flops(const GraphNode& node, const std::vector<Dims>& inputs, const Dims& output) {
  const double kernel = static_cast<double>(node.attribute("kernel"));
  const double group = static_cast<double>(inputs[0][0] / node.attribute("groups", 1));
  return elements(output) * group * kernel * kernel;
}

const core::Registered kEntry{
    ops(), "conv2d", "2-D convolution, same padding; weight [out, in / groups, kernel, kernel]",
    OpSpec{.shape = conv_shape, .flops = conv_flops}};

}  // namespace
}  // namespace mosaic::spaces
