// Cross-entropies on a GPU: builds with CUDA alone have this file.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>

#include "cross_entropy.hpp"
#include "cuda/cross_entropy.hpp"
#include "soft_losses.hpp"

namespace mosaic::tasks {
namespace {

class CrossEntropy : public torch::autograd::Function<CrossEntropy> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& logits,
                            const at::Tensor& targets, double label_smoothing) {
    const c10::cuda::CUDAGuard guard(logits.device());
    const auto floats = logits.options().dtype(at::kFloat);
    const at::Tensor losses = at::empty({logits.size(0)}, floats), z = at::empty_like(losses);
    cuda::cross_entropy(described(logits, targets, label_smoothing), losses.data_ptr<float>(),
                        z.data_ptr<float>(), c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    context->save_for_backward({logits, targets, z});
    context->saved_data["label_smoothing"] = label_smoothing;
    return losses;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &logits = saved[0], &targets = saved[1], &z = saved[2];
    const c10::cuda::CUDAGuard guard(logits.device());
    const at::Tensor gradient = gradients[0].contiguous();
    const at::Tensor result = at::empty(logits.sizes(), logits.options());
    cuda::cross_entropy_gradient(
        described(logits, targets, context->saved_data["label_smoothing"].toDouble()),
        z.const_data_ptr<float>(), gradient.const_data_ptr<float>(), result.mutable_data_ptr(),
        c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {result, {}, {}};
  }

 private:
  static cuda::Logits described(const at::Tensor& logits, const at::Tensor& targets,
                                double label_smoothing) {
    return {.values = logits.const_data_ptr(),
            .targets = targets.const_data_ptr<std::int64_t>(),
            .rows = logits.size(0),
            .classes = logits.size(1),
            .ignored = kNotAsked,
            .smoothing = static_cast<float>(label_smoothing),
            .bfloat16 = logits.scalar_type() == at::kBFloat16};
  }
};

at::Tensor on_gpu(const at::Tensor& logits, const at::Tensor& targets, double label_smoothing) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  const auto type = logits.scalar_type();
  if (!logits.is_cuda() || !targets.is_cuda() || (type != at::kFloat && type != at::kBFloat16) ||
      targets.scalar_type() != at::kLong || logits.dim() != 2 || targets.dim() != 1 ||
      logits.size(0) > kMost || logits.size(1) > kMost / 2 || logits.size(1) == 0)
    return {};
  at::Tensor own = logits.contiguous();
  if (reinterpret_cast<std::uintptr_t>(own.const_data_ptr()) % 16 != 0) own = own.clone();
  return CrossEntropy::apply(own, targets.contiguous(), label_smoothing);
}

const bool kThere = [] {
  cross_entropy_kernel = on_gpu;
  return true;
}();

}  // namespace
}  // namespace mosaic::tasks
