// Layer norm and RMS norm over the last axis, with the addition before them. A row is read once
// each way and held in registers; what is added is added again in the backward pass, so that no
// sum is kept.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/lines.cuh"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kLine = 8;  // features that a thread reads at once
constexpr int kThreads = 256;
constexpr int kMostParts = 4;
constexpr int kFinalRows = 16;

/// So many warps share a row, and a thread has so many lines of it.
template <int kWarpCount, int kPartCount>
struct Shape {
  static constexpr int kWarps = kWarpCount, kParts = kPartCount;
  static constexpr int kLanes = 32 * kWarps;
  static constexpr int kRows = kThreads / kLanes;  ///< that a block works on at once
};

__device__ void read(const Entries& from, std::int64_t at, float (&values)[kLine]) {
  if (from.bfloat16)
    load<kLine>(static_cast<const __nv_bfloat16*>(from.data) + at, values);
  else
    load<kLine>(static_cast<const float*>(from.data) + at, values);
}

__device__ void write(const Entries& to, std::int64_t at, const float (&values)[kLine]) {
  if (to.bfloat16)
    store<kLine>(static_cast<__nv_bfloat16*>(to.data) + at, values);
  else
    store<kLine>(static_cast<float*>(to.data) + at, values);
}

/// Sums over the threads of a row, for all of them. All threads of the block come here.
template <class Shape>
__device__ float2 sums_of_row(float first, float second) {
  float2 total = make_float2(sum_of_warp(first), sum_of_warp(second));
  if constexpr (Shape::kWarps > 1) {
    __shared__ float2 sums[kThreads / 32];
    const int warp = static_cast<int>(threadIdx.y) * Shape::kWarps;
    __syncthreads();  // what an earlier sum left is read
    if (threadIdx.x % 32 == 0) sums[warp + static_cast<int>(threadIdx.x) / 32] = total;
    __syncthreads();
    total = make_float2(0, 0);
#pragma unroll
    for (int i = 0; i < Shape::kWarps; ++i) {
      total.x += sums[warp + i].x;
      total.y += sums[warp + i].y;
    }
  }
  return total;
}

/// A thread's lines of a row: features from first(part) on, where there are any.
template <class Shape>
struct Part {
  int features;
  __device__ int first(int part) const {
    return (part * Shape::kLanes + static_cast<int>(threadIdx.x)) * kLine;
  }
  __device__ bool there(int part) const { return first(part) < features; }
};

/// x plus what is added to it; zeros of a row that is not there.
template <class Shape>
__device__ void read_sum(const Entries& x, const Entries& residual, const Part<Shape>& own,
                         std::int64_t at, bool live, float (&values)[Shape::kParts][kLine]) {
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p) {
#pragma unroll
    for (int i = 0; i < kLine; ++i) values[p][i] = 0;
    if (live && own.there(p)) read(x, at + own.first(p), values[p]);
  }
  if (residual.data == nullptr) return;
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p) {
    if (!live || !own.there(p)) continue;
    float more[kLine];
    read(residual, at + own.first(p), more);
#pragma unroll
    for (int i = 0; i < kLine; ++i) values[p][i] += more[i];
  }
}

template <class Shape>
__global__ void __launch_bounds__(kThreads)
    norm_rows(RowNorm norm, Entries x, Entries residual, Entries y, float* __restrict__ mean,
              float* __restrict__ inverse) {
  const Part<Shape> own{static_cast<int>(norm.features)};
  const std::int64_t network = blockIdx.y;
  const float share = 1.0F / static_cast<float>(norm.features);
  const std::int64_t row = std::int64_t{blockIdx.x} * Shape::kRows + threadIdx.y;
  const bool live = row < norm.rows;
  const std::int64_t number = network * norm.rows + row, at = number * norm.features;
  float values[Shape::kParts][kLine];
  read_sum<Shape>(x, residual, own, at, live, values);
  float sum = 0, square = 0;
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p)
#pragma unroll
    for (int i = 0; i < kLine; ++i) sum += values[p][i];
  const float middle = norm.centred ? sums_of_row<Shape>(sum, 0).x * share : 0.0F;
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p) {
    if (!own.there(p)) continue;
#pragma unroll
    for (int i = 0; i < kLine; ++i) {
      values[p][i] -= middle;
      square = fmaf(values[p][i], values[p][i], square);
    }
  }
  const float scale = rsqrtf(sums_of_row<Shape>(square, 0).x * share + norm.epsilon);
  if (!live) return;
  if (threadIdx.x == 0) {
    mean[number] = middle;
    inverse[number] = scale;
  }
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p) {
    if (!own.there(p)) continue;
    const std::int64_t feature = network * norm.features + own.first(p);
    float weight[kLine], bias[kLine] = {};
    load<kLine>(norm.weight + feature, weight);
    if (norm.bias) load<kLine>(norm.bias + feature, bias);
#pragma unroll
    for (int i = 0; i < kLine; ++i) values[p][i] = fmaf(values[p][i] * scale, weight[i], bias[i]);
    write(y, at + own.first(p), values[p]);
  }
}

