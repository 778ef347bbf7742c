#include "mosaic/supernet/router.hpp"

#include <torch/torch.h>

namespace mosaic::supernet {

core::Registry<RouterFactory>& routers() {
  static core::Registry<RouterFactory> registry("router");
  return registry;
}

namespace {

/// The active part of a slot, whose axes begin at `first`.
at::Tensor active_part(at::Tensor part, std::int64_t first, const spaces::WeightRef& ref) {
  for (std::size_t axis = 0; axis < ref.full.size(); ++axis) {
    const std::int64_t gap = ref.full[axis] - ref.active[axis];
    if (gap == 0) continue;
    const std::int64_t begin = ref.crops[axis] == spaces::Crop::centred ? gap / 2 : 0;
    part = part.narrow(static_cast<std::int64_t>(axis) + first, begin, ref.active[axis]);
  }
  return part;
}

at::Tensor with_trailing_ones(at::Tensor tensor, std::int64_t dims) {
  while (tensor.dim() < dims) tensor = tensor.unsqueeze(-1);
  return tensor;
}

}  // namespace

at::Tensor mixed_weight(const at::Tensor& experts, const at::Tensor& mix,
                        const spaces::WeightRef& ref) {
  const at::Tensor part = active_part(experts, 1, ref);
  if (!mix.defined() || experts.size(0) == 1) return part[0];
  if (mix.dim() == 1) return at::tensordot(mix, part, {0}, {0});
  // [out, m] -> [m, out, 1, ...]: a neuron keeps its coefficients when the slice shrinks.
  return (with_trailing_ones(mix.narrow(0, 0, part.size(1)).t(), part.dim()) * part).sum(0);
}

at::Tensor mixed_weights(const at::Tensor& experts, const std::vector<at::Tensor>& mixes,
                         const spaces::WeightRef& ref) {
  const at::Tensor part = active_part(experts, 2, ref);
  if (mixes.empty() || !mixes[0].defined() || experts.size(1) == 1) return part.select(1, 0);
  at::Tensor mix = at::stack(mixes);  // [networks, m] or [networks, out, m]
  if (mix.dim() == 3) mix = mix.narrow(1, 0, part.size(2)).transpose(1, 2);
  return (with_trailing_ones(mix, part.dim()) * part).sum(1);
}

}  // namespace mosaic::supernet
