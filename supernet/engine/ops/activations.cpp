#include <ATen/ATen.h>

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor hard_swish(const OpCall& call) {
  const at::Tensor base = folded_base(call.inputs[0]);
  return base.defined() ? unfolded(at::hardswish(base), call.networks)
                        : at::hardswish(call.inputs[0]);
}

const core::Registered kGeluEntry{op_kernels(), "gelu", "at::gelu, exact",
                                  [](const OpCall& call) { return at::gelu(call.inputs[0]); }};
const core::Registered kSiluEntry{op_kernels(), "silu", "at::silu",
                                  [](const OpCall& call) { return at::silu(call.inputs[0]); }};
const core::Registered kHardSwishEntry{op_kernels(), "hard_swish", "at::hardswish", hard_swish};
const core::Registered kHardSigmoidEntry{
    op_kernels(), "hard_sigmoid", "at::hardsigmoid",
    [](const OpCall& call) { return at::hardsigmoid(call.inputs[0]); }};
const core::Registered kTanhEntry{op_kernels(), "tanh", "at::tanh",
                                  [](const OpCall& call) { return at::tanh(call.inputs[0]); }};
const core::Registered kMultiplyEntry{
    op_kernels(), "multiply", "product, entry by entry",
    [](const OpCall& call) { return call.inputs[0] * call.inputs[1]; }};

}  // namespace
}  // namespace mosaic::supernet
