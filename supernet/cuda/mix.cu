// Experts of a slot, mixed by an architecture's coefficients.
#include <cuda_runtime.h>

#include "kernels.hpp"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kThreads = 128;

/// Coefficients of one row: mix[network, expert(, row)].
struct Coefficients {
  const float* first;
  std::int64_t step;
  __device__ Coefficients(const float* mix, bool by_row, const Experts& shape, std::int64_t network,
                          std::int64_t row)
      : first(mix + network * shape.experts * (by_row ? shape.rows : 1) + (by_row ? row : 0)),
        step(by_row ? shape.rows : 1) {}
  __device__ float operator[](std::int64_t expert) const { return first[expert * step]; }
};

/// A block for each (row, network).
__global__ void forward(const float* __restrict__ experts, const float* __restrict__ mix,
                        bool by_row, float* __restrict__ result, Experts shape) {
  const std::int64_t row = blockIdx.x, network = blockIdx.y;
  const Coefficients r(mix, by_row, shape, network, row);
  const std::int64_t apart = shape.rows * shape.columns;  // from expert to expert
  const float* own = experts + network * shape.experts * apart + row * shape.columns;
  for (std::int64_t c = threadIdx.x; c < shape.columns; c += blockDim.x) {
    float sum = 0;
    for (std::int64_t i = 0; i < shape.experts; ++i) sum = fmaf(r[i], own[i * apart + c], sum);
    result[(network * shape.rows + row) * shape.columns + c] = sum;
  }
}

__global__ void backward(const float* __restrict__ gradient, const float* __restrict__ experts,
                         const float* __restrict__ mix, bool by_row,
                         float* __restrict__ expert_gradient, float* __restrict__ mix_gradient,
                         Experts shape) {
  __shared__ float sums[kThreads / 32];
  const std::int64_t row = blockIdx.x, network = blockIdx.y;
  const Coefficients r(mix, by_row, shape, network, row);
  const std::int64_t apart = shape.rows * shape.columns;
  const std::int64_t begin = network * shape.experts * apart + row * shape.columns;
  const float* of_row = gradient + (network * shape.rows + row) * shape.columns;
  float squares = 0;
  for (std::int64_t i = 0; i < shape.experts; ++i) squares = fmaf(r[i], r[i], squares);
  for (std::int64_t i = 0; i < shape.experts; ++i) {
    const float share = r[i] / squares;
    float product = 0;
    for (std::int64_t c = threadIdx.x; c < shape.columns; c += blockDim.x) {
      const std::int64_t at = begin + i * apart + c;
      expert_gradient[at] = of_row[c] * share;
      product = fmaf(of_row[c], experts[at], product);
    }
    for (int offset = 16; offset > 0; offset /= 2)
      product += __shfl_down_sync(0xffffffff, product, offset);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = product;
    __syncthreads();
    if (threadIdx.x == 0) {
      float total = 0;
      for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) total += sums[warp];
      mix_gradient[(network * shape.experts + i) * shape.rows + row] = total;
    }
    __syncthreads();
  }
}

dim3 grid_of(const Experts& shape) {
  return {static_cast<unsigned>(shape.rows), static_cast<unsigned>(shape.networks)};
}

}  // namespace

void mix_forward(const float* experts, const float* mix, bool by_row, float* result, Experts shape,
                 Stream stream) {
  forward<<<grid_of(shape), kThreads, 0, stream>>>(experts, mix, by_row, result, shape);
}

void mix_backward(const float* gradient, const float* experts, const float* mix, bool by_row,
                  float* expert_gradient, float* mix_gradient, Experts shape, Stream stream) {
  backward<<<grid_of(shape), kThreads, 0, stream>>>(gradient, experts, mix, by_row, expert_gradient,
                                                    mix_gradient, shape);
}

}  // namespace mosaic::supernet::cuda
