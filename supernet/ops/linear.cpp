#include <torch/torch.h>

#include "mosaic/supernet/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor linear(const OpCall& call) {
  return at::linear(call.inputs[0], call.weight("weight"), call.weight("bias"));
}

const core::Registered kEntry{op_kernels(), "linear", "at::linear", OpKernel(linear)};

}  // namespace
}  // namespace mosaic::supernet
