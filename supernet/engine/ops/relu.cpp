#include <ATen/ATen.h>

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor relu(const OpCall& call) {
  const at::Tensor base = folded_base(call.inputs[0]);
  return base.defined() ? unfolded(at::relu(base), call.networks) : at::relu(call.inputs[0]);
}

const core::Registered kEntry{op_kernels(), "relu", "at::relu", relu};

}  // namespace
}  // namespace mosaic::supernet
