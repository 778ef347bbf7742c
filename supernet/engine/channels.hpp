/// Channels of networks that run side by side, taken apart and put together. As at::split and
/// at::cat along axis 1, but copied by one kernel on a GPU, forwards and backwards, where LibTorch
/// has one for each piece.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace mosaic::supernet {

/// Parts of equal size, as views.
std::vector<at::Tensor> split_channels(const at::Tensor& value, std::int64_t parts);
/// [batch, sum of channels, ...]; the parts agree in all other sizes.
at::Tensor join_channels(const std::vector<at::Tensor>& parts);

}  // namespace mosaic::supernet
