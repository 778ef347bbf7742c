#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

/// Queries, keys and values of the tokens of a grid, [length, heads * size] each.
Shape relative_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 3);
  require_axes(inputs[0], 2, "[length, heads * head size]");
  for (const auto& other : inputs) require_equal(inputs[0], other);
  const auto& a = node.attributes;
  if ((inputs[0][1] % a.at("heads")).max() != 0)
    throw std::logic_error("its features must be a multiple of its heads in every architecture");
  if (a.at("distance").min() < 0) throw std::logic_error("needs a distance of at least 0");
  require_equal({a.at("rows") * a.at("columns") + a.at("class_token")}, {inputs[0][0]});
  return inputs[0];
}

/// Scores, and sums over values; and the same with tables, of which a query meets a row for each
/// row and each column of the grid, and one for the class token.
double relative_flops(const GraphNode& node, const std::vector<Dims>& inputs, const Dims&) {
  const auto met =
      node.attribute("rows") + node.attribute("columns") + node.attribute("class_token");
  return 2 * elements(inputs[0]) * static_cast<double>(inputs[1][0] + met);
}

const core::Registered kEntry{
    ops(), "relative_attention",
    "attention on a grid of `rows` and `columns`, led by a class token where `class_token` is 1: "
    "to each key and value a row is added of a table for its distance along rows, and of one along "
    "columns (Wu et al. 2021), up to `distance` either way; weights key_rows, key_columns, "
    "value_rows, value_columns [2 distance + 1 + class_token, head size], which heads share",
    OpSpec{.shape = relative_shape, .flops = relative_flops}};

}  // namespace
}  // namespace mosaic::spaces
