#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape add_shape(const Node&, const std::vector<Shape>& inputs) {
  if (inputs.empty()) throw std::logic_error("needs at least one input");
  for (const auto& other : inputs) require_equal(inputs[0], other);
  return inputs[0];
}

const core::Registered kEntry{ops(), "add", "sum of its inputs",
                              OpSpec{.shape = add_shape,
                                     .flops = no_flops,
                                     .drops_dead_inputs = true,
                                     .position = OpSpec::Position::alone}};

}  // namespace
}  // namespace mosaic::spaces
