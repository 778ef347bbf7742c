/// Tensors of networks side by side as one.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace mosaic::supernet {

/// The networks' tensors as one, [networks, ...], a leaf of gradients; each becomes a view of its
/// row, unless they lie so already. Where some have fewer copies (first axis) than others their
/// rows are filled up with zeros, and they never read the rest.
at::Tensor stacked(const std::vector<at::Tensor>& tensors);

}  // namespace mosaic::supernet