/// Sums [features] over the rows of a block's threads. All of them come here.
template <class Shape>
__device__ void add_up_rows(const Part<Shape>& own, const float (&values)[Shape::kParts][kLine],
                            float* __restrict__ to) {
  extern __shared__ float4 shared[];  // [kRows, features]
  auto* rows = reinterpret_cast<float*>(shared);
  __syncthreads();  // what was there is read
#pragma unroll
  for (int p = 0; p < Shape::kParts; ++p)
    if (own.there(p))
      store<kLine>(rows + static_cast<int>(threadIdx.y) * own.features + own.first(p), values[p]);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.y) * Shape::kLanes + static_cast<int>(threadIdx.x);
       i < own.features; i += kThreads) {
    float total = 0;
#pragma unroll
    for (int row = 0; row < Shape::kRows; ++row) total += rows[row * own.features + i];
    to[i] = total;
  }
}

/// dx = inverse (g - mean(g) - xhat mean(g xhat)) with g = weight dy (RMS norm: without mean(g)),
/// and sums of dy xhat and dy over the rows of a block: partial[network, block, 2, features].
template <class Shape>
__global__ void __launch_bounds__(kThreads)
    norm_rows_gradient(RowNorm norm, Entries gradient, Entries x, Entries residual,
                       const float* __restrict__ mean, const float* __restrict__ inverse,
                       Entries x_gradient, Entries residual_gradient, float* __restrict__ partial) {
  const Part<Shape> own{static_cast<int>(norm.features)};
  const std::int64_t network = blockIdx.y;
  const float share = 1.0F / static_cast<float>(norm.features);
  float of_weight[Shape::kParts][kLine] = {}, of_bias[Shape::kParts][kLine] = {};
  for (std::int64_t first = std::int64_t{blockIdx.x} * Shape::kRows; first < norm.rows;
       first += std::int64_t{gridDim.x} * Shape::kRows) {
    const std::int64_t row = first + threadIdx.y;
    const bool live = row < norm.rows;
    const std::int64_t number = network * norm.rows + row, at = number * norm.features;
    float values[Shape::kParts][kLine], given[Shape::kParts][kLine];
    read_sum<Shape>(x, residual, own, at, live, values);
    read_sum<Shape>(gradient, Entries{}, own, at, live, given);
    const float middle = live ? mean[number] : 0.0F, scale = live ? inverse[number] : 0.0F;
    float sum = 0, along = 0;
#pragma unroll
    for (int p = 0; p < Shape::kParts; ++p) {
      if (!own.there(p)) continue;
      float weight[kLine];
      load<kLine>(norm.weight + network * norm.features + own.first(p), weight);
#pragma unroll
      for (int i = 0; i < kLine; ++i) {
        values[p][i] = (values[p][i] - middle) * scale;
        of_weight[p][i] = fmaf(given[p][i], values[p][i], of_weight[p][i]);
        of_bias[p][i] += given[p][i];
        given[p][i] *= weight[i];
        sum += given[p][i];
        along = fmaf(given[p][i], values[p][i], along);
      }
    }
    float2 totals = sums_of_row<Shape>(sum, along);
    totals.x = norm.centred ? totals.x * share : 0.0F;
    totals.y *= share;
    if (!live) continue;
#pragma unroll
    for (int p = 0; p < Shape::kParts; ++p) {
      if (!own.there(p)) continue;
#pragma unroll
      for (int i = 0; i < kLine; ++i)
        given[p][i] = scale * (given[p][i] - totals.x - values[p][i] * totals.y);
      write(x_gradient, at + own.first(p), given[p]);
      if (residual_gradient.data) write(residual_gradient, at + own.first(p), given[p]);
    }
  }
  float* to = partial + (network * gridDim.x + blockIdx.x) * 2 * own.features;
  add_up_rows<Shape>(own, of_weight, to);
  add_up_rows<Shape>(own, of_bias, to + own.features);
}

