#include <ATen/ATen.h>

#include <array>
#include <cmath>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/cuda/kernels.hpp"
#endif

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// Queries, keys and values: [networks, batch, length, heads or kv_heads * size]. `packed` 3: they
/// stand side by side in one input; 2: queries, and keys beside values; else they are three.
struct Heads {
  std::int64_t heads = 1, kv_heads = 1, size = 0, packed = 0;
  bool causal = false;
  /// How many inputs they are; a mask comes after them.
  std::size_t inputs() const { return packed == 3 ? 1 : packed == 2 ? 2 : 3; }
};

Heads heads_of(const OpCall& call) {
  const std::int64_t heads = call.node.attribute("heads");
  const std::int64_t kv_heads = call.node.attribute("kv_heads", heads);
  const std::int64_t packed = call.node.attribute("packed", 0);
  const std::int64_t side_by_side = packed == 3 ? heads + 2 * kv_heads : heads;
  return {heads, kv_heads, call.inputs[0].size(-1) / side_by_side, packed,
          call.node.attribute("causal", 0) != 0};
}

#ifdef MOSAIC_CUDA

/// Entries from row to row, where all rows follow one another at one distance and consist of whole
/// lines of 16 bytes; else 0.
std::int64_t row_stride(const at::Tensor& x) {
  std::int64_t stride = x.size(-1), rows = 1;
  for (std::int64_t axis = x.dim() - 2; axis >= 0; --axis) {
    if (x.size(axis) == 1) continue;
    if (rows == 1) stride = x.stride(axis);
    if (x.stride(axis) != rows * stride) return 0;
    rows *= x.size(axis);
  }
  const bool lines =
      stride % 8 == 0 && reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
  return lines && x.stride(-1) == 1 && stride >= x.size(-1) ? stride : 0;
}

/// Inputs as Heads has them, those that there are, in bfloat16 and with a row_stride(); then the
/// mask [networks, batch, memory], float32 and contiguous, or undefined.
using Given = std::array<at::Tensor, 4>;

cuda::Attention shape_of(const Given& given, const Heads& heads) {
  const std::int64_t queries = given[0].size(2), keys = given[heads.inputs() > 1].size(2);
  return {.batch = given[0].size(0) * given[0].size(1),
          .queries = queries,
          .keys = keys,
          .heads = heads.heads,
          .kv_heads = heads.kv_heads,
          .size = heads.size,
          .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(heads.size))),
          .causal = heads.causal,
          .mask = given[3].defined() ? given[3].const_data_ptr<float>() : nullptr};
}

/// Queries, keys and values in such inputs, or their gradients in those of the inputs.
std::array<cuda::HeadRows, 3> rows_of(const Given& given, const Heads& heads) {
  const auto at = [&](std::size_t input, std::int64_t head) {
    return cuda::HeadRows{given[input].data_ptr<at::BFloat16>() + head * heads.size,
                          row_stride(given[input])};
  };
  if (heads.packed == 3) return {at(0, 0), at(0, heads.heads), at(0, heads.heads + heads.kv_heads)};
  if (heads.packed == 2) return {at(0, 0), at(1, 0), at(1, heads.kv_heads)};
  return {at(0, 0), at(1, 0), at(2, 0)};
}

