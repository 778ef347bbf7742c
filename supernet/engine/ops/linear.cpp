#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstddef>
#include <span>
#include <vector>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

#ifdef MOSAIC_CUDA

using cuda::Activation;

/// Parts of one tensor, joined along an axis: where they lie in a row in memory, as they lie.
at::Tensor joined(at::TensorList parts, std::int64_t axis) {
  if (parts.size() == 1) return parts[0];
  auto sizes = parts[0].sizes().vec();
  auto& size = sizes[static_cast<std::size_t>(axis)];
  const auto* next = static_cast<const std::byte*>(parts[0].const_data_ptr());
  bool in_a_row = axis == 0;
  size = 0;
  for (const auto& part : parts) {
    in_a_row = in_a_row && part.is_contiguous() && part.is_alias_of(parts[0]) &&
               part.const_data_ptr() == next;
    next += part.nbytes();
    size += part.size(axis);
  }
  return in_a_row ? parts[0].as_strided(sizes, parts[0].strides()) : at::cat(parts, axis);
}

/// f(x W^T + b) in bfloat16: bias and ReLU by the product's own kernel; on the way back f' and the
/// gradient of the bias in one pass (cuda/activation.cu).
class Linear : public torch::autograd::Function<Linear> {
 public:
  /// `given`: [rows, in], or of several networks, which lead. `parts`: so many weights
  /// [out, in], whose results stand side by side, then as many biases [out] or none; likewise.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& given,
                            at::TensorList parts, std::int64_t maps, Activation activation) {
    const at::Tensor x = given.to(at::kBFloat16);
    const auto count = static_cast<std::size_t>(maps);
    const std::int64_t axis = x.dim() - 2;
    const at::Tensor weight = joined(parts.slice(0, count), axis);
    const bool added = parts.size() > count;
    const at::Tensor given_bias = added ? joined(parts.slice(count), axis) : at::Tensor();
    const at::Tensor bias = added ? given_bias.to(at::kBFloat16) : at::Tensor();
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
    const bool bias_in_bfloat16 = added && given_bias.scalar_type() == at::kBFloat16;
    context->save_for_backward({x, weight, activation == Activation::relu ? y : z});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    context->saved_data["bias"] = std::int64_t{added} + bias_in_bfloat16;
    std::vector<std::int64_t> sizes;
    for (const auto& part : parts.slice(0, count)) sizes.push_back(part.size(axis));
    context->saved_data["maps"] = sizes;
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
    torch::autograd::variable_list result;
    result.push_back(context->needs_input_grad(0) ? at::matmul(gradient, weight) : at::Tensor());
    const auto sizes = context->saved_data["maps"].toIntVector();
    const auto add = [&](const at::Tensor& of_all) {
      for (auto& part : at::split_with_sizes(of_all, sizes, x.dim() - 2))
        result.push_back(std::move(part));
    };
    add(at::matmul(gradient.transpose(-1, -2), x));
    if (bias > 0) add(of_bias);
    result.resize(result.size() + 2);  // of the two that are no tensors
    return result;
  }
};

/// By the kernels; undefined for what they do not take.
at::Tensor in_bfloat16(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const std::int64_t maps = call.node.attribute("maps", 1);
  const auto is_type = [](const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
  };
  std::int64_t out = 0;
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < call.weights.size(); ++i) {
    const at::Tensor& part = call.weights[i];
    const bool is_weight = static_cast<std::int64_t>(i) < maps;
    if (!is_type(part) || (is_weight && part.scalar_type() != at::kBFloat16)) return {};
    if (is_weight) out += part.size(1);
    parts.push_back(call.networks == 1 ? part.squeeze(0) : part);
  }
  if (!call.mode.bfloat16 || !x.is_cuda() || !is_type(x) || x.numel() == 0 || out % 8 != 0)
    return {};
  const Activation activation = call.node.attributes.contains("relu")   ? Activation::relu
                                : call.node.attributes.contains("gelu") ? Activation::gelu
                                                                        : Activation::none;
  auto sizes = x.sizes().vec();
  sizes.back() = out;
  return Linear::apply(call.networks == 1 ? x.flatten(0, -2) : x.flatten(1, -2),
                       at::TensorList(parts), maps, activation)
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

/// The activation that follows may be part of the node, and so may other maps of the same value:
/// see fusion.hpp.
at::Tensor linear(const OpCall& call) {
#ifdef MOSAIC_CUDA
  if (at::Tensor y = in_bfloat16(call); y.defined()) return y;
#endif
  const auto maps = static_cast<std::size_t>(call.node.attribute("maps", 1));
  const auto all = [&](std::span<const at::Tensor> parts) {
    return parts.empty()       ? at::Tensor()
           : parts.size() == 1 ? parts[0]
                               : at::cat(at::TensorList(parts.data(), parts.size()), 1);
  };
  const at::Tensor y =
      product(call, all(call.weights.first(maps)), all(call.weights.subspan(maps)));
  if (call.node.attributes.contains("relu")) return at::relu(y);
  return call.node.attributes.contains("gelu") ? at::gelu(y) : y;
}

const core::Registered kEntry{op_kernels(), "linear",
                              "at::linear; several networks as a batch of products", linear};

}  // namespace
}  // namespace mosaic::supernet