/// Sums of partial[network, blocks, 2, features] over blocks, of 32 columns a block.
__global__ void finish_norm(const float* __restrict__ partial, int blocks, int features,
                            float* __restrict__ weight_gradient,
                            float* __restrict__ bias_gradient) {
  __shared__ float sums[kFinalRows][32];
  const int column = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  const std::int64_t network = blockIdx.y;
  float own = 0;
  if (column < 2 * features)
    for (int block = static_cast<int>(threadIdx.y); block < blocks; block += kFinalRows)
      own += partial[(network * blocks + block) * 2 * features + column];
  sums[threadIdx.y][threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.y > 0 || column >= 2 * features) return;
  float total = 0;
  for (int i = 0; i < kFinalRows; ++i) total += sums[i][threadIdx.x];
  if (column < features)
    weight_gradient[network * features + column] = total;
  else if (bias_gradient)
    bias_gradient[network * features + column - features] = total;
}

/// Calls run() with the shape for so many features.
template <class Run>
void choose(std::int64_t features, const Run& run) {
  constexpr std::int64_t kWarp = 32 * kLine;
  if (features <= kWarp) return run(Shape<1, 1>());
  if (features <= 2 * kWarp) return run(Shape<1, 2>());
  if (features <= 3 * kWarp) return run(Shape<1, 3>());
  if (features <= 4 * kWarp) return run(Shape<1, 4>());
  if (features <= 8 * kWarp) return run(Shape<4, 2>());
  if (features <= 12 * kWarp) return run(Shape<4, 3>());
  return run(Shape<4, kMostParts>());
}

unsigned quotient(std::int64_t count, std::int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

/// Blocks of the backward pass for each network.
unsigned blocks_of(const RowNorm& norm) {
  const std::int64_t rows = norm.features <= 1024 ? 8 : 2;  // of a block at once
  const std::int64_t most = std::max<std::int64_t>(1, 264 / norm.networks);
  return static_cast<unsigned>(std::clamp<std::int64_t>(quotient(norm.rows, 2 * rows), 1, most));
}

}  // namespace

std::int64_t row_norm_most_features() { return std::int64_t{32} * 4 * kMostParts * kLine; }

std::int64_t row_norm_scratch(const RowNorm& norm) {
  return norm.networks * blocks_of(norm) * 2 * norm.features;
}

void row_norm_forward(const RowNorm& norm, Entries x, Entries residual, Entries y, float* mean,
                      float* inverse, Stream stream) {
  choose(norm.features, [&](auto shape) {
    using Own = decltype(shape);
    const dim3 grid(quotient(norm.rows, Own::kRows), static_cast<unsigned>(norm.networks));
    norm_rows<Own>
        <<<grid, dim3(Own::kLanes, Own::kRows), 0, stream>>>(norm, x, residual, y, mean, inverse);
  });
}

void row_norm_backward(const RowNorm& norm, Entries gradient, Entries x, Entries residual,
                       const float* mean, const float* inverse, Entries x_gradient,
                       Entries residual_gradient, float* scratch, float* weight_gradient,
                       float* bias_gradient, Stream stream) {
  const auto features = static_cast<int>(norm.features);
  const dim3 grid(blocks_of(norm), static_cast<unsigned>(norm.networks));
  choose(norm.features, [&](auto shape) {
    using Own = decltype(shape);
    norm_rows_gradient<Own>
        <<<grid, dim3(Own::kLanes, Own::kRows),
           static_cast<unsigned>(Own::kRows * features) * sizeof(float), stream>>>(
            norm, gradient, x, residual, mean, inverse, x_gradient, residual_gradient, scratch);
  });
  finish_norm<<<dim3(quotient(2 * norm.features, 32), grid.y), dim3(32, kFinalRows), 0, stream>>>(
      scratch, static_cast<int>(grid.x), features, weight_gradient, bias_gradient);
}

}  // namespace mosaic::supernet::cuda
