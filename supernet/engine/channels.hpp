/// Several networks' values as one tensor. Networks lead, [networks, batch, channels, ...], but
/// images lie side by side in memory, [batch, networks * channels, ...] (channels last): a grouped
/// convolution takes them as they are, and what is elementwise keeps the layout.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/tasks/batch.hpp"

namespace mosaic::supernet {

/// [networks, batch, channels, ...] as [batch, networks * channels, ...]: a view where it lies so.
at::Tensor folded(const at::Tensor& value);
/// And back: a view.
at::Tensor unfolded(const at::Tensor& value, std::int64_t networks);
/// What unfolded() made this value of; undefined where it is something else. folded() gives it
/// back, so that neither values nor gradients take the way there and back between two kernels that
/// want them folded: these views would take half of a small layer's time on the host.
at::Tensor folded_base(const at::Tensor& value);

/// The rows of a value as [1, ...] each.
std::vector<at::Tensor> split_networks(const at::Tensor& value);
/// Rows [1, ...] as one value; images side by side.
at::Tensor join_networks(const std::vector<at::Tensor>& rows);
/// Inputs [batch, ...] that all of so many networks are fed.
tasks::NamedTensors repeated(const tasks::NamedTensors& inputs, std::size_t networks);

/// As at::split and at::cat along axis 1, but copied by one kernel on a GPU, forwards and
/// backwards, where LibTorch has one for each piece. Parts of equal size, as views.
std::vector<at::Tensor> split_channels(const at::Tensor& value, std::int64_t parts);
/// [batch, sum of channels, ...]; the parts agree in all other sizes.
at::Tensor join_channels(const std::vector<at::Tensor>& parts);

}  // namespace mosaic::supernet
