/// Crops, flips and normalises a batch of training images.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mosaic::tasks {

struct CropCall {
  at::Tensor
      pixels;  ///< uint8 [images * height * width + 1, channels]: the last stands for outside
  std::int64_t images = 0, height = 0, width = 0, channels = 0;
  /// int64 [4, batch]: number of the image, row and column where the crop begins in the padded
  /// image, flipped or not.
  at::Tensor plan;
  std::int64_t padding = 0;
  at::Tensor mean, inverse;  ///< float32 [channels]
};

/// By one kernel, float32 [batch, height, width, channels], where this build has one for the plan's
/// device; else the result is undefined. Null where it has none at all.
extern at::Tensor (*crop_kernel)(const CropCall& call);

}  // namespace mosaic::tasks
