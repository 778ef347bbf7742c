#include "networks/stack.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

/// The tensor with rows of zeros behind it.
at::Tensor with_rows(const at::Tensor& tensor, std::int64_t rows) {
  if (tensor.dim() == 0 || tensor.size(0) == rows) return tensor;
  auto shape = tensor.sizes().vec();
  shape[0] = rows - shape[0];
  return at::cat({tensor, at::zeros(shape, tensor.options())});
}

/// The tensors as one, where they lie behind each other as stacked() leaves them; else undefined.
at::Tensor lying_stacked(const std::vector<at::Tensor>& tensors, std::int64_t most) {
  const at::Tensor& first = tensors[0];
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(tensors.size()), most};
  for (const auto size : first.sizes().slice(1)) sizes.push_back(size);
  const std::int64_t row = c10::multiply_integers(sizes.begin() + 1, sizes.end());
  std::int64_t begin = first.storage_offset();
  for (const auto& own : tensors) {
    if (!own.is_alias_of(first) || !own.is_contiguous() || own.storage_offset() != begin ||
        own.sizes().slice(1) != first.sizes().slice(1))
      return {};
    begin += row;
  }
  if (static_cast<std::size_t>(begin) * first.element_size() > first.storage().nbytes()) return {};
  std::vector<std::int64_t> strides(sizes.size(), 1);
  for (std::size_t axis = sizes.size() - 1; axis-- > 0;)
    strides[axis] = strides[axis + 1] * sizes[axis + 1];
  return first.detach().as_strided(sizes, strides, first.storage_offset());
}

}  // namespace

at::Tensor stacked(const std::vector<at::Tensor>& tensors) {
  at::NoGradGuard guard;
  if (tensors.size() == 1) return tensors[0].detach().unsqueeze(0).requires_grad_();
  std::int64_t most = 0;
  for (const auto& tensor : tensors) most = std::max(most, tensor.size(0));
  if (at::Tensor lying = lying_stacked(tensors, most); lying.defined())
    return lying.requires_grad_();
  at::Tensor result = at::stack(
      core::mapped(tensors, [&](const auto& tensor) { return with_rows(tensor.detach(), most); }));
  for (std::size_t row = 0; row < tensors.size(); ++row)
    tensors[row].set_data(
        result.select(0, static_cast<std::int64_t>(row)).narrow(0, 0, tensors[row].size(0)));
  return result.requires_grad_();
}

}  // namespace mosaic::supernet
