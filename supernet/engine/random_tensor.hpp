/// Tensors drawn from our own streams, the same on every device and version of LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include "mosaic/core/random.hpp"

namespace mosaic::supernet {

/// Normal with the given standard deviation, float32 on the CPU.
at::Tensor normal_tensor(at::IntArrayRef shape, double deviation, core::Stream stream);

}  // namespace mosaic::supernet
