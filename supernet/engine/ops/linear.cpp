#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor linear(const OpCall& call) {
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias = call.weight("bias");
  const at::Tensor& x = call.inputs[0];
  if (call.networks == 1)
    return at::linear(x.squeeze(0), weight.squeeze(0), bias.defined() ? bias.squeeze(0) : bias)
        .unsqueeze(0);
  // [networks, out, in]: one product of matrices each, over all axes but the last.
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  at::Tensor y = at::bmm(x.flatten(1, -2), weight.transpose(1, 2));
  if (bias.defined()) y = y + bias.unsqueeze(1);
  return y.view(sizes);
}

const core::Registered kEntry{op_kernels(), "linear",
                              "at::linear; several networks as a batch of products", linear};

}  // namespace
}  // namespace mosaic::supernet