/// By the kernels of cuda/attention.cu. The gradient of a packed input is written as one.
class ShortAttention : public torch::autograd::Function<ShortAttention> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& first,
                            const std::optional<at::Tensor>& second,
                            const std::optional<at::Tensor>& third,
                            const std::optional<at::Tensor>& mask, const Heads& heads) {
    const c10::cuda::CUDAGuard guard(first.device());
    const at::Tensor none;
    const Given given{first, second.value_or(none), third.value_or(none), mask.value_or(none)};
    auto sizes = first.sizes().vec();
    sizes.back() = heads.heads * heads.size;
    const at::Tensor y = at::empty(sizes, first.options());
    const auto rows = rows_of(given, heads);
    cuda::attention_forward(shape_of(given, heads), rows[0], rows[1], rows[2],
                            {y.data_ptr(), sizes.back()}, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    context->save_for_backward({given.begin(), given.end()});
    context->saved_data["heads"] = std::vector<std::int64_t>{
        heads.heads, heads.kv_heads, heads.size, heads.packed, heads.causal};
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto kept = context->saved_data["heads"].toIntVector();
    const Heads heads{kept[0], kept[1], kept[2], kept[3], kept[4] != 0};
    const Given given{saved[0], saved[1], saved[2], saved[3]};
    const c10::cuda::CUDAGuard guard(given[0].device());
    at::Tensor gradient = gradients[0].contiguous();
    if (row_stride(gradient) == 0) gradient = gradient.clone();
    Given result;
    for (std::size_t i = 0; i < heads.inputs(); ++i)
      result[i] = at::empty(given[i].sizes(), given[i].options());
    const auto shape = shape_of(given, heads);
    const at::Tensor scratch = at::empty({cuda::attention_scratch(shape)}, given[0].options());
    const auto rows = rows_of(given, heads), to = rows_of(result, heads);
    cuda::attention_backward(shape, {gradient.data_ptr(), gradient.size(-1)}, rows[0], rows[1],
                             rows[2], to[0], to[1], to[2], scratch.data_ptr(),
                             c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {result[0], result[1], result[2], {}, {}};
  }
};

/// By the kernels; undefined for what they do not take.
at::Tensor by_kernels(const OpCall& call, const Heads& heads) {
  Given given;
  for (std::size_t i = 0; i < heads.inputs(); ++i) {
    const at::Tensor& x = given[i] = call.inputs[i];
    const bool is_float = x.scalar_type() == at::kFloat && call.mode.bfloat16;
    if (!x.is_cuda() || (!is_float && x.scalar_type() != at::kBFloat16)) return {};
  }
  const c10::cuda::CUDAGuard guard(given[0].device());
  if (!cuda::attention_takes(shape_of(given, heads))) return {};
  std::optional<at::Tensor> inputs[4];
  for (std::size_t i = 0; i < heads.inputs(); ++i) {
    inputs[i] = given[i].to(at::kBFloat16);
    if (row_stride(*inputs[i]) == 0) inputs[i] = inputs[i]->clone(at::MemoryFormat::Contiguous);
  }
  if (call.inputs.size() > heads.inputs()) {
    const at::Tensor& mask = call.inputs[heads.inputs()];
    inputs[3] = (mask.scalar_type() == at::kFloat ? mask : mask.ne(0).to(at::kFloat)).contiguous();
  }
  return ShortAttention::apply(*inputs[0], inputs[1], inputs[2], inputs[3], heads);
}

#endif

/// Queries, keys and values one by one.
std::vector<at::Tensor> unpacked(const OpCall& call, const Heads& heads) {
  const std::int64_t width = heads.heads * heads.size, kv_width = heads.kv_heads * heads.size;
  if (heads.packed == 3) return call.inputs[0].split_with_sizes({width, kv_width, kv_width}, -1);
  if (heads.packed != 2) return {call.inputs[0], call.inputs[1], call.inputs[2]};
  const auto both = call.inputs[1].split_with_sizes({kv_width, kv_width}, -1);
  return {call.inputs[0], both[0], both[1]};
}

/// [networks, batch, length, heads * size] as [networks * batch, heads, length, size].
at::Tensor by_head(const at::Tensor& x, std::int64_t heads) {
  return x.flatten(0, 1).unflatten(-1, {heads, x.size(-1) / heads}).transpose(1, 2);
}

/// LibTorch's masks are true where keys count. One that is causal as well is joined here: its
/// kernels do not take both.
at::Tensor attention(const OpCall& call) {
  const Heads heads = heads_of(call);
#ifdef MOSAIC_CUDA
  if (at::Tensor y = by_kernels(call, heads); y.defined()) return y;
#endif
  const auto inputs = unpacked(call, heads);
  const at::Tensor q = by_head(inputs[0], heads.heads), k = by_head(inputs[1], heads.kv_heads),
                   v = by_head(inputs[2], heads.kv_heads);
  bool is_causal = heads.causal;
  std::optional<at::Tensor> mask;
  if (call.inputs.size() > heads.inputs()) {
    mask = call.inputs[heads.inputs()].flatten(0, 1).ne(0).unsqueeze(1).unsqueeze(1);
    if (is_causal)
      mask = mask->logical_and(at::ones({q.size(2), k.size(2)}, mask->options()).tril());
    is_causal = false;
  }
  const at::Tensor y = at::scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal, {},
                                                        heads.kv_heads != heads.heads);
  return y.transpose(1, 2).flatten(2).unflatten(0, {call.networks, -1});
}

const core::Registered kEntry{
    op_kernels(), "attention",
    "a kernel of short sequences in bfloat16, else at::scaled_dot_product_attention", attention};

}  // namespace
}  // namespace mosaic::supernet
