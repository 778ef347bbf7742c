/// Mixing by kernels of our own, in builds with CUDA.
#pragma once

#include <optional>
#include <vector>

#include "engine/mixing.hpp"

namespace mosaic::supernet {

/// mixed_weights() by the kernels of cuda/mix.cu, which read the copies where they lie and write
/// their gradients whole: one operation of all copies and mixes. Nothing where these are not what
/// the kernels take.
std::optional<std::vector<at::Tensor>> generated_weights(
    const std::vector<SlotCopies>& slots, const std::vector<const spaces::WeightRef*>& refs,
    const std::vector<at::Tensor>& mixes);

}  // namespace mosaic::supernet
