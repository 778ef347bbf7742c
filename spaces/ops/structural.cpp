// The ops that bind() resolves: `input`, `select`, `zeros`.
#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

/// The shape of whichever input the attribute "index" takes.
Shape select_shape(const Node& node, const std::vector<Shape>& inputs) {
  if (inputs.empty()) throw std::logic_error("needs at least one input");
  const Extent& index = node.attributes.at("index");
  if (index.min() < 0 || index.max() >= static_cast<std::int64_t>(inputs.size()))
    throw std::logic_error("its index leaves the range of its inputs");
  Shape result = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].size() != result.size())
      throw std::logic_error("its inputs differ in their number of axes");
    for (std::size_t axis = 0; axis < result.size(); ++axis)
      result[axis] =
          choose(index == Extent(static_cast<std::int64_t>(i)), inputs[i][axis], result[axis]);
  }
  return result;
}

const core::Registered kInputEntry{
    ops(), "input", "what an entry point is fed",
    OpSpec{.shape = [](const Node& node, const std::vector<Shape>&) { return node.shape; },
           .flops = no_flops,
           .keeps_zero = false}};
const core::Registered kSelectEntry{ops(), "select",
                                    "one of its inputs, by a decision (resolved when bound)",
                                    OpSpec{.shape = select_shape, .flops = no_flops}};
const core::Registered kZerosEntry{ops(), "zeros", "zero everywhere: what reads it is pruned",
                                   OpSpec{.shape =
                                              [](const Node&, const std::vector<Shape>& inputs) {
                                                require_inputs(inputs, 1);
                                                return inputs[0];
                                              },
                                          .flops = no_flops}};

}  // namespace
}  // namespace mosaic::spaces
