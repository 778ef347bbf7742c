#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

#ifdef MOSAIC_CUDA

bool is_type(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
}

bool aligned(const at::Tensor& x) {
  return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

cuda::Entries entries(const at::Tensor& x) {
  if (!x.defined()) return {};
  return {x.data_ptr(), x.scalar_type() == at::kBFloat16};
}

/// The sum and its norm by the kernels of cuda/row_norm.cu.
class RowNorm : public torch::autograd::Function<RowNorm> {
 public:
  /// Values [networks, ..., features]; weight and bias [networks, features].
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& added, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, double epsilon,
                            at::ScalarType type) {
    const at::Tensor residual = added.value_or(at::Tensor());
    const at::Tensor shift = bias.value_or(at::Tensor());
    const c10::cuda::CUDAGuard guard(x.device());
    const auto norm = shape_of(x, weight, shift, epsilon);
    const at::Tensor y = at::empty(x.sizes(), x.options().dtype(type));
    const at::Tensor statistics = at::empty({2, norm.networks, norm.rows}, weight.options());
    auto* mean = statistics.data_ptr<float>();
    cuda::row_norm_forward(norm, entries(x), entries(residual), entries(y), mean,
                           mean + norm.networks * norm.rows, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    context->save_for_backward({x, residual, weight, shift, statistics});
    context->saved_data["epsilon"] = epsilon;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &residual = saved[1], &weight = saved[2], &bias = saved[3];
    const c10::cuda::CUDAGuard guard(x.device());
    at::Tensor gradient = gradients[0].contiguous();
    if (!aligned(gradient)) gradient = gradient.clone();
    const auto norm = shape_of(x, weight, bias, context->saved_data["epsilon"].toDouble());
    const at::Tensor scratch = at::empty({cuda::row_norm_scratch(norm)}, weight.options());
    const at::Tensor x_gradient = at::empty(x.sizes(), x.options());
    const bool alike = residual.defined() && residual.scalar_type() == x.scalar_type();
    at::Tensor residual_gradient;
    if (residual.defined() && !alike)
      residual_gradient = at::empty(residual.sizes(), residual.options());
    const at::Tensor weight_gradient = at::empty(weight.sizes(), weight.options());
    const at::Tensor bias_gradient =
        bias.defined() ? at::empty(bias.sizes(), bias.options()) : at::Tensor();
    const auto* mean = saved[4].const_data_ptr<float>();
    cuda::row_norm_backward(norm, entries(gradient), entries(x), entries(residual), mean,
                            mean + norm.networks * norm.rows, entries(x_gradient),
                            entries(residual_gradient), scratch.data_ptr<float>(),
                            weight_gradient.data_ptr<float>(),
                            bias.defined() ? bias_gradient.data_ptr<float>() : nullptr,
                            c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {x_gradient, alike ? x_gradient : residual_gradient, weight_gradient, bias_gradient, {},
            {}};
  }

 private:
  static cuda::RowNorm shape_of(const at::Tensor& x, const at::Tensor& weight,
                                const at::Tensor& bias, double epsilon) {
    return {.networks = x.size(0),
            .rows = x.numel() / (x.size(0) * x.size(-1)),
            .features = x.size(-1),
            .epsilon = static_cast<float>(epsilon),
            .centred = bias.defined(),
            .weight = weight.const_data_ptr<float>(),
            .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  }
};

/// By the kernels; undefined for what they do not take.
at::Tensor by_kernels(const OpCall& call, const at::Tensor& weight, const at::Tensor& bias,
                      double epsilon) {
  std::vector<at::Tensor> inputs;
  for (const auto& input : call.inputs) {
    if (!input.is_cuda() || !is_type(input) || input.numel() == 0) return {};
    inputs.push_back(input.contiguous());
    if (!aligned(inputs.back())) return {};
  }
  for (const auto& own : {weight, bias})
    if (own.defined() && (own.scalar_type() != at::kFloat || !own.is_contiguous() || !aligned(own)))
      return {};
  const std::int64_t features = inputs[0].size(-1);
  if (features % 8 != 0 || features > cuda::row_norm_most_features() ||
      inputs[0].size(0) > 65'535 || inputs[0].dim() < 2 ||
      (inputs.size() > 1 && inputs[0].sizes() != inputs[1].sizes()))
    return {};
  const auto given = [](const at::Tensor& tensor) {
    return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
  };
  return RowNorm::apply(inputs[0], given(inputs.size() > 1 ? inputs[1] : at::Tensor()), weight,
                        given(bias), epsilon, call.mode.bfloat16 ? at::kBFloat16 : at::kFloat);
}

#endif

/// [networks, features] beside a value [networks, ..., features].
at::Tensor beside(const at::Tensor& weight, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape.front() = weight.size(0);
  shape.back() = weight.size(1);
  return weight.view(shape);
}

/// What is normed, in the weights' precision. The addition before it may be part of the node: see
/// fusion.hpp.
at::Tensor sum_of(const OpCall& call, const at::Tensor& weight) {
  const at::Tensor first = call.inputs[0].to(weight.scalar_type());
  return call.inputs.size() > 1 ? first + call.inputs[1] : first;
}

at::Tensor layer_norm(const OpCall& call) {
  const at::Tensor weight = call.weight("weight"), bias = call.weight("bias");
  const double epsilon = call.node.reals.at("epsilon");
#ifdef MOSAIC_CUDA
  if (at::Tensor y = by_kernels(call, weight, bias, epsilon); y.defined()) return y;
#endif
  const at::Tensor x = sum_of(call, weight);
  if (call.networks == 1)
    return at::layer_norm(x, {x.size(-1)}, weight.squeeze(0), bias.squeeze(0), epsilon);
  return at::layer_norm(x, {x.size(-1)}, {}, {}, epsilon) * beside(weight, x) + beside(bias, x);
}

at::Tensor rms_norm(const OpCall& call) {
  const at::Tensor weight = call.weight("weight");
  const double epsilon = call.node.reals.at("epsilon");
#ifdef MOSAIC_CUDA
  if (at::Tensor y = by_kernels(call, weight, {}, epsilon); y.defined()) return y;
#endif
  const at::Tensor x = sum_of(call, weight);
  if (call.networks == 1) return at::rms_norm(x, {x.size(-1)}, weight.squeeze(0), epsilon);
  return at::rms_norm(x, {x.size(-1)}, {}, epsilon) * beside(weight, x);
}

const core::Registered kLayerEntry{
    op_kernels(), "layer_norm", "at::layer_norm; several networks scaled afterwards", layer_norm};
const core::Registered kRmsEntry{op_kernels(), "rms_norm",
                                 "at::rms_norm; several networks scaled afterwards", rms_norm};

}  // namespace
}  // namespace mosaic::supernet
