#include <torch/torch.h>

#include "mosaic/supernet/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor conv2d(const OpCall& call) {
  const std::int64_t kernel = call.node.attribute("kernel");
  const std::int64_t stride = call.node.attribute("stride");
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias = call.weight("bias");
  if (weight.dim() == 4) return at::conv2d(call.inputs[0], weight, bias, stride, kernel / 2);
  // [networks, out, in, k, k]: a group of channels each.
  return at::conv2d(call.inputs[0],
                    weight.flatten(0, 1).contiguous(call.inputs[0].suggest_memory_format()),
                    bias.defined() ? bias.flatten() : bias, stride, kernel / 2, 1, weight.size(0));
}

const core::Registered kEntry{op_kernels(), "conv2d",
                              "at::conv2d with padding kernel / 2; several networks as groups",
                              OpKernel(conv2d)};

}  // namespace
}  // namespace mosaic::supernet
