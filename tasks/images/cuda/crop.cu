#include "images/cuda/crop.hpp"

#include <cuda_runtime.h>

namespace mosaic::tasks::cuda {
namespace {

__global__ void crop_pixels(Pixels pixels, Plan plan, std::int64_t batch, const float* mean,
                            const float* inverse, float* result) {
  const std::int64_t area = pixels.height * pixels.width;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= batch * area) return;
  const std::int64_t image = at / area, row = at % area / pixels.width, column = at % pixels.width;
  const bool flipped = plan.rows[3 * plan.stride + image] == 1;
  const std::int64_t y = row + plan.rows[plan.stride + image] - plan.padding;
  const std::int64_t x = (flipped ? pixels.width - 1 - column : column) +
                         plan.rows[2 * plan.stride + image] - plan.padding;
  const bool inside = y >= 0 && y < pixels.height && x >= 0 && x < pixels.width;
  const std::int64_t source =
      inside ? plan.rows[image] * area + y * pixels.width + x : pixels.images * area;
  for (std::int64_t c = 0; c < pixels.channels; ++c) {
    const auto value = static_cast<float>(pixels.bytes[source * pixels.channels + c]);
    result[at * pixels.channels + c] = __fmul_rn(__fsub_rn(value, mean[c]), inverse[c]);
  }
}

}  // namespace

void crop(const Pixels& pixels, const Plan& plan, std::int64_t batch, const float* mean,
          const float* inverse, float* result, CUstream_st* stream) {
  constexpr std::int64_t kThreads = 256;
  const std::int64_t blocks = (batch * pixels.height * pixels.width + kThreads - 1) / kThreads;
  crop_pixels<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(pixels, plan, batch, mean,
                                                                      inverse, result);
}

}  // namespace mosaic::tasks::cuda
