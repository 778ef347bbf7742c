/// One kernel that makes a batch of training images out of bytes: crop, flip, normalise.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace mosaic::tasks::cuda {

/// Images of `height` x `width` pixels of `channels` bytes, one after the other; behind the last
/// (number `images`) one pixel that stands for all outside of an image.
struct Pixels {
  const std::uint8_t* bytes = nullptr;
  std::int64_t images = 0, height = 0, width = 0, channels = 0;
};

/// What is cut out: four rows of `stride` entries: number of the image, row and column where the
/// crop begins in the padded image, flipped or not.
struct Plan {
  const std::int64_t* rows = nullptr;
  std::int64_t stride = 0;
  std::int64_t padding = 0;
};

/// result[i, y, x, c] = (byte - mean[c]) * inverse[c], float32, each step rounded as a CPU rounds
/// it.
void crop(const Pixels& pixels, const Plan& plan, std::int64_t batch, const float* mean,
          const float* inverse, float* result, CUstream_st* stream);

}  // namespace mosaic::tasks::cuda
