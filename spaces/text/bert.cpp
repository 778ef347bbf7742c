// Encoders of text in which depth, hidden size, heads and inner widths of each layer are elastic
// (Devlin et al. 2019; as in AutoDistil, Xu et al. 2022, leading heads of a fixed size are kept),
// and with `bottleneck` SuperShaper's space (Ganesan et al. 2021), where each layer has a hidden
// size of its own.
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"

namespace mosaic::spaces {
namespace {

struct Size {
  std::vector<std::int64_t> depth, hidden, heads, inner;
  std::int64_t head_size;
  std::vector<std::int64_t> bottleneck;  ///< hidden sizes of a layer
};

Size size_of(const std::string& name) {
  if (name == "base")
    return {{6, 8, 10, 12},
            {384, 512, 640, 768},
            {6, 8, 10, 12},
            {1024, 2048, 3072},
            64,
            {120, 240, 360, 480, 540, 600, 768}};
  return {{2, 3, 4, 5, 6},
          {128, 192, 256},
          {2, 3, 4},
          {256, 512, 768, 1024},
          64,
          {64, 96, 128, 160, 192, 224, 256}};
}

struct Layer {
  Extent heads, head_size, inner;
  bool pre_norm;
  double drop;
};

Value encoder_layer(SpaceBuilder& b, Value x, Value mask, const Layer& layer) {
  const auto residual = [&](const std::string& part, Value from,
                            const std::function<Value(Value)>& body) {
    const std::string norm = part + "_norm";
    const Value in = layer.pre_norm ? layer_norm(b, norm, from) : from;
    const Value y = dropout(b, part + "_dropout", body(in), layer.drop);
    const Value sum = b.add(part + "_add", {from, y});
    return layer.pre_norm ? sum : layer_norm(b, norm, sum);
  };
  x = residual("attention", x, [&](Value in) {
    return attention(b, "attention", in, in, {.heads = layer.heads, .head_size = layer.head_size},
                     mask);
  });
  return residual("ffn", x,
                  [&](Value in) { return feed_forward(b, "ffn", in, {.inner = layer.inner}); });
}

void build(SpaceBuilder& b) {
  Size size = size_of(b.option("size", {"mini", "base"}));
  size.depth = depths_up_to_option(b, size.depth);
  const bool bottleneck = b.option("bottleneck", 0, 0, 1) == 1;
  const bool pre_norm = b.option("norm", {"pre", "post"}) == "pre";
  const bool mean = b.option("pool", {"mean", "first"}) == "mean";
  const double drop = static_cast<double>(b.option("dropout_percent", 10, 0, 90)) / 100;
  const TokenShape task = token_shape(b.task());
  if (b.task().causal)
    throw UnfitTask("its positions see those after them, and the task has " + to_string(b.task()));
  const std::int64_t longest = longest_option(b, task.tokens);

  const Value tokens = b.input(task.tokens);
  const Value mask = b.node("mask", "token_mask", {tokens});
  const std::int64_t most = size.depth.back();
  const Extent hidden = bottleneck ? Extent(size.hidden.back()) : b.choice("hidden", size.hidden);
  const Extent depth = bottleneck ? Extent(most) : b.choice("depth", size.depth);

  Value x = embedding(b, "embedding", tokens, hidden, task.tokens.range, "embedding");
  x = positions(b, "positions", x, longest);
  if (!pre_norm) x = layer_norm(b, "embedding_norm", x);
  x = dropout(b, "embedding_dropout", x, drop);
  for (std::int64_t i = 0; i < most; ++i) {
    const auto body = [&] {
      return b.scope("layer" + std::to_string(i), [&] {
        if (!bottleneck)
          return encoder_layer(b, x, mask,
                               {b.choice("heads", size.heads), size.head_size,
                                b.choice("inner", size.inner), pre_norm, drop});
        // Heads and inner width stay; a head is as large as the layer's hidden size allows.
        const Extent own = b.choice("hidden", size.bottleneck);
        const std::int64_t heads = size.heads.back();
        Value y = b.linear("enter", x, {.out = own, .init = Init::xavier});
        y = encoder_layer(b, y, mask, {heads, own / heads, size.inner.back(), pre_norm, drop});
        return b.linear("leave", y, {.out = hidden, .init = Init::xavier});
      });
    };
    x = bottleneck || i < size.depth.front() ? body() : b.when(depth > Extent(i), x, body);
  }
  if (pre_norm) x = layer_norm(b, "norm", x);
  if (task.every_position) {
    b.entry("forward", {tokens},
            {tied_logits(b, "logits", x, "embedding", task.classes, "embedding")});
    return;
  }
  x = mean ? b.node("pool", "mean_tokens", {x, mask}) : b.node("pool", "first_token", {x});
  x = b.node("pooler_tanh", "tanh", {b.linear("pooler", x, {.out = hidden, .init = Init::xavier})});
  x = dropout(b, "pool_dropout", x, drop);
  b.entry("forward", {tokens},
          {b.linear("classifier", x, {.out = task.classes, .init = Init::xavier})});
}

const core::Registered kEntry{space_types(), "bert",
                              "encoder of text with elastic depth, hidden size, heads and inner "
                              "widths; with bottleneck = 1 a "
                              "hidden size a layer",
                              SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
