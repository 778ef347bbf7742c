#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape scale_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 2);
  require_axes(inputs[0], 3, "[channels, height, width]");
  require_axes(inputs[1], 1, "[channels]");
  require_equal({inputs[0][0]}, inputs[1]);
  return inputs[0];
}

const core::Registered kEntry{
    ops(), "scale", "a factor for each channel: [channels, height, width] times [channels]",
    OpSpec{.shape = scale_shape, .flops = no_flops}};

}  // namespace
}  // namespace mosaic::spaces
