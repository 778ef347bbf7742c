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

using cuda::Activation;

/// f(x W^T + b) in bfloat16: bias and ReLU by the product's own kernel; on the way back f' and the
/// gradient of the bias in one pass (cuda/activation.cu).
class Linear : public torch::autograd::Function<Linear> {
 public:
  /// [rows, in], [out, in] and [out], or each of several networks, which lead.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& given,
                            const at::Tensor& weight, const std::optional<at::Tensor>& added,
                            Activation activation) {
    const at::Tensor x = given.to(at::kBFloat16);
    const at::Tensor bias = added ? added->to(at::kBFloat16) : at::Tensor();
    const at::Tensor transposed = weight.transpose(-1, -2);
    at::Tensor y;
    bool done = activation != Activation::relu;
    if (!bias.defined()) {
      y = at::matmul(x, transposed);
    } else if (x.dim() > 2) {
      y = at::baddbmm(bias.unsqueeze(1), x, transposed);
    } else if (activation == Activation::relu) {
      y = at::_addmm_activation(bias, x, transposed);
      done = true;
    } else {
      y = at::addmm(bias, x, transposed);
    }
    if (!done) y.relu_();
    const at::Tensor z = activation == Activation::gelu ? y : at::Tensor();
    if (z.defined()) y = at::gelu(z);
    const bool bias_in_bfloat16 = added && added->scalar_type() == at::kBFloat16;
    context->save_for_backward({x, weight, activation == Activation::relu ? y : z});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    context->saved_data["bias"] = std::int64_t{added.has_value()} + bias_in_bfloat16;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &known = saved[2];
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    const std::int64_t bias = context->saved_data["bias"].toInt();  // 1: float32, 2: bfloat16
    at::Tensor gradient = gradients[0].contiguous(), of_bias;
    if (reinterpret_cast<std::uintptr_t>(gradient.const_data_ptr()) % 16 != 0)
      gradient = gradient.clone();
    if (bias > 0 || activation != Activation::none) {
      const c10::cuda::CUDAGuard guard(x.device());
      const std::int64_t networks = x.dim() > 2 ? x.size(0) : 1, out = weight.size(-2);
      const cuda::Rows shape{gradient.numel() / (networks * out), out};
      const at::Tensor result =
          activation == Activation::none ? gradient : at::empty(gradient.sizes(), x.options());
      at::Tensor scratch;
      if (bias > 0) {
        const auto floats = x.options().dtype(at::kFloat);
        scratch = at::empty({cuda::activation_scratch(shape, networks)}, floats);
        auto sizes = weight.sizes().vec();
        sizes.pop_back();
        of_bias = at::empty(sizes, bias == 2 ? x.options() : floats);
      }
      cuda::activation_backward(
          activation, gradient.const_data_ptr(), known.defined() ? known.const_data_ptr() : nullptr,
          result.data_ptr(), shape, networks, bias > 0 ? scratch.data_ptr<float>() : nullptr,
          bias > 0 ? cuda::Entries{of_bias.data_ptr(), bias == 2} : cuda::Entries{},
          c10::cuda::getCurrentCUDAStream());
      C10_CUDA_KERNEL_LAUNCH_CHECK();
      gradient = result;
    }
    const at::Tensor of_x =
        context->needs_input_grad(0) ? at::matmul(gradient, weight) : at::Tensor();
    return {of_x, at::matmul(gradient.transpose(-1, -2), x), of_bias, {}};
  }
};

/// By the kernels; undefined for what they do not take.
at::Tensor in_bfloat16(const OpCall& call, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor& x = call.inputs[0];
  const auto is_type = [](const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
  };
  if (!call.mode.bfloat16 || !x.is_cuda() || !is_type(x) || x.numel() == 0 ||
      weight.scalar_type() != at::kBFloat16 || weight.size(1) % 8 != 0 ||
      (bias.defined() && !is_type(bias)))
    return {};
  const Activation activation = call.node.attributes.contains("relu")   ? Activation::relu
                                : call.node.attributes.contains("gelu") ? Activation::gelu
                                                                        : Activation::none;
  const bool one = call.networks == 1;
  const auto of_all = [&](const at::Tensor& tensor) { return one ? tensor.squeeze(0) : tensor; };
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  return Linear::apply(one ? x.flatten(0, -2) : x.flatten(1, -2), of_all(weight),
                       bias.defined() ? std::optional<at::Tensor>(of_all(bias)) : std::nullopt,
                       activation)
      .view(sizes);
}

#endif

at::Tensor product(const OpCall& call, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor& x = call.inputs[0];
  if (call.networks == 1)
    return at::linear(x.squeeze(0), weight.squeeze(0), bias.defined() ? bias.squeeze(0) : bias)
        .unsqueeze(0);
  // [networks, out, in]: one product of matrices each, over all axes but the last.
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  at::Tensor y = at::bmm(x.flatten(1, -2), weight.transpose(1, 2));
  if (bias.defined()) y = y + bias.unsqueeze(1);
  return y.view(sizes);
}

/// The activation that follows may be part of the node: see fusion.hpp.
at::Tensor linear(const OpCall& call) {
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias = call.weight("bias");
#ifdef MOSAIC_CUDA
  if (at::Tensor y = in_bfloat16(call, weight, bias); y.defined()) return y;
#endif
  const at::Tensor y = product(call, weight, bias);
  if (call.node.attributes.contains("relu")) return at::relu(y);
  return call.node.attributes.contains("gelu") ? at::gelu(y) : y;
}

const core::Registered kEntry{op_kernels(), "linear",
                              "at::linear; several networks as a batch of products", linear};

}  // namespace
}  // namespace mosaic::supernet
