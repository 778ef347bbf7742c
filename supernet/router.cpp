#include "mosaic/supernet/router.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <stdexcept>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "cuda/kernels.hpp"
#endif

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

#ifdef MOSAIC_CUDA

/// The kernels of cuda/mix.cu on experts [networks, m, out, ...] and a mix of as many axes.
class MixKernels {
 public:
  static bool fit(const at::Tensor& experts, const at::Tensor& mix) {
    return experts.is_cuda() && experts.dim() > 2 && experts.is_contiguous() &&
           mix.is_contiguous() && experts.scalar_type() == at::kFloat &&
           mix.scalar_type() == at::kFloat && experts.size(0) <= 65'535;
  }
  MixKernels(const at::Tensor& experts, const at::Tensor& mix)
      : experts_(experts),
        mix_(mix),
        shape_{experts.size(0), experts.size(1), experts.size(2),
               experts.numel() / (experts.size(0) * experts.size(1) * experts.size(2))},
        by_row_(mix.numel() > experts.size(0) * experts.size(1)),
        guard_(experts.device()) {}

  at::Tensor forward() const {
    auto sizes = experts_.sizes().vec();
    sizes.erase(sizes.begin() + 1);
    const at::Tensor result = at::empty(sizes, experts_.options());
    cuda::mix_forward(experts_.const_data_ptr<float>(), mix_.const_data_ptr<float>(), by_row_,
                      result.mutable_data_ptr<float>(), shape_, stream_);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return result;
  }

  torch::autograd::variable_list backward(const at::Tensor& given) const {
    const at::Tensor gradient = given.contiguous();
    const at::Tensor expert_gradient = at::empty_like(experts_);
    at::Tensor mix_gradient =
        at::empty({shape_.networks, shape_.experts, shape_.rows}, experts_.options());
    cuda::mix_backward(gradient.const_data_ptr<float>(), experts_.const_data_ptr<float>(),
                       mix_.const_data_ptr<float>(), by_row_,
                       expert_gradient.mutable_data_ptr<float>(),
                       mix_gradient.mutable_data_ptr<float>(), shape_, stream_);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    if (!by_row_) mix_gradient = mix_gradient.sum(2);
    return {expert_gradient, mix_gradient.view(mix_.sizes())};
  }

 private:
  const at::Tensor &experts_, &mix_;
  cuda::Experts shape_;
  bool by_row_;
  c10::cuda::CUDAGuard guard_;
  cuda::Stream stream_ = c10::cuda::getCurrentCUDAStream();
};

#endif

/// W = sum_i r_i E_i along axis 1, with the experts' gradient divided by sum_i r_i^2.
class Mixing : public torch::autograd::Function<Mixing> {
 public:
  /// experts [networks, m, ...], mix of as many axes.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& experts,
                            const at::Tensor& mix) {
    context->save_for_backward({experts, mix});
#ifdef MOSAIC_CUDA
    if (MixKernels::fit(experts, mix)) return MixKernels(experts, mix).forward();
#endif
    return (experts * mix).sum(1);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &experts = saved[0], &mix = saved[1];
#ifdef MOSAIC_CUDA
    if (MixKernels::fit(experts, mix)) return MixKernels(experts, mix).backward(gradients[0]);
#endif
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
  return mixed_weights(experts.unsqueeze(0), mix.defined() ? mix.unsqueeze(0) : mix, ref)[0];
}

at::Tensor stacked_mixes(const std::vector<at::Tensor>& mixes, std::int64_t experts,
                         const at::TensorOptions& options) {
  if (experts == 1 ||
      std::none_of(mixes.begin(), mixes.end(), [](const auto& mix) { return mix.defined(); }))
    return {};
  std::vector<at::Tensor> full;
  for (const auto& mix : mixes)
    full.push_back(mix.defined() ? pad_experts(mix, experts)
                                 : at::constant_pad_nd(at::ones({1}, options), {0, experts - 1}));
  return at::stack(full);
}

at::Tensor mixed_weights(const at::Tensor& experts, const at::Tensor& mix,
                         const spaces::WeightRef& ref) {
  const at::Tensor part = active_part(experts, 2, ref);
  if (experts.size(1) == 1) return part.squeeze(1);  // unlike select, free in the backward pass
  if (!mix.defined()) return part.select(1, 0);
  at::Tensor shares = mix;
  // A neuron keeps its coefficients when the slice shrinks.
  if (mix.dim() == 3) shares = mix.narrow(1, 0, part.size(2)).transpose(1, 2);
  while (shares.dim() < part.dim()) shares = shares.unsqueeze(-1);
  return Mixing::apply(part, shares.contiguous());
}

}  // namespace mosaic::supernet
