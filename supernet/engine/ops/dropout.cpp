#include <ATen/ATen.h>

#include <stdexcept>
#include <tuple>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor dropout(const OpCall& call) {
  const double p = call.node.reals.at("p");
  const at::Tensor& x = call.inputs[0];
  if (!call.mode.training || p <= 0) return x;
  if (call.mode.random == nullptr)
    throw std::logic_error("dropout '" + call.node.name + "' needs a random stream");
  if (x.is_cuda()) return std::get<0>(at::_fused_dropout(x, 1 - p, *call.mode.random));
  return x * at::empty_like(x).bernoulli_(1 - p, *call.mode.random).div_(1 - p);
}

const core::Registered kEntry{op_kernels(), "dropout", "at::bernoulli_ from the pass's stream",
                              dropout};

}  // namespace
}  // namespace mosaic::supernet
