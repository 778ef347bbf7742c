#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

#ifdef MOSAIC_CUDA

bool is_matrix(const at::Tensor& x) {
  return x.is_cuda() && x.scalar_type() == at::kBFloat16 && x.dim() == 4 && x.size(1) % 8 == 0 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

/// Statistics of the batch, the affine map, the addition and the ReLU in our own kernels.
class FusedNorm : public torch::autograd::Function<FusedNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const std::optional<at::Tensor>& added, double epsilon, bool relu) {
    const at::Tensor residual = added.value_or(at::Tensor());
    const c10::cuda::CUDAGuard guard(x.device());
    const auto floats = x.options().dtype(at::kFloat).memory_format(std::nullopt);
    const cuda::Rows shape{x.numel() / x.size(1), x.size(1)};
    const at::Tensor statistics = at::empty({2, shape.channels}, floats);
    const at::Tensor scratch = at::empty({cuda::norm_scratch(shape)}, floats);
    const at::Tensor y = at::empty_like(x);
    auto* mean = statistics.data_ptr<float>();
    auto* inverse = mean + shape.channels;
    const auto stream = c10::cuda::getCurrentCUDAStream();
    cuda::norm_statistics(x.const_data_ptr(), shape, static_cast<float>(epsilon),
                          scratch.data_ptr<float>(), mean, inverse, stream);
    cuda::norm_forward(x.const_data_ptr(), residual.defined() ? residual.const_data_ptr() : nullptr,
                       weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), mean, inverse,
                       relu, y.mutable_data_ptr(), shape, stream);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    context->save_for_backward(
        {x, weight, bias, statistics, residual.defined() ? y : at::Tensor()});
    context->saved_data["relu"] = relu;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &y = saved[4];
    const c10::cuda::CUDAGuard guard(x.device());
    const at::Tensor gradient = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const cuda::Rows shape{x.numel() / x.size(1), x.size(1)};
    const at::Tensor scratch = at::empty({cuda::norm_scratch(shape)}, weight.options());
    const at::Tensor weight_gradient = at::empty_like(weight), bias_gradient = at::empty_like(bias);
    const at::Tensor x_gradient = at::empty_like(x);
    const at::Tensor residual_gradient = y.defined() ? at::empty_like(x) : at::Tensor();
    const auto* mean = saved[3].const_data_ptr<float>();
    cuda::norm_backward(
        gradient.const_data_ptr(), x.const_data_ptr(), y.defined() ? y.const_data_ptr() : nullptr,
        weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), mean, mean + shape.channels,
        context->saved_data["relu"].toBool(), scratch.data_ptr<float>(),
        weight_gradient.data_ptr<float>(), bias_gradient.data_ptr<float>(),
        x_gradient.mutable_data_ptr(), y.defined() ? residual_gradient.mutable_data_ptr() : nullptr,
        shape, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {x_gradient, weight_gradient, bias_gradient, residual_gradient, {}, {}};
  }
};

#endif

/// Normalised values alone.
at::Tensor normalised(const OpCall& call, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, double epsilon) {
  const bool cudnn = true;
  if (call.mode.norm == NormMode::stored) {
    const auto& stats = call.mode.stats->at(call.node.name);
    return at::batch_norm(x, weight, bias, stats.mean, stats.variance, false, 0.0, epsilon, cudnn);
  }
  if (call.mode.norm == NormMode::batch)
    return at::batch_norm(x, weight, bias, {}, {}, true, 0.0, epsilon, cudnn);
  // With momentum 1 the running statistics become those of this batch.
  const auto options = x.options().dtype(at::kFloat);
  at::Tensor mean = at::zeros({x.size(1)}, options);
  at::Tensor variance = at::ones({x.size(1)}, options);
  at::Tensor y = at::batch_norm(x, weight, bias, mean, variance, true, 1.0, epsilon, cudnn);
  call.mode.stats->add(call.node.name, mean, variance);
  return y;
}

/// What follows may be part of the node: see fusion.hpp.
at::Tensor batch_norm(const OpCall& call) {
  const at::Tensor weight = call.weight("weight").flatten();  // of one network or of several
  const at::Tensor bias = call.weight("bias").flatten();
  const double epsilon = call.node.reals.at("epsilon");
  const bool relu = call.node.attributes.contains("relu");
  const at::Tensor x = folded(call.inputs[0]);
  const at::Tensor residual = call.inputs.size() > 1 ? folded(call.inputs[1]) : at::Tensor();
#ifdef MOSAIC_CUDA
  if (call.mode.norm == NormMode::batch && is_matrix(x) && weight.scalar_type() == at::kFloat &&
      (!residual.defined() || is_matrix(residual)))
    return unfolded(
        FusedNorm::apply(x, weight.contiguous(), bias.contiguous(),
                         residual.defined() ? std::optional<at::Tensor>(residual) : std::nullopt,
                         epsilon, relu),
        call.networks);
#endif
  at::Tensor y = normalised(call, x, weight, bias, epsilon);
  if (residual.defined()) y = residual + y;
  return unfolded(relu ? at::relu(y) : y, call.networks);
}

const core::Registered kEntry{op_kernels(), "batch_norm", "at::batch_norm; statistics by NormMode",
                              batch_norm};

}  // namespace
}  // namespace mosaic::supernet
