// What is between a layer's activation and its product of matrices on the way back: the
// activation's derivative and the gradient of the bias, in one pass.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cmath>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/lines.cuh"
#include "engine/cuda/walk.cuh"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kLine = 8;  // channels in 16 bytes
constexpr int kUnroll = 4;
constexpr int kFinalRows = 16;

Walk walk_of(Rows shape, std::int64_t networks) {
  const auto most = static_cast<int>(std::max<std::int64_t>(1, 264 / networks));
  return {shape.rows, static_cast<int>(shape.channels / kLine), 8, most};
}

/// The gradient before an activation, given that behind it: `known` is y of ReLU, and x of GELU.
template <Activation kActivation>
__device__ float before(float gradient, float known) {
  if constexpr (kActivation == Activation::relu) return known > 0 ? gradient : 0.0F;
  if constexpr (kActivation == Activation::gelu) {
    const float below = 0.5F * (1 + erff(known * 0.70710678F));
    return gradient * (below + known * 0.39894228F * __expf(-0.5F * known * known));
  }
  return gradient;
}

/// Sums over rows: partial[network, block, channels].
template <Activation kActivation>
__global__ void activation_gradient(const __nv_bfloat16* __restrict__ gradient,
                                    const __nv_bfloat16* __restrict__ known,
                                    __nv_bfloat16* __restrict__ result, std::int64_t rows,
                                    int vectors, int lanes, float* __restrict__ partial) {
  constexpr bool kChanges = kActivation != Activation::none;
  const Place place(vectors, lanes);
  const std::int64_t network = blockIdx.z, channels = std::int64_t{vectors} * kLine;
  float sum[kLine] = {};
  if (place.vector >= 0)
    for (std::int64_t row = place.row; row < rows; row += kUnroll * place.step) {
      float given[kUnroll][kLine], values[kUnroll][kLine] = {};
      std::int64_t at[kUnroll];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) {
        const std::int64_t own = min(row + u * place.step, rows - 1);
        at[u] = (network * rows + own) * channels + place.vector * kLine;
        load<kLine>(gradient + at[u], given[u]);
        if constexpr (kChanges) load<kLine>(known + at[u], values[u]);
      }
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) {
        if (row + u * place.step >= rows) break;
#pragma unroll
        for (int i = 0; i < kLine; ++i) {
          given[u][i] = before<kActivation>(given[u][i], values[u][i]);
          sum[i] += given[u][i];
        }
        if constexpr (kChanges) store<kLine>(result + at[u], given[u]);
      }
    }
  if (partial == nullptr) return;
  extern __shared__ float shared[];  // [threads / lanes][lanes][kLine]
#pragma unroll
  for (int i = 0; i < kLine; ++i) shared[(place.sub * lanes + place.lane) * kLine + i] = sum[i];
  __syncthreads();
  const int at_once = static_cast<int>(blockDim.x) / lanes;
  const int first = static_cast<int>(blockIdx.y) * lanes * kLine;
  for (int i = static_cast<int>(threadIdx.x); i < lanes * kLine && first + i < channels;
       i += static_cast<int>(blockDim.x)) {
    float total = 0;
    for (int sub = 0; sub < at_once; ++sub) total += shared[sub * lanes * kLine + i];
    partial[(network * gridDim.x + blockIdx.x) * channels + first + i] = total;
  }
}

__global__ void finish_activation(const float* __restrict__ partial, int blocks, int channels,
                                  Entries to) {
  __shared__ float sums[kFinalRows][32];
  const int channel = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  const std::int64_t network = blockIdx.y;
  float own = 0;
  if (channel < channels)
    for (int block = static_cast<int>(threadIdx.y); block < blocks; block += kFinalRows)
      own += partial[(network * blocks + block) * channels + channel];
  sums[threadIdx.y][threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  const std::int64_t at = network * channels + channel;
  float total = 0;
  for (int i = 0; i < kFinalRows; ++i) total += sums[i][threadIdx.x];
  if (to.bfloat16)
    static_cast<__nv_bfloat16*>(to.data)[at] = __float2bfloat16(total);
  else
    static_cast<float*>(to.data)[at] = total;
}

}  // namespace

std::int64_t activation_scratch(Rows shape, std::int64_t networks) {
  return networks * walk_of(shape, networks).grid.x * shape.channels;
}

void activation_backward(Activation activation, const void* gradient, const void* known,
                         void* result, Rows shape, std::int64_t networks, float* scratch,
                         Entries bias_gradient, Stream stream) {
  const Walk walk = walk_of(shape, networks);
  const dim3 grid(walk.grid.x, walk.grid.y, static_cast<unsigned>(networks));
  const auto bytes = static_cast<unsigned>(walk.threads * kLine) * sizeof(float);
  float* partial = bias_gradient.data ? scratch : nullptr;
  const auto launch = [&](auto kernel) {
    kernel<<<grid, walk.threads, bytes, stream>>>(
        static_cast<const __nv_bfloat16*>(gradient), static_cast<const __nv_bfloat16*>(known),
        static_cast<__nv_bfloat16*>(result), shape.rows, walk.vectors, walk.lanes, partial);
  };
  switch (activation) {
    case Activation::none:
      launch(activation_gradient<Activation::none>);
      break;
    case Activation::relu:
      launch(activation_gradient<Activation::relu>);
      break;
    case Activation::gelu:
      launch(activation_gradient<Activation::gelu>);
      break;
  }
  if (partial)
    finish_activation<<<dim3((static_cast<unsigned>(shape.channels) + 31) / 32,
                             static_cast<unsigned>(networks)),
                        dim3(32, kFinalRows), 0, stream>>>(
        partial, static_cast<int>(walk.grid.x), static_cast<int>(shape.channels), bias_gradient);
}

}  // namespace mosaic::supernet::cuda
