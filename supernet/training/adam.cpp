#include "training/adam.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/adam.hpp"
#endif

namespace mosaic::supernet {
namespace {

#ifdef MOSAIC_CUDA

bool in_order(const std::vector<int>& networks) {
  for (std::size_t i = 1; i < networks.size(); ++i)
    if (networks[i] != networks[0] + static_cast<int>(i)) return false;
  return !networks.empty();
}

/// False where the kernel does not take them.
bool by_kernel(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
               const at::Tensor& factors) {
  const auto address = [](const at::Tensor& tensor) {
    return static_cast<float*>(tensor.data_ptr());
  };
  std::vector<cuda::AdamTensor> all;
  for (const auto& tensor : tensors) {
    cuda::AdamTensor own{.steps = address(tensor.steps),
                         .count = tensor.weight.numel(),
                         .network = tensor.networks.empty() ? 0 : tensor.networks[0],
                         .rate = static_cast<float>(tensor.rate),
                         .decay = static_cast<float>(tensor.decay),
                         .lines = true};
    for (const auto& part : {tensor.weight, tensor.gradient, tensor.first, tensor.second}) {
      if (!part.is_cuda() || part.scalar_type() != at::kFloat || !part.is_contiguous() ||
          part.sizes() != tensor.weight.sizes())
        return false;
      own.lines = own.lines && reinterpret_cast<std::uintptr_t>(address(part)) % 16 == 0;
    }
    if (factors.defined() && !in_order(tensor.networks)) return false;
    own.weight = address(tensor.weight);
    own.gradient = address(tensor.gradient);
    own.first = address(tensor.first);
    own.second = address(tensor.second);
    const auto rows = static_cast<std::int64_t>(std::max<std::size_t>(1, tensor.networks.size()));
    own.row = std::max<std::int64_t>(1, own.count / rows);
    all.push_back(own);
  }
  if (all.empty()) return true;
  const c10::cuda::CUDAGuard guard(tensors[0].weight.device());
  cuda::adam(all,
             {.beta1 = static_cast<float>(settings.beta1),
              .beta2 = static_cast<float>(settings.beta2),
              .epsilon = static_cast<float>(settings.epsilon),
              .less1 = static_cast<float>(1 - settings.beta1),
              .less2 = static_cast<float>(1 - settings.beta2),
              .log1 = static_cast<float>(std::log(settings.beta1)),
              .log2 = static_cast<float>(std::log(settings.beta2)),
              .coupled = settings.coupled,
              .factors = factors.defined() ? factors.const_data_ptr<float>() : nullptr},
             c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return true;
}

#endif

/// Multiplies the gradient of each network.
void scale(const AdamTensor& tensor, const at::Tensor& factors) {
  at::Tensor own = tensor.gradient;
  if (tensor.networks.size() == 1) {
    own.mul_(factors[tensor.networks[0]]);
    return;
  }
  for (std::size_t row = 0; row < tensor.networks.size(); ++row)
    own[static_cast<std::int64_t>(row)].mul_(factors[tensor.networks[row]]);
}

}  // namespace

void adam_step(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
               const at::Tensor& factors) {
  const at::NoGradGuard guard;
#ifdef MOSAIC_CUDA
  if (!tensors.empty() && tensors[0].weight.is_cuda()) {
    std::vector<at::Tensor> steps;
    for (const auto& tensor : tensors) steps.push_back(tensor.steps);
    at::_foreach_add_(steps, 1);
    if (by_kernel(tensors, settings, factors)) return;
    at::_foreach_sub_(steps, 1);
  }
#endif
  // The kernels take one weight decay and one rate for all tensors of a call.
  std::map<std::pair<double, double>, std::vector<const AdamTensor*>> by_call;
  for (const auto& tensor : tensors) {
    if (factors.defined()) scale(tensor, factors);
    by_call[{tensor.decay, tensor.rate}].push_back(&tensor);
  }
  for (const auto& [call, members] : by_call) {
    const auto [decay, rate] = call;
    std::vector<at::Tensor> weights, gradients, first, second, steps;
    for (const auto* tensor : members) {
      weights.push_back(tensor->weight);
      gradients.push_back(tensor->gradient);
      first.push_back(tensor->first);
      second.push_back(tensor->second);
      steps.push_back(tensor->steps);
    }
    at::_foreach_add_(steps, 1);
    constexpr bool kAmsgrad = false, kMaximize = false;
    if (settings.coupled)
      at::_fused_adam_(weights, gradients, first, second, {}, steps, rate, settings.beta1,
                       settings.beta2, decay, settings.epsilon, kAmsgrad, kMaximize);
    else
      at::_fused_adamw_(weights, gradients, first, second, {}, steps, rate, settings.beta1,
                        settings.beta2, decay, settings.epsilon, kAmsgrad, kMaximize);
  }
}

}  // namespace mosaic::supernet
