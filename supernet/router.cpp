#include "mosaic/supernet/router.hpp"

#include <torch/torch.h>

namespace mosaic::supernet {

core::Registry<RouterFactory>& routers() {
  static core::Registry<RouterFactory> registry("router");
  return registry;
}

at::Tensor mixed_weight(const at::Tensor& experts, const at::Tensor& mix,
                        const spaces::WeightRef& ref) {
  at::Tensor part = experts;
  for (std::size_t axis = 0; axis < ref.full.size(); ++axis) {
    const std::int64_t gap = ref.full[axis] - ref.active[axis];
    if (gap == 0) continue;
    const std::int64_t begin = ref.crops[axis] == spaces::Crop::centred ? gap / 2 : 0;
    part = part.narrow(static_cast<std::int64_t>(axis) + 1, begin, ref.active[axis]);
  }
  if (!mix.defined() || experts.size(0) == 1) return part[0];
  if (mix.dim() == 1) return at::tensordot(mix, part, {0}, {0});
  // [out, m] -> [m, out, 1, ...]: a neuron keeps its coefficients when the slice shrinks.
  at::Tensor rows = mix.narrow(0, 0, part.size(1)).t();
  for (std::int64_t axis = 2; axis < part.dim(); ++axis) rows = rows.unsqueeze(-1);
  return (rows * part).sum(0);
}

}  // namespace mosaic::supernet
