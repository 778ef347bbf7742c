#include "mosaic/spaces/transformer.hpp"

#include <stdexcept>

namespace mosaic::spaces {
namespace {

Extent features(SpaceBuilder& b, Value x) { return b.shape(x).back(); }

Value projection(SpaceBuilder& b, const std::string& name, Value x, const Extent& out, bool bias,
                 const std::string& group) {
  return b.linear(name, x, {.out = out, .bias = bias, .init = Init::xavier, .group = group});
}

}  // namespace

Value embedding(SpaceBuilder& b, const std::string& name, Value tokens, const Extent& out,
                std::int64_t vocabulary, const std::string& group) {
  return b.node(name, "embedding", {tokens}, {{"out", out}},
                {b.weight("weight", name + ".weight", {vocabulary, out},
                          {Crop::leading, Crop::leading}, Init::embedding, group)});
}

Value positions(SpaceBuilder& b, const std::string& name, Value x, std::int64_t longest) {
  return b.node(name, "positions", {x}, {},
                {b.weight("weight", name + ".weight", {longest, features(b, x)},
                          {Crop::leading, Crop::leading}, Init::embedding, "")});
}

Value layer_norm(SpaceBuilder& b, const std::string& name, Value x, double epsilon) {
  return b.node(
      name, "layer_norm", {x}, {},
      {b.weight("weight", name + ".weight", {features(b, x)}, {Crop::leading}, Init::ones, ""),
       b.weight("bias", name + ".bias", {features(b, x)}, {Crop::leading}, Init::zeros, "")},
      {{"epsilon", epsilon}});
}

Value rms_norm(SpaceBuilder& b, const std::string& name, Value x, double epsilon) {
  return b.node(
      name, "rms_norm", {x}, {},
      {b.weight("weight", name + ".weight", {features(b, x)}, {Crop::leading}, Init::ones, "")},
      {{"epsilon", epsilon}});
}

Value dropout(SpaceBuilder& b, const std::string& name, Value x, double p) {
  return p > 0 ? b.node(name, "dropout", {x}, {}, {}, {{"p", p}}) : x;
}

Value attention(SpaceBuilder& b, const std::string& name, Value x, Value memory,
                const AttentionOptions& options, std::optional<Value> mask) {
  const Extent kv_heads = options.kv_heads.value_or(options.heads);
  const Extent out = options.out.value_or(features(b, x));
  const auto project = [&](const char* part, Value from, const Extent& heads) {
    return projection(b, name + part, from, heads * options.head_size, options.bias, options.group);
  };
  Value q = project(".q", x, options.heads);
  Value k = project(".k", memory, kv_heads);
  const Value v = project(".v", memory, kv_heads);
  if (options.rotary > 0) {
    q = b.node(name + ".q_turned", "rotary", {q}, {{"heads", options.heads}}, {},
               {{"base", options.rotary}});
    k = b.node(name + ".k_turned", "rotary", {k}, {{"heads", kv_heads}}, {},
               {{"base", options.rotary}});
  }
  std::vector<Value> inputs{q, k, v};
  if (mask) inputs.push_back(*mask);
  const Value attended = b.node(
      name + ".heads", "attention", inputs,
      {{"heads", options.heads}, {"kv_heads", kv_heads}, {"causal", options.causal ? 1 : 0}});
  return projection(b, name + ".out", attended, out, options.bias, options.group);
}

Value feed_forward(SpaceBuilder& b, const std::string& name, Value x,
                   const FeedForwardOptions& options) {
  const Extent out = features(b, x);
  Value y = projection(b, name + ".in", x, options.inner, options.bias, options.group);
  if (options.activation == "swiglu") {
    const Value gate = projection(b, name + ".gate", x, options.inner, options.bias, options.group);
    y = b.node(name + ".activation", "multiply", {b.node(name + ".silu", "silu", {gate}), y});
  } else {
    y = b.node(name + ".activation", options.activation, {y});
  }
  return projection(b, name + ".out", y, out, options.bias, options.group);
}

}  // namespace mosaic::spaces
