#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape multiply_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 2);
  require_equal(inputs[0], inputs[1]);
  return inputs[0];
}

const core::Registered kEntry{
    ops(), "multiply", "product of two inputs, entry by entry",
    OpSpec{.shape = multiply_shape, .flops = no_flops, .position = OpSpec::Position::alone}};

}  // namespace
}  // namespace mosaic::spaces
