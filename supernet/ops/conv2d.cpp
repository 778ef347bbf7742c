#include <torch/torch.h>

#include "mosaic/supernet/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor conv2d(const OpCall& call) {
  const std::int64_t kernel = call.node.attribute("kernel");
  const std::int64_t stride = call.node.attribute("stride");
  return at::conv2d(call.inputs[0], call.weight("weight"), call.weight("bias"), stride, kernel / 2);
}

const core::Registered kEntry{op_kernels(), "conv2d", "at::conv2d with padding kernel / 2",
                              OpKernel(conv2d)};

}  // namespace
}  // namespace mosaic::supernet
