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
  const auto side = [&](const Extent& size) {
    return window(size, kernel, stride, kernel / Extent(2));
  };
  return {node.attributes.at("out"), side(inputs[0][1]), side(inputs[0][2])};
}

double conv_flops(const GraphNode& node, const std::vector<Dims>& inputs, const Dims& output) {
  const double kernel = static_cast<double>(node.attribute("kernel"));
  return elements(output) * static_cast<double>(inputs[0][0]) * kernel * kernel;
}

const core::Registered kEntry{ops(), "conv2d",
                              "2-D convolution, same padding; weight [out, in, kernel, kernel]",
                              OpSpec{.shape = conv_shape, .flops = conv_flops}};

}  // namespace
}  // namespace mosaic::spaces
