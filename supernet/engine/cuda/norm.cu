// Batch norm of channels-last bfloat16, with the residual and the ReLU that follow it: one pass for
// the statistics and one for the rest, forwards and backwards. These layers are bound by memory, so
// passes over the activations are what counts.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/walk.cuh"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kVector = 8;  // channels in 16 bytes
constexpr int kFinalRows = 16;

__device__ void unpack(const uint4& packed, float* values) {
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&packed);
#pragma unroll
  for (int i = 0; i < kVector / 2; ++i) {
    const float2 pair = __bfloat1622float2(pairs[i]);
    values[2 * i] = pair.x;
    values[2 * i + 1] = pair.y;
  }
}

__device__ uint4 pack(const float* values) {
  uint4 packed;
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(&packed);
#pragma unroll
  for (int i = 0; i < kVector / 2; ++i)
    pairs[i] = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
  return packed;
}

Walk walk(Rows shape, int rows_a_thread, int most_blocks) {
  return {shape.rows, static_cast<int>(shape.channels / kVector), rows_a_thread, most_blocks};
}
Walk reducing(Rows shape) { return walk(shape, 8, 528); }
Walk mapping(Rows shape) { return walk(shape, 4, 2112); }

/// Sums `first` and `second` over the threads of a block that have the same channels:
/// partial[block, {first, second}, channels].
__device__ void reduce_block(const Place& place, int vectors, int lanes, const float* first,
                             const float* second, float* partial) {
  extern __shared__ float shared[];  // [threads / lanes][16][lanes]
  constexpr int kSums = 2 * kVector;
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    shared[(place.sub * kSums + i) * lanes + place.lane] = first[i];
    shared[(place.sub * kSums + kVector + i) * lanes + place.lane] = second[i];
  }
  __syncthreads();
  const int at_once = static_cast<int>(blockDim.x) / lanes;
  for (int index = static_cast<int>(threadIdx.x); index < kSums * lanes;
       index += static_cast<int>(blockDim.x)) {
    const int sum = index / lanes, lane = index % lanes;
    const int vector = static_cast<int>(blockIdx.y) * lanes + lane;
    if (vector >= vectors) continue;
    float total = 0;
    for (int sub = 0; sub < at_once; ++sub) total += shared[(sub * kSums + sum) * lanes + lane];
    const std::int64_t channels = static_cast<std::int64_t>(vectors) * kVector;
    partial[(static_cast<std::int64_t>(blockIdx.x) * 2 + sum / kVector) * channels +
            vector * kVector + sum % kVector] = total;
  }
}

/// Sums of x and x^2, less the channel's first value: what is far from 0 keeps its digits.
__global__ void sum_values(const uint4* __restrict__ x, std::int64_t rows, int vectors, int lanes,
                           float* __restrict__ partial) {
  const Place place(vectors, lanes);
  float sum[kVector] = {}, square[kVector] = {};
  if (place.vector >= 0) {
    float shift[kVector];
    unpack(x[place.vector], shift);
    const auto add = [&](const uint4& packed) {
      float values[kVector];
      unpack(packed, values);
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        const float value = values[i] - shift[i];
        sum[i] += value;
        square[i] = fmaf(value, value, square[i]);
      }
    };
    std::int64_t row = place.row;
    for (; row + 3 * place.step < rows; row += 4 * place.step) {
      uint4 packed[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) packed[i] = x[(row + i * place.step) * vectors + place.vector];
#pragma unroll
      for (int i = 0; i < 4; ++i) add(packed[i]);
    }
    for (; row < rows; row += place.step) add(x[row * vectors + place.vector]);
  }
  reduce_block(place, vectors, lanes, sum, square, partial);
}

/// Both totals of 32 channels a block; the first row of threads has them.
__device__ bool total(const float* partial, int blocks, int channels, int& channel, float& first,
                      float& second) {
  __shared__ float sums[2][kFinalRows][32];
  channel = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  float a = 0, b = 0;
  if (channel < channels)
    for (int block = static_cast<int>(threadIdx.y); block < blocks; block += kFinalRows) {
      a += partial[static_cast<std::int64_t>(2 * block) * channels + channel];
      b += partial[static_cast<std::int64_t>(2 * block + 1) * channels + channel];
    }
  sums[0][threadIdx.y][threadIdx.x] = a;
  sums[1][threadIdx.y][threadIdx.x] = b;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return false;
  first = second = 0;
  for (int i = 0; i < kFinalRows; ++i) {
    first += sums[0][i][threadIdx.x];
    second += sums[1][i][threadIdx.x];
  }
  return true;
}

