/// Entries of a row as a thread reads and writes them, in float32 whatever they are stored in, and
/// sums over threads.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace mosaic::supernet::cuda {

/// kCount neighbouring entries, by accesses as wide as they are.
template <int kCount>
__device__ void load(const float* from, float (&values)[kCount]) {
  if constexpr (kCount % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i) {
      const float4 four = __ldg(reinterpret_cast<const float4*>(from) + i);
      values[4 * i] = four.x;
      values[4 * i + 1] = four.y;
      values[4 * i + 2] = four.z;
      values[4 * i + 3] = four.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = __ldg(from + i);
  }
}

__device__ inline void unpack(unsigned packed, float& low, float& high) {
  low = __uint_as_float(packed << 16);
  high = __uint_as_float(packed & 0xffff0000U);
}

__device__ inline unsigned pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}

template <int kCount>
__device__ void load(const __nv_bfloat16* from, float (&values)[kCount]) {
  if constexpr (kCount % 8 == 0) {
#pragma unroll
    for (int i = 0; i < kCount / 8; ++i) {
      const uint4 packed = __ldg(reinterpret_cast<const uint4*>(from) + i);
      unpack(packed.x, values[8 * i], values[8 * i + 1]);
      unpack(packed.y, values[8 * i + 2], values[8 * i + 3]);
      unpack(packed.z, values[8 * i + 4], values[8 * i + 5]);
      unpack(packed.w, values[8 * i + 6], values[8 * i + 7]);
    }
  } else if constexpr (kCount == 4) {
    const uint2 packed = __ldg(reinterpret_cast<const uint2*>(from));
    unpack(packed.x, values[0], values[1]);
    unpack(packed.y, values[2], values[3]);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = __bfloat162float(from[i]);
  }
}

template <int kCount>
__device__ void store(float* to, const float (&values)[kCount]) {
  if constexpr (kCount % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i)
      reinterpret_cast<float4*>(to)[i] =
          make_float4(values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3]);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = values[i];
  }
}

template <int kCount>
__device__ void store(__nv_bfloat16* to, const float (&values)[kCount]) {
  if constexpr (kCount % 8 == 0) {
#pragma unroll
    for (int i = 0; i < kCount / 8; ++i)
      reinterpret_cast<uint4*>(to)[i] = make_uint4(
          pack(values[8 * i], values[8 * i + 1]), pack(values[8 * i + 2], values[8 * i + 3]),
          pack(values[8 * i + 4], values[8 * i + 5]), pack(values[8 * i + 6], values[8 * i + 7]));
  } else if constexpr (kCount == 4) {
    *reinterpret_cast<uint2*>(to) =
        make_uint2(pack(values[0], values[1]), pack(values[2], values[3]));
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = __float2bfloat16(values[i]);
  }
}

/// The sum over a warp's threads, for all of them.
__device__ inline float sum_of_warp(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xffffffff, value, offset);
  return value;
}

/// The sum over a block's threads, for all of them.
template <int kThreads>
__device__ float sum_of_block(float value) {
  __shared__ float sums[kThreads / 32];
  value = sum_of_warp(value);
  __syncthreads();  // what an earlier sum left is read
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) total += sums[i];
  return total;
}

}  // namespace mosaic::supernet::cuda
