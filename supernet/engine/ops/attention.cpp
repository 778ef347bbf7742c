#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// [networks, batch, length, heads * size] as [networks * batch, heads, length, size].
at::Tensor by_head(const at::Tensor& x, std::int64_t heads) {
  return x.flatten(0, 1).unflatten(-1, {heads, x.size(-1) / heads}).transpose(1, 2);
}

/// LibTorch's masks are true where keys count. One that is causal as well is joined here: its
/// kernels do not take both.
at::Tensor attention(const OpCall& call) {
  const std::int64_t heads = call.node.attribute("heads");
  const std::int64_t kv_heads = call.node.attribute("kv_heads", heads);
  bool is_causal = call.node.attribute("causal", 0) != 0;
  std::vector<at::Tensor> inputs(call.inputs.begin(), call.inputs.end());
  if (const std::int64_t packed = call.node.attribute("packed", 0); packed > 0) {
    const std::size_t at = packed == 3 ? 0 : 1;
    const std::int64_t width = inputs[at].size(-1);
    const std::int64_t kv = packed == 3 ? width / (heads + 2 * kv_heads) * kv_heads : width / 2;
    std::vector<std::int64_t> sizes{kv, kv};
    if (packed == 3) sizes.insert(sizes.begin(), width - 2 * kv);
    const auto parts = at::split_with_sizes(inputs[at], sizes, -1);
    inputs.erase(inputs.begin() + static_cast<std::ptrdiff_t>(at));
    inputs.insert(inputs.begin() + static_cast<std::ptrdiff_t>(at), parts.begin(), parts.end());
  }
  const at::Tensor q = by_head(inputs[0], heads), k = by_head(inputs[1], kv_heads),
                   v = by_head(inputs[2], kv_heads);
  std::optional<at::Tensor> mask;
  if (inputs.size() > 3) {
    mask = inputs[3].flatten(0, 1).ne(0).unsqueeze(1).unsqueeze(1);
    if (is_causal)
      mask = mask->logical_and(at::ones({q.size(2), k.size(2)}, mask->options()).tril());
    is_causal = false;
  }
  const at::Tensor y =
      at::scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal, {}, kv_heads != heads);
  return y.transpose(1, 2).flatten(2).unflatten(0, {call.networks, -1});
}

const core::Registered kEntry{op_kernels(), "attention", "at::scaled_dot_product_attention",
                              attention};

}  // namespace
}  // namespace mosaic::supernet