__global__ void finish_statistics(const float* partial, int blocks, int channels,
                                  const __nv_bfloat16* x, float count, float epsilon, float* mean,
                                  float* inverse) {
  int channel;
  float sum, square;
  if (!total(partial, blocks, channels, channel, sum, square)) return;
  const float away = sum / count;
  mean[channel] = __bfloat162float(x[channel]) + away;
  inverse[channel] = rsqrtf(fmaxf(square / count - away * away, 0.0F) + epsilon);
}

__global__ void finish_gradients(const float* partial, int blocks, int channels,
                                 float* bias_gradient, float* weight_gradient) {
  int channel;
  float sum, product;
  if (!total(partial, blocks, channels, channel, sum, product)) return;
  bias_gradient[channel] = sum;
  weight_gradient[channel] = product;
}

/// What eight channels are multiplied with and shifted by.
struct Affine {
  float scale[kVector], shift[kVector];
  __device__ Affine(const float* weight, const float* bias, const float* mean, const float* inverse,
                    int vector) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const int channel = vector * kVector + i;
      scale[i] = weight[channel] * inverse[channel];
      shift[i] = bias[channel] - mean[channel] * scale[i];
    }
  }
};

template <bool kRelu, bool kResidual>
__global__ void apply(const uint4* __restrict__ x, const uint4* __restrict__ residual,
                      const float* __restrict__ weight, const float* __restrict__ bias,
                      const float* __restrict__ mean, const float* __restrict__ inverse,
                      uint4* __restrict__ y, std::int64_t rows, int vectors, int lanes) {
  const Place place(vectors, lanes);
  if (place.vector < 0) return;
  const Affine affine(weight, bias, mean, inverse, place.vector);
#pragma unroll 4
  for (std::int64_t row = place.row; row < rows; row += place.step) {
    const std::int64_t at = row * vectors + place.vector;
    float values[kVector], other[kVector];
    unpack(x[at], values);
    if constexpr (kResidual) unpack(residual[at], other);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      values[i] = fmaf(values[i], affine.scale[i], affine.shift[i]);
      if constexpr (kResidual) values[i] += other[i];
      if constexpr (kRelu) values[i] = fmaxf(values[i], 0.0F);
    }
    y[at] = pack(values);
  }
}

/// The gradient behind the ReLU, and the value before the affine map, of eight channels.
template <bool kRelu, bool kResidual>
__device__ void behind(const uint4* gradient, const uint4* x, const uint4* y, std::int64_t at,
                       const Affine& affine, float* passed, float* values) {
  unpack(gradient[at], passed);
  unpack(x[at], values);
  if constexpr (kRelu) {
    float outputs[kVector];
    if constexpr (kResidual) unpack(y[at], outputs);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      if constexpr (!kResidual) outputs[i] = fmaf(values[i], affine.scale[i], affine.shift[i]);
      if (outputs[i] <= 0) passed[i] = 0;
    }
  }
}

template <bool kRelu, bool kResidual>
__global__ void sum_gradients(const uint4* __restrict__ gradient, const uint4* __restrict__ x,
                              const uint4* __restrict__ y, const float* __restrict__ weight,
                              const float* __restrict__ bias, const float* __restrict__ mean,
                              const float* __restrict__ inverse, std::int64_t rows, int vectors,
                              int lanes, float* __restrict__ partial) {
  const Place place(vectors, lanes);
  float sum[kVector] = {}, product[kVector] = {};
  if (place.vector >= 0) {
    const Affine affine(weight, bias, mean, inverse, place.vector);
    float middle[kVector], spread[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      middle[i] = mean[place.vector * kVector + i];
      spread[i] = inverse[place.vector * kVector + i];
    }
#pragma unroll 4
    for (std::int64_t row = place.row; row < rows; row += place.step) {
      float passed[kVector], values[kVector];
      behind<kRelu, kResidual>(gradient, x, y, row * vectors + place.vector, affine, passed,
                               values);
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        sum[i] += passed[i];
        product[i] = fmaf(passed[i], (values[i] - middle[i]) * spread[i], product[i]);
      }
    }
  }
  reduce_block(place, vectors, lanes, sum, product, partial);
}

template <bool kRelu, bool kResidual>
__global__ void apply_gradients(const uint4* __restrict__ gradient, const uint4* __restrict__ x,
                                const uint4* __restrict__ y, const float* __restrict__ weight,
                                const float* __restrict__ bias, const float* __restrict__ mean,
                                const float* __restrict__ inverse,
                                const float* __restrict__ weight_gradient,
                                const float* __restrict__ bias_gradient,
                                uint4* __restrict__ x_gradient,
                                uint4* __restrict__ residual_gradient, std::int64_t rows,
                                int vectors, int lanes) {
  const Place place(vectors, lanes);
  if (place.vector < 0) return;
  const Affine affine(weight, bias, mean, inverse, place.vector);
  // dx = scale (g - mean(g) - xhat mean(g xhat)), as scale g + slope x + offset.
  float slope[kVector], offset[kVector];
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    const int channel = place.vector * kVector + i;
    const float along = weight_gradient[channel] / static_cast<float>(rows) * inverse[channel];
    slope[i] = -affine.scale[i] * along;
    offset[i] = affine.scale[i] *
                (mean[channel] * along - bias_gradient[channel] / static_cast<float>(rows));
  }
