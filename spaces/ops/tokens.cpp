// Between tokens, images and one row of features.
#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape mask_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 1, "[length]");
  return inputs[0];
}

Shape mean_shape(const Node& node, const std::vector<Shape>& inputs) {
  if (inputs.size() != 1 && inputs.size() != 2)
    throw std::logic_error("needs features, and at most a mask");
  require_axes(inputs[0], 2, "[length, features]");
  const Extent skip = attribute_or(node, "skip", 0);
  if (skip.min() < 0 || (inputs[0][0].symbols().empty() && (skip < inputs[0][0]).min() == 0))
    throw std::logic_error("it must leave at least one position");
  if (inputs.size() == 2) require_equal({inputs[0][0]}, inputs[1]);
  return {inputs[0][1]};
}

Shape first_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 2, "[length, features]");
  return {inputs[0][1]};
}

Shape prepended_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 2, "[length, features]");
  if (!inputs[0][0].symbols().empty())
    throw std::logic_error("needs a length that is known beforehand");
  return {inputs[0][0] + Extent(1), inputs[0][1]};
}

Shape patches_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 3, "[channels, height, width]");
  const Extent& patch = node.attributes.at("patch");
  for (const std::size_t side : {1, 2})
    if ((inputs[0][side] % patch).max() != 0)
      throw std::logic_error("height and width must be multiples of the patch");
  return {inputs[0][1] / patch * (inputs[0][2] / patch), node.attributes.at("out")};
}

double patches_flops(const GraphNode& node, const std::vector<Dims>& inputs, const Dims& output) {
  const auto patch = static_cast<double>(node.attribute("patch"));
  return elements(output) * static_cast<double>(inputs[0][0]) * patch * patch;
}

/// The first `count` inputs, all of one shape.
Shape joined_shape(const Node& node, const std::vector<Shape>& inputs) {
  if (inputs.empty()) throw std::logic_error("needs at least one input");
  for (const auto& other : inputs) require_equal(inputs[0], other);
  const Extent& count = node.attributes.at("count");
  if (count.min() < 1 || count.max() > static_cast<std::int64_t>(inputs.size()))
    throw std::logic_error("its count leaves the range of its inputs");
  Shape result = inputs[0];
  result[0] = result[0] * count;
  return result;
}

/// [seen, ...] and [length, ...]. Where lengths are symbols, the sum is known when it runs.
Shape appended_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 2);
  if (inputs[0].size() != inputs[1].size())
    throw std::logic_error("its inputs differ in their number of axes");
  Shape result = inputs[0];
  if (result[0].symbols().empty() && inputs[1][0].symbols().empty())
    result[0] = result[0] + inputs[1][0];
  return result;
}

const core::Registered kMaskEntry{
    ops(), "token_mask", "1 where there is a token, 0 where there is padding (token 0)",
    OpSpec{.shape = mask_shape, .flops = no_flops, .keeps_zero = false}};
const core::Registered kMeanEntry{ops(), "mean_tokens",
                                  "mean over positions, of those that a mask counts, without the "
                                  "first `skip` ones: [features]",
                                  OpSpec{.shape = mean_shape, .flops = no_flops}};
const core::Registered kFirstEntry{ops(), "first_token", "the first position: [features]",
                                   OpSpec{.shape = first_shape, .flops = no_flops}};
const core::Registered kJoinedEntry{
    ops(), "concatenate_length",
    "the first `count` of its inputs, one after the other along their length",
    OpSpec{.shape = joined_shape, .flops = no_flops}};
const core::Registered kAppendedEntry{
    ops(), "append_length",
    "a state [seen, ...], and behind it what is new [length, ...]: the state of the next call",
    OpSpec{.shape = appended_shape, .flops = no_flops}};
const core::Registered kPrependedEntry{
    ops(), "prepend_token",
    "a learned token before the first (Dosovitskiy et al. 2021); weight [features]",
    OpSpec{.shape = prepended_shape, .flops = no_flops, .keeps_zero = false}};
const core::Registered kPatchesEntry{
    ops(), "patch_embedding",
    "squares of `patch` pixels as tokens (Dosovitskiy et al. 2021); weight [out, channels, patch, "
    "patch]",
    OpSpec{.shape = patches_shape, .flops = patches_flops}};

}  // namespace
}  // namespace mosaic::spaces
