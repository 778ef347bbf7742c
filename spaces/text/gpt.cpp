// Decoder-only language models (Radford et al. 2019) in which depth, width, heads, groups of
// queries and inner widths are elastic; with rms, rotary and swiglu as in Llama (Touvron et al.
// 2023).
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"

namespace mosaic::spaces {
namespace {

struct Size {
  std::vector<std::int64_t> depth, width, heads, kv_heads, inner_percent;
  std::int64_t head_size;
};

Size size_of(const std::string& name) {
  if (name == "small")  // about HW-GPT-Bench's S
    return {{10, 11, 12}, {384, 576, 768}, {4, 8, 12}, {1, 2, 4}, {200, 300, 400}, 64};
  return {{2, 3, 4, 5, 6}, {128, 192, 256}, {2, 4}, {1, 2}, {100, 200, 300, 400}, 64};
}

void build(SpaceBuilder& b) {
  Size size = size_of(b.option("size", {"mini", "small"}));
  size.depth = depths_up_to_option(b, size.depth);
  const bool rms = b.option("norm", {"layer", "rms"}) == "rms";
  const bool rotary = b.option("positions", {"learned", "rotary"}) == "rotary";
  const auto activation = b.option("activation", {"gelu", "relu", "swiglu"});
  const double drop = static_cast<double>(b.option("dropout_percent", 10, 0, 90)) / 100;
  const TaskShape shape = b.task().inputs.empty() ? language_task() : b.task();
  const TokenShape task = token_shape(shape);
  if (!task.every_position || !shape.causal)
    throw UnfitTask("it gives logits of the next token at each position, and the task has " +
                    to_string(shape));
  const std::int64_t longest = longest_option(b, task.tokens);

  const Value tokens = b.input(task.tokens);
  const Extent width = b.choice("width", size.width);
  const Extent depth = b.choice("depth", size.depth);
  const auto norm = [&](const std::string& name, Value x) {
    return rms ? rms_norm(b, name, x) : layer_norm(b, name, x);
  };
  Value x = embedding(b, "embedding", tokens, width, task.tokens.range, "embedding");
  if (!rotary) x = positions(b, "positions", x, longest);
  x = dropout(b, "embedding_dropout", x, drop);
  for (std::int64_t i = 0; i < size.depth.back(); ++i) {
    const auto body = [&] {
      return b.scope("layer" + std::to_string(i), [&] {
        const Extent heads = b.choice("heads", size.heads);
        const Extent kv_heads = b.choice("kv_heads", size.kv_heads);
        const Extent inner = width * b.choice("inner_percent", size.inner_percent) / 100;
        Value y = norm("attention_norm", x);
        y = attention(b, "attention", y, y,
                      {.heads = heads,
                       .head_size = size.head_size,
                       .kv_heads = kv_heads,
                       .causal = true,
                       .rotary = rotary ? 10000.0 : 0.0});
        const Value attended =
            b.add("attention_add", {x, dropout(b, "attention_dropout", y, drop)});
        y = feed_forward(b, "ffn", norm("ffn_norm", attended),
                         {.inner = inner, .activation = activation});
        return b.add("ffn_add", {attended, dropout(b, "ffn_dropout", y, drop)});
      });
    };
    x = i < size.depth.front() ? body() : b.when(depth > Extent(i), x, body);
  }
  x = norm("norm", x);
  b.entry("forward", {tokens},
          {tied_logits(b, "logits", x, "embedding", task.classes, "embedding")});
}

const core::Registered kEntry{
    space_types(), "gpt",
    "decoder-only language model with elastic depth, width, heads, groups of queries and inner "
    "widths",
    SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