#pragma unroll 2
  for (std::int64_t row = place.row; row < rows; row += place.step) {
    const std::int64_t at = row * vectors + place.vector;
    float passed[kVector], values[kVector];
    behind<kRelu, kResidual>(gradient, x, y, at, affine, passed, values);
    if constexpr (kResidual) residual_gradient[at] = pack(passed);
#pragma unroll
    for (int i = 0; i < kVector; ++i)
      values[i] = fmaf(affine.scale[i], passed[i], fmaf(slope[i], values[i], offset[i]));
    x_gradient[at] = pack(values);
  }
}

int shared_bytes(const Walk& walk) {
  return walk.threads * 2 * kVector * static_cast<int>(sizeof(float));
}

/// Calls run(relu, residual) with both as compile-time constants.
template <class Run>
void choose(bool relu, bool residual, const Run& run) {
  if (relu && residual) return run(std::true_type(), std::true_type());
  if (relu) return run(std::true_type(), std::false_type());
  if (residual) return run(std::false_type(), std::true_type());
  return run(std::false_type(), std::false_type());
}

const uint4* vectors_of(const void* data) { return static_cast<const uint4*>(data); }
uint4* vectors_of(void* data) { return static_cast<uint4*>(data); }

}  // namespace

std::int64_t norm_scratch(Rows shape) {
  return static_cast<std::int64_t>(reducing(shape).grid.x) * 2 * shape.channels;
}

void norm_statistics(const void* x, Rows shape, float epsilon, float* scratch, float* mean,
                     float* inverse, Stream stream) {
  const Walk walk = reducing(shape);
  sum_values<<<walk.grid, walk.threads, shared_bytes(walk), stream>>>(
      vectors_of(x), shape.rows, walk.vectors, walk.lanes, scratch);
  const int channels = static_cast<int>(shape.channels);
  finish_statistics<<<(channels + 31) / 32, dim3(32, kFinalRows), 0, stream>>>(
      scratch, static_cast<int>(walk.grid.x), channels, static_cast<const __nv_bfloat16*>(x),
      static_cast<float>(shape.rows), epsilon, mean, inverse);
}

void norm_forward(const void* x, const void* residual, const float* weight, const float* bias,
                  const float* mean, const float* inverse, bool relu, void* y, Rows shape,
                  Stream stream) {
  const Walk walk = mapping(shape);
  choose(relu, residual != nullptr, [&](auto with_relu, auto with_residual) {
    apply<with_relu.value, with_residual.value><<<walk.grid, walk.threads, 0, stream>>>(
        vectors_of(x), vectors_of(residual), weight, bias, mean, inverse, vectors_of(y), shape.rows,
        walk.vectors, walk.lanes);
  });
}

void norm_backward(const void* gradient, const void* x, const void* y, const float* weight,
                   const float* bias, const float* mean, const float* inverse, bool relu,
                   float* scratch, float* weight_gradient, float* bias_gradient, void* x_gradient,
                   void* residual_gradient, Rows shape, Stream stream) {
  const Walk sums = reducing(shape), walk = mapping(shape);
  const int channels = static_cast<int>(shape.channels);
  choose(relu, residual_gradient != nullptr, [&](auto with_relu, auto with_residual) {
    constexpr bool kRelu = with_relu.value, kResidual = with_residual.value;
    sum_gradients<kRelu, kResidual><<<sums.grid, sums.threads, shared_bytes(sums), stream>>>(
        vectors_of(gradient), vectors_of(x), vectors_of(y), weight, bias, mean, inverse, shape.rows,
        sums.vectors, sums.lanes, scratch);
    finish_gradients<<<(channels + 31) / 32, dim3(32, kFinalRows), 0, stream>>>(
        scratch, static_cast<int>(sums.grid.x), channels, bias_gradient, weight_gradient);
    apply_gradients<kRelu, kResidual><<<walk.grid, walk.threads, 0, stream>>>(
        vectors_of(gradient), vectors_of(x), vectors_of(y), weight, bias, mean, inverse,
        weight_gradient, bias_gradient, vectors_of(x_gradient), vectors_of(residual_gradient),
        shape.rows, walk.vectors, walk.lanes);
  });
}

}  // namespace mosaic::supernet::cuda
