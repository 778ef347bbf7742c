#include "engine/channels.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

namespace mosaic::supernet {

#ifdef MOSAIC_CUDA

namespace {

constexpr std::int64_t kBytes = 16;

/// Channels in 16 bytes.
std::int64_t vector_of(const at::Tensor& x) {
  return kBytes / static_cast<std::int64_t>(x.element_size());
}

/// A channels-last tensor, or some of its channels, as columns of a matrix [batch * area,
/// channels]; nothing where it is laid out in another way.
std::optional<cuda::Columns> columns_of(const at::Tensor& x) {
  const std::int64_t vector = vector_of(x);
  if (!x.is_cuda() || x.dim() != 4 || x.size(1) % vector != 0 || x.numel() == 0) return {};
  if (x.stride(1) != 1 || reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % kBytes != 0)
    return {};
  std::int64_t stride = 0, expected = 0;  // of the rows; of the next axis
  for (const std::int64_t axis : {3, 2, 0}) {
    if (x.size(axis) == 1) continue;
    if (stride == 0) stride = expected = x.stride(axis);
    if (x.stride(axis) != expected) return {};
    expected *= x.size(axis);
  }
  if (stride == 0) stride = x.size(1);
  if (stride % vector != 0) return {};
  return cuda::Columns{x.const_data_ptr(), stride / vector, x.size(1) / vector};
}

/// Side by side; `like`: a part (others may be undefined: zeros as wide as it).
at::Tensor joined(const std::vector<at::Tensor>& parts, const at::Tensor& like) {
  std::vector<cuda::Columns> columns;
  std::int64_t channels = 0;
  for (const auto& part : parts) {
    const auto known = columns_of(part.defined() ? part : like).value();
    columns.push_back(part.defined() ? known : cuda::Columns{nullptr, 0, known.width});
    channels += part.defined() ? part.size(1) : like.size(1);
  }
  const c10::cuda::CUDAGuard guard(like.device());
  const at::Tensor result = at::empty({like.size(0), channels, like.size(2), like.size(3)},
                                      like.options().memory_format(at::MemoryFormat::ChannelsLast));
  cuda::join_columns(columns, like.size(0) * like.size(2) * like.size(3), result.mutable_data_ptr(),
                     c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

class Split : public torch::autograd::Function<Split> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext*,
                                                const at::Tensor& value, std::int64_t parts) {
    return value.detach().split(value.size(1) / parts, 1);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list gradients) {
    at::Tensor like;
    for (auto& gradient : gradients)
      if (gradient.defined()) {
        if (!columns_of(gradient)) gradient = gradient.contiguous(at::MemoryFormat::ChannelsLast);
        like = gradient;
      }
    return {like.defined() ? joined(gradients, like) : at::Tensor(), {}};
  }
};

class Join : public torch::autograd::Function<Join> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList parts) {
    std::vector<std::int64_t> sizes;
    for (const auto& part : parts) sizes.push_back(part.size(1));
    context->saved_data["sizes"] = sizes;
    return joined(parts.vec(), parts[0]);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return gradients[0].split_with_sizes(context->saved_data["sizes"].toIntVector(), 1);
  }
};

}  // namespace

#endif

at::Tensor folded_base(const at::Tensor& value) {
  if (!value.is_view()) return {};
  const at::Tensor base(value._base());
  const bool whole = base.dim() == value.dim() - 1 && base.size(0) == value.size(1) &&
                     base.size(1) == value.size(0) * value.size(2) &&
                     base.numel() == value.numel() &&
                     base.storage_offset() == value.storage_offset() &&
                     base.stride(0) == value.stride(1) && base.stride(1) == value.stride(2) &&
                     (value.size(0) == 1 || value.stride(0) == value.size(2) * value.stride(2)) &&
                     base.sizes().slice(2) == value.sizes().slice(3) &&
                     base.strides().slice(2) == value.strides().slice(3) &&
                     base.requires_grad() == value.requires_grad();
  return whole ? base : at::Tensor();
}

at::Tensor folded(const at::Tensor& value) {
  if (at::Tensor base = folded_base(value); base.defined()) return base;
  if (value.size(0) == 1) return value.squeeze(0);
  return value.transpose(0, 1).flatten(1, 2);
}

at::Tensor unfolded(const at::Tensor& value, std::int64_t networks) {
  if (networks == 1) return value.unsqueeze(0);
  auto shape = value.sizes().vec();
  shape[1] /= networks;
  shape.insert(shape.begin() + 1, networks);
  return value.view(shape).transpose(0, 1);
}

std::vector<at::Tensor> split_networks(const at::Tensor& value) {
  if (value.dim() != 5) return value.split(1, 0);
  auto rows = split_channels(folded(value), value.size(0));
  for (auto& row : rows) row = row.unsqueeze(0);
  return rows;
}

at::Tensor join_networks(const std::vector<at::Tensor>& rows) {
  if (rows.size() == 1) return rows[0];
  if (rows[0].dim() != 5) return at::cat(rows, 0);
  std::vector<at::Tensor> channels;
  for (const auto& row : rows) channels.push_back(row.squeeze(0));
  return unfolded(join_channels(channels), static_cast<std::int64_t>(rows.size()));
}

tasks::NamedTensors repeated(const tasks::NamedTensors& inputs, std::size_t networks) {
  tasks::NamedTensors result;
  for (const auto& [name, tensor] : inputs)
    result.emplace_back(name,
                        join_networks(std::vector<at::Tensor>(networks, tensor.unsqueeze(0))));
  return result;
}

std::vector<at::Tensor> split_channels(const at::Tensor& value, std::int64_t parts) {
#ifdef MOSAIC_CUDA
  if (columns_of(value) && value.size(1) / parts % vector_of(value) == 0)
    return Split::apply(value, parts);
#endif
  return value.split(value.size(1) / parts, 1);
}

at::Tensor join_channels(const std::vector<at::Tensor>& parts) {
#ifdef MOSAIC_CUDA
  if (std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
        return part.scalar_type() == parts[0].scalar_type() && columns_of(part);
      }))
    return Join::apply(at::TensorList(parts));
#endif
  return at::cat(parts, 1);
}

}  // namespace mosaic::supernet
