#include "mosaic/spaces/transformer.hpp"

#include <stdexcept>

#include "mosaic/core/error.hpp"

namespace mosaic::spaces {
namespace {

Extent features(SpaceBuilder& b, Value x) { return b.shape(x).back(); }

Value projection(SpaceBuilder& b, const std::string& name, Value x, const Extent& out, bool bias,
                 const std::string& group) {
  return b.linear(name, x, {.out = out, .bias = bias, .init = Init::xavier, .group = group});
}

Value attention_on(SpaceBuilder& b, const Grid& grid, const std::vector<Value>& inputs,
                   const AttentionOptions& options) {
  if (inputs.size() != 3 || options.causal || options.kv_heads)
    throw std::logic_error(
        "attention with relative positions has no mask, is not causal, and has no groups of heads");
  std::vector<WeightUse> tables;
  const std::int64_t class_token = grid.class_token ? 1 : 0;
  for (const char* table : {"key_rows", "key_columns", "value_rows", "value_columns"})
    tables.push_back(b.weight(table, table,
                              {2 * grid.distance + 1 + class_token, options.head_size},
                              {Crop::leading, Crop::leading}, Init::small, ""));
  return b.node("heads", "relative_attention", inputs,
                {{"heads", options.heads},
                 {"rows", grid.rows},
                 {"columns", grid.columns},
                 {"class_token", class_token},
                 {"distance", grid.distance}},
                std::move(tables));
}

}  // namespace

std::vector<std::int64_t> depths_up_to_option(SpaceBuilder& b, std::vector<std::int64_t> depths) {
  const auto most = b.option("layers", depths.back(), depths.front(), depths.back());
  std::erase_if(depths, [&](std::int64_t depth) { return depth > most; });
  return depths;
}

std::int64_t longest_option(SpaceBuilder& b, const Port& tokens) {
  const auto longest = b.option("longest", tokens.longest > 0 ? tokens.longest : 512, 2, 65536);
  if (longest < tokens.longest)
    throw core::UsageError("option 'longest' is " + std::to_string(longest) +
                               ", and the task has sequences of up to " +
                               std::to_string(tokens.longest),
                           "raise it, or lower [task] longest");
  return longest;
}

Value embedding(SpaceBuilder& b, const std::string& name, Value tokens, const Extent& out,
                std::int64_t vocabulary, const std::string& group) {
  return b.node(name, "embedding", {tokens}, {{"out", out}},
                {b.weight("weight", name + ".weight", {vocabulary, out},
                          {Crop::leading, Crop::leading}, Init::embedding, group)});
}

Value tied_logits(SpaceBuilder& b, const std::string& name, Value x, const std::string& table,
                  std::int64_t vocabulary, const std::string& group) {
  return b.node(name, "linear", {x}, {{"out", vocabulary}},
                {b.weight("weight", table + ".weight", {vocabulary, features(b, x)},
                          {Crop::leading, Crop::leading}, Init::embedding, group),
                 b.weight("bias", name + ".bias", {vocabulary}, {Crop::leading}, Init::zeros, "")});
}

Value positions(SpaceBuilder& b, const std::string& name, Value x, std::int64_t longest) {
  return b.node(name, "positions", {x}, {},
                {b.weight("weight", name + ".weight", {longest, features(b, x)},
                          {Crop::leading, Crop::leading}, Init::embedding, "")});
}

Value class_token(SpaceBuilder& b, const std::string& name, Value x) {
  return b.node(
      name, "prepend_token", {x}, {},
      {b.weight("weight", name + ".weight", {features(b, x)}, {Crop::leading}, Init::small, "")});
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
  return b.scope(name, [&] {
    const Extent kv_heads = options.kv_heads.value_or(options.heads);
    const auto project = [&](const char* part, Value from, const Extent& heads) {
      return projection(b, part, from, heads * options.head_size, options.bias, options.group);
    };
    const auto turned = [&](const char* part, Value from, const Extent& heads) {
      return b.node(part, "rotary", {from}, {{"heads", heads}}, {}, {{"base", options.rotary}});
    };
    Value q = project("q", x, options.heads);
    Value k = project("k", memory, kv_heads);
    const Value v = project("v", memory, kv_heads);
    if (options.rotary > 0) {
      q = turned("q_turned", q, options.heads);
      k = turned("k_turned", k, kv_heads);
    }
    std::vector<Value> inputs{q, k, v};
    if (mask) inputs.push_back(*mask);
    const Value attended = options.grid ? attention_on(b, *options.grid, inputs, options)
                                        : b.node("heads", "attention", inputs,
                                                 {{"heads", options.heads},
                                                  {"kv_heads", kv_heads},
                                                  {"causal", options.causal ? 1 : 0}});
    return projection(b, "out", attended, options.out.value_or(features(b, x)), options.bias,
                      options.group);
  });
}

Value feed_forward(SpaceBuilder& b, const std::string& name, Value x,
                   const FeedForwardOptions& options) {
  return b.scope(name, [&] {
    const auto project = [&](const char* part, Value from, const Extent& out) {
      return projection(b, part, from, out, options.bias, options.group);
    };
    Value y = project("in", x, options.inner);
    if (options.activation == "swiglu")
      y = b.node("activation", "multiply",
                 {b.node("silu", "silu", {project("gate", x, options.inner)}), y});
    else
      y = b.node("activation", options.activation, {y});
    return project("out", y, features(b, x));
  });
}

}  // namespace mosaic::spaces
