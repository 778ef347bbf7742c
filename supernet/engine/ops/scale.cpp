#include <ATen/ATen.h>

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor scale(const OpCall& call) {
  // [networks, batch, channels] as [batch, networks * channels, 1, 1].
  const at::Tensor factors = call.inputs[1].transpose(0, 1).flatten(1).unsqueeze(-1).unsqueeze(-1);
  return unfolded(folded(call.inputs[0]) * factors, call.networks);
}

const core::Registered kEntry{op_kernels(), "scale", "product with a factor for each channel",
                              scale};

}  // namespace
}  // namespace mosaic::supernet
