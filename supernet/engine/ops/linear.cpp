#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor linear(const OpCall& call) {
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias = call.weight("bias");
  if (weight.dim() == 2) return at::linear(call.inputs[0], weight, bias);
  // [networks, out, in]: one product of matrices each.
  const at::Tensor inputs =
      call.inputs[0].unflatten(1, {weight.size(0), weight.size(2)}).transpose(0, 1);
  at::Tensor outputs = at::bmm(inputs, weight.transpose(1, 2));
  if (bias.defined()) outputs = outputs + bias.unsqueeze(1);
  return outputs.transpose(0, 1).flatten(1);
}

const core::Registered kEntry{op_kernels(), "linear",
                              "at::linear; several networks as a batch of products",
                              OpKernel(linear)};

}  // namespace
}  // namespace mosaic::supernet
