#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

/// Queries [length, heads * size], keys and values [memory, kv_heads * size] each, and where some
/// of them do not count, a mask [memory].
Shape attention_shape(const Node& node, const std::vector<Shape>& inputs) {
  if (inputs.size() != 3 && inputs.size() != 4)
    throw std::logic_error("needs queries, keys, values and at most a mask");
  for (std::size_t i = 0; i < 3; ++i) require_axes(inputs[i], 2, "[length, heads * head size]");
  const Extent& heads = node.attributes.at("heads");
  const Extent kv_heads = attribute_or(node, "kv_heads", heads);
  if ((heads % kv_heads).max() != 0)
    throw std::logic_error("heads must be a multiple of kv_heads in every architecture");
  if ((inputs[0][1] % heads).max() != 0 || (inputs[1][1] % kv_heads).max() != 0)
    throw std::logic_error("its features must be a multiple of its heads in every architecture");
  if ((inputs[0][1] / heads != inputs[1][1] / kv_heads).max() != 0)
    throw std::logic_error("heads of queries and of keys differ in size in some architecture");
  require_equal(inputs[1], inputs[2]);
  if (inputs.size() == 4) {
    require_axes(inputs[3], 1, "[memory] for its mask");
    require_equal({inputs[1][0]}, inputs[3]);
  }
  if (attribute_or(node, "causal", 0).max() != 0) require_equal({inputs[0][0]}, {inputs[1][0]});
  return inputs[0];
}

/// Scores, and sums over values.
double attention_flops(const GraphNode&, const std::vector<Dims>& inputs, const Dims&) {
  return 2 * elements(inputs[0]) * static_cast<double>(inputs[1][0]);
}

const core::Registered kEntry{
    ops(), "attention",
    "softmax(Q K^T / sqrt(head size)) V for each head (Vaswani et al. 2017); `kv_heads` below "
    "`heads`: groups of queries share one (Ainslie et al. 2023); `causal`: no position sees a "
    "later one; a mask of 1 where keys count",
    OpSpec{.shape = attention_shape, .flops = attention_flops}};

}  // namespace
}  // namespace mosaic::spaces
