#include <torch/torch.h>

#include "mosaic/supernet/executor.hpp"

namespace mosaic::supernet {
namespace {

/// Groups of few channels are slow on a GPU: how many networks to put into each.
std::int64_t networks_a_group(const at::Tensor& weight) {
  constexpr std::int64_t kNarrow = 16;
  if (!weight.is_cuda()) return 1;
  for (std::int64_t count = 1; count < weight.size(0); ++count)
    if (weight.size(0) % count == 0 && count * weight.size(2) >= kNarrow) return count;
  return weight.size(0);
}

/// [networks, out, in, k, k] as the blocks on the diagonal of [groups * count * out, count * in, k,
/// k].
at::Tensor in_blocks(const at::Tensor& weight, std::int64_t count) {
  if (count == 1) return weight.flatten(0, 1);
  return at::diag_embed(weight.unflatten(0, {-1, count}).movedim(1, -1), 0, 1, 3)
      .flatten(3, 4)
      .flatten(0, 2);
}

at::Tensor conv2d(const OpCall& call) {
  const std::int64_t kernel = call.node.attribute("kernel");
  const std::int64_t stride = call.node.attribute("stride");
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias = call.weight("bias");
  if (weight.dim() == 4) return at::conv2d(call.inputs[0], weight, bias, stride, kernel / 2);
  // [networks, out, in, k, k]: a group of channels each, or a block of one.
  const std::int64_t together = networks_a_group(weight);
  return at::conv2d(call.inputs[0],
                    in_blocks(weight, together).contiguous(call.inputs[0].suggest_memory_format()),
                    bias.defined() ? bias.flatten() : bias, stride, kernel / 2, 1,
                    weight.size(0) / together);
}

const core::Registered kEntry{op_kernels(), "conv2d",
                              "at::conv2d with padding kernel / 2; several networks as groups",
                              OpKernel(conv2d)};

}  // namespace
}  // namespace mosaic::supernet
