// Weights of several networks as those of one convolution.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "engine/cuda/kernels.hpp"

namespace mosaic::supernet::cuda {
namespace {

constexpr std::int64_t kThreads = 256;

/// A thread for each entry of the packed weights [networks * out, area, together * in].
__global__ void pack(const float* __restrict__ weights, __nv_bfloat16* __restrict__ result,
                     Weights shape, std::int64_t count) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t wide = shape.together * shape.in;
  const std::int64_t input = at % wide, place = at / wide % shape.area,
                     row = at / wide / shape.area;
  const std::int64_t network = row / shape.out;
  const bool own = input / shape.in == network % shape.together;
  result[at] =
      own ? __float2bfloat16(weights[(row * shape.in + input % shape.in) * shape.area + place])
          : __float2bfloat16(0.0F);
}

/// A thread for each entry of the weights.
__global__ void unpack(const __nv_bfloat16* __restrict__ gradient, float* __restrict__ result,
                       Weights shape, std::int64_t count) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t place = at % shape.area, input = at / shape.area % shape.in;
  const std::int64_t row = at / shape.area / shape.in;
  const std::int64_t first = row / shape.out % shape.together * shape.in;
  result[at] = __bfloat162float(
      gradient[(row * shape.area + place) * shape.together * shape.in + first + input]);
}

unsigned blocks(std::int64_t count) {
  return static_cast<unsigned>((count + kThreads - 1) / kThreads);
}

}  // namespace

void pack_weights(const float* weights, void* result, Weights shape, Stream stream) {
  const std::int64_t count = shape.networks * shape.out * shape.area * shape.together * shape.in;
  pack<<<blocks(count), kThreads, 0, stream>>>(weights, static_cast<__nv_bfloat16*>(result), shape,
                                               count);
}

void unpack_gradient(const void* gradient, float* result, Weights shape, Stream stream) {
  const std::int64_t count = shape.networks * shape.out * shape.in * shape.area;
  unpack<<<blocks(count), kThreads, 0, stream>>>(static_cast<const __nv_bfloat16*>(gradient),
                                                 result, shape, count);
}

}  // namespace mosaic::supernet::cuda
