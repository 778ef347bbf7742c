#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#ifdef MOSAIC_CUDA
#include <ATen/autocast_mode.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// How many networks to put into each group on a GPU: narrow groups are slow there. Groups with as
/// many channels out as in are fastest at 32 of them, and only where a power of two of networks
/// makes one (or all of them do); others as one dense convolution
/// (bench/results/joint_training.md).
std::int64_t networks_a_group(const at::Tensor& weight) {
  if (!weight.is_cuda()) return 1;
  const std::int64_t networks = weight.size(0), out = weight.size(1), in = weight.size(2);
  const bool square = out == in;
  const auto fast = [&](std::int64_t count) {
    const bool power_of_two = (count & (count - 1)) == 0;
    return networks % count == 0 && (!square || power_of_two || count == networks);
  };
  std::int64_t most = 1;
  for (std::int64_t count = 2; count <= networks && count * in <= (square ? 32 : 128); ++count)
    if (fast(count)) most = count;
  return most;
}

/// [networks, out, in, k, k] as the blocks on the diagonal of [groups * count * out, count * in, k,
/// k].
at::Tensor in_blocks(const at::Tensor& weight, std::int64_t count) {
  if (count == 1) return weight.flatten(0, 1);
  return at::diag_embed(weight.unflatten(0, {-1, count}).movedim(1, -1), 0, 1, 3)
      .flatten(3, 4)
      .flatten(0, 2);
}

#ifdef MOSAIC_CUDA

/// in_blocks() in bfloat16 and channels-last, as autocast would have it, by one kernel each way.
class Pack : public torch::autograd::Function<Pack> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& weight,
                            std::int64_t together) {
    const c10::cuda::CUDAGuard guard(weight.device());
    context->saved_data["sizes"] = weight.sizes().vec();
    context->saved_data["together"] = together;
    const at::Tensor result = at::empty(
        {weight.size(0) * weight.size(1), together * weight.size(2), weight.size(3),
         weight.size(4)},
        weight.options().dtype(at::kBFloat16).memory_format(at::MemoryFormat::ChannelsLast));
    cuda::pack_weights(weight.const_data_ptr<float>(), result.mutable_data_ptr(),
                       shape_of(weight.sizes(), together), c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return result;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const at::Tensor gradient =
        gradients[0].to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    const c10::cuda::CUDAGuard guard(gradient.device());
    const at::Tensor result = at::empty(sizes, gradient.options().dtype(at::kFloat));
    cuda::unpack_gradient(gradient.const_data_ptr(), result.mutable_data_ptr<float>(),
                          shape_of(sizes, context->saved_data["together"].toInt()),
                          c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {result, {}};
  }

 private:
  static cuda::Weights shape_of(at::IntArrayRef sizes, std::int64_t together) {
    return {sizes[0], sizes[1], sizes[2], sizes[3] * sizes[4], together};
  }
};

bool uses_bfloat16(const at::Tensor& weight) {
  return weight.is_cuda() && weight.scalar_type() == at::kFloat &&
         at::autocast::is_autocast_enabled(at::kCUDA) &&
         at::autocast::get_autocast_dtype(at::kCUDA) == at::kBFloat16;
}

#endif

/// [networks, out, in, k, k] as the weight of one convolution.
at::Tensor as_one(const at::Tensor& weight, std::int64_t together, at::MemoryFormat layout) {
#ifdef MOSAIC_CUDA
  if (layout == at::MemoryFormat::ChannelsLast && uses_bfloat16(weight))
    return Pack::apply(weight.contiguous(), together);
#endif
  return in_blocks(weight, together).contiguous(layout);
}

at::Tensor conv2d(const OpCall& call) {
  const std::int64_t kernel = call.node.attribute("kernel");
  std::int64_t stride = call.node.attribute("stride");
  at::Tensor x = folded(call.inputs[0]);
  if (kernel == 1 && stride > 1 && x.is_cpu()) {
    // oneDNN's gradient of a strided 1 x 1 convolution writes past its workspace where there are
    // fewer channels than a block (github.com/uxlfoundation/oneDNN/issues/6035): the positions that
    // count are taken beforehand.
    x = x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride);
    stride = 1;
  }
  const at::Tensor weight = call.weight("weight");
  const at::Tensor bias =
      call.weight("bias").defined() ? call.weight("bias").flatten() : at::Tensor();
  const std::int64_t groups = call.node.attribute("groups", 1);
  if (call.networks == 1)
    return at::conv2d(x, weight.squeeze(0), bias, stride, kernel / 2, 1, groups).unsqueeze(0);
  if (groups > 1)
    return unfolded(
        at::conv2d(x, weight.flatten(0, 1), bias, stride, kernel / 2, 1, call.networks * groups),
        call.networks);
  // [networks, out, in, k, k]: a group of channels each, or a block of one.
  const std::int64_t together = networks_a_group(weight);
  return unfolded(at::conv2d(x, as_one(weight, together, x.suggest_memory_format()), bias, stride,
                             kernel / 2, 1, weight.size(0) / together),
                  call.networks);
}

const core::Registered kEntry{op_kernels(), "conv2d",
                              "at::conv2d with padding kernel / 2; several networks as groups",
                              conv2d};

}  // namespace
}  // namespace mosaic::supernet
