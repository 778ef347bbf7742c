#include <ATen/ATen.h>

#include <cmath>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor embedding(const OpCall& call) {
  // [networks, tokens, out]; or what the engine has looked up: as the input, with a last axis more
  const at::Tensor table = call.weight("weight");
  at::Tensor tokens = call.inputs[0];
  const bool looked_up = table.dim() > 3;
  if (call.networks > 1 && !looked_up) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(tokens.dim()), 1);
    shape[0] = call.networks;
    tokens = tokens + at::arange(call.networks, tokens.options()).mul_(table.size(1)).view(shape);
  }
  const at::Tensor rows = looked_up ? table : at::embedding(table.flatten(0, 1), tokens);
  if (call.node.attribute("scaled", 0) == 0) return rows;
  return rows * std::sqrt(static_cast<double>(rows.size(-1)));
}

/// Numbers of the positions of the first input: int64 [networks, batch, length], or [length] where
/// they are the same everywhere.
at::Tensor numbers_of(const OpCall& call) {
  if (call.inputs.size() > 1) return call.inputs[1];
  return at::arange(call.inputs[0].size(2), call.inputs[0].options().dtype(at::kLong));
}

/// Input [networks, batch, length, features] plus a learned table [networks, longest, features].
at::Tensor positions(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor table = call.weight("weight");
  if (call.inputs.size() > 1) {
    const at::Tensor which = call.inputs[1].flatten(1).unsqueeze(-1);
    return x + table.gather(1, which.expand({-1, -1, table.size(2)})).view(x.sizes());
  }
  if (x.size(2) > table.size(1))
    throw core::Error("'" + call.node.name + "' knows " + std::to_string(table.size(1)) +
                          " positions, and a sequence has " + std::to_string(x.size(2)),
                      "cut it, or train a network for longer ones");
  return x + table.narrow(1, 0, x.size(2)).unsqueeze(1);
}

at::Tensor sinusoid(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const std::int64_t width = call.node.attribute("width"), half = width / 2;
  const auto options = x.options().dtype(at::kFloat);
  const at::Tensor rate =
      at::arange(half, options)
          .mul_(-std::log(1e4) / static_cast<double>(std::max<std::int64_t>(1, half - 1)))
          .exp_();
  const at::Tensor angle =
      (numbers_of(call) + call.node.attribute("first")).to(at::kFloat).unsqueeze(-1) * rate;
  at::Tensor table = at::cat({angle.sin(), angle.cos()}, -1);
  if (table.size(-1) < x.size(3))
    table = at::constant_pad_nd(table, {0, x.size(3) - table.size(-1)});
  return x + table.narrow(-1, 0, x.size(3)).to(x.scalar_type());
}

at::Tensor rotary(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const std::int64_t heads = call.node.attribute("heads"), size = x.size(3) / heads;
  const auto options = x.options().dtype(at::kFloat);
  const at::Tensor rate =
      at::arange(size / 2, options)
          .mul_(-2 * std::log(call.node.reals.at("base")) / static_cast<double>(size))
          .exp_();
  // [..., length, 1, size / 2], for all heads
  const at::Tensor angle = (numbers_of(call).to(at::kFloat).unsqueeze(-1) * rate).unsqueeze(-2);
  const at::Tensor cosine = angle.cos().to(x.scalar_type()), sine = angle.sin().to(x.scalar_type());
  const auto halves = x.unflatten(3, {heads, size}).chunk(2, -1);
  return at::cat({halves[0] * cosine - halves[1] * sine, halves[1] * cosine + halves[0] * sine}, -1)
      .flatten(3);
}

const core::Registered kEmbeddingEntry{op_kernels(), "embedding",
                                       "at::embedding; several networks' tables as one", embedding};
const core::Registered kPositionsEntry{op_kernels(), "positions", "sum with a learned table",
                                       positions};
const core::Registered kSinusoidEntry{op_kernels(), "sinusoid", "sum with sines and cosines",
                                      sinusoid};
const core::Registered kRotaryEntry{op_kernels(), "rotary", "pairs of features turned", rotary};

}  // namespace
}  // namespace mosaic::supernet
