#include "mosaic/supernet/router.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <stdexcept>

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

at::Tensor pad_experts(const at::Tensor& mix, std::int64_t experts) {
  const std::int64_t missing = experts - mix.size(-1);
  return missing == 0 ? mix : at::constant_pad_nd(mix, {0, missing});
}

/// W = sum_i r_i E_i along axis 1, with the experts' gradient divided by sum_i r_i^2.
class Mixing : public torch::autograd::Function<Mixing> {
 public:
  /// experts [networks, m, ...], mix of as many axes.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& experts,
                            const at::Tensor& mix) {
    context->save_for_backward({experts, mix});
    return (experts * mix).sum(1);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &experts = saved[0], &mix = saved[1];
    const at::Tensor gradient = gradients[0].unsqueeze(1);
    const at::Tensor share = mix / mix.square().sum(1, true);
    return {gradient * share, (experts * gradient).sum_to_size(mix.sizes())};
  }
};

}  // namespace

Ancestry ArchRouter::ancestry(const ArchRouter&) const {
  throw std::logic_error("this router does not change while it is trained");
}

at::Tensor mixed_weight(const at::Tensor& experts, const at::Tensor& mix,
                        const spaces::WeightRef& ref) {
  return mixed_weights(experts.unsqueeze(0), {mix}, ref)[0];
}

at::Tensor mixed_weights(const at::Tensor& experts, const std::vector<at::Tensor>& mixes,
                         const spaces::WeightRef& ref) {
  const at::Tensor part = active_part(experts, 2, ref);
  if (experts.size(1) == 1 ||
      std::none_of(mixes.begin(), mixes.end(), [](const auto& mix) { return mix.defined(); }))
    return part.select(1, 0);
  std::vector<at::Tensor> full;
  for (const auto& mix : mixes)  // where some networks have fewer experts, the others are nobody's
    full.push_back(mix.defined() ? pad_experts(mix, experts.size(1))
                                 : at::constant_pad_nd(at::ones({1}, part.options()),
                                                       {0, experts.size(1) - 1}));
  at::Tensor mix = at::stack(full);  // [networks, m] or [networks, out, m]
  // A neuron keeps its coefficients when the slice shrinks.
  if (mix.dim() == 3) mix = mix.narrow(1, 0, part.size(2)).transpose(1, 2);
  while (mix.dim() < part.dim()) mix = mix.unsqueeze(-1);
  return Mixing::apply(part, mix);
}

}  // namespace mosaic::supernet
