// From numbers of tokens to features, and where in the sequence they stand.
#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape embedding_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  Shape result = inputs[0];
  result.push_back(node.attributes.at("out"));
  return result;
}

/// [length, features], of which something is made even where the input is zero.
OpSpec position_op() {
  return {.shape =
              [](const Node&, const std::vector<Shape>& inputs) {
                require_numbers(inputs, "[length, features]");
                return inputs[0];
              },
          .flops = no_flops,
          .keeps_zero = false,
          .position = OpSpec::Position::numbered};
}

Shape rotary_shape(const Node& node, const std::vector<Shape>& inputs) {
  require_numbers(inputs, "[length, heads * head size]");
  if ((inputs[0][1] % (node.attributes.at("heads") * Extent(2))).max() != 0)
    throw std::logic_error("its features must be heads times an even head size");
  return inputs[0];
}

const core::Registered kEmbeddingEntry{ops(), "embedding",
                                       "a row of a table for each token; weight [tokens, out]; "
                                       "with `scaled` = 1 times the square root "
                                       "of out (Vaswani et al. 2017)",
                                       OpSpec{.shape = embedding_shape,
                                              .flops = no_flops,
                                              .keeps_zero = false,
                                              .position = OpSpec::Position::alone}};
const core::Registered kPositionsEntry{
    ops(), "positions", "adds a learned row for each position; weight [longest, features]",
    position_op()};
const core::Registered kSinusoidEntry{
    ops(), "sinusoid",
    "adds sines and cosines of positions (Vaswani et al. 2017): those of `width` features, cut to "
    "the input's, from position `first`; sines lead, as in fairseq",
    position_op()};
const core::Registered kRotaryEntry{
    ops(), "rotary",
    "turns pairs of features of each head by angles that grow with the position, base `base` (Su "
    "et al. 2021); pairs are half a head apart",
    OpSpec{.shape = rotary_shape, .flops = no_flops, .position = OpSpec::Position::numbered}};

}  // namespace
}  // namespace mosaic::spaces
