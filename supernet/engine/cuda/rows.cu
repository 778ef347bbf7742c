// Sums into rows of a table: what an embedding's gradient is, where most rows have none.
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kChunk = 32;  // rows that a block adds up
constexpr int kAtOnce = 8;  // of them that a thread waits for
constexpr int kWide = 4;

__device__ float4 plus(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/// Does entry i begin where another one ends?
__device__ bool continues(const std::int64_t* keys, std::int64_t i, std::int64_t count) {
  return i > 0 && i < count && keys[i] == keys[i - 1];
}

/// A block adds up a chunk. Sums that go on in the chunk before or behind are left to add_ends():
/// partial [chunks, 2, width], of the first and of the last.
__global__ void add_chunks(const SortedRows given, float* __restrict__ partial) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kChunk;
  const auto size = static_cast<int>(min(std::int64_t{kChunk}, given.count - begin));
  __shared__ std::int64_t keys[kChunk], order[kChunk];
  for (int i = static_cast<int>(threadIdx.x); i < size; i += static_cast<int>(blockDim.x)) {
    keys[i] = given.keys[begin + i];
    order[i] = given.order[begin + i];
  }
  __syncthreads();
  const bool from_before = continues(given.keys, begin, given.count);
  const bool goes_on = continues(given.keys, begin + size, given.count);
  for (int at = static_cast<int>(threadIdx.x) * kWide; at < given.width;
       at += static_cast<int>(blockDim.x) * kWide) {
    float4 sum = make_float4(0, 0, 0, 0);
    bool is_first = true;
    for (int first = 0; first < size; first += kAtOnce) {
      float4 values[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int i = min(first + u, size - 1);
        values[u] =
            __ldg(reinterpret_cast<const float4*>(given.rows + order[i] * given.width + at));
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int i = first + u;
        if (i >= size) break;
        sum = plus(sum, values[u]);
        const bool is_last = i + 1 == size;
        if (!is_last && keys[i + 1] == keys[i]) continue;
        float4* to = reinterpret_cast<float4*>(given.table + keys[i] * given.stride + at);
        float* part = partial + std::int64_t{blockIdx.x} * 2 * given.width + at;
        if (is_first && from_before)
          *reinterpret_cast<float4*>(part) = sum;
        else if (is_last && goes_on)
          *reinterpret_cast<float4*>(part + given.width) = sum;
        else
          *to = plus(*to, sum);
        is_first = false;
        sum = make_float4(0, 0, 0, 0);
      }
    }
  }
}

/// A block adds up what begins in its chunk and ends in a later one.
__global__ void add_ends(const SortedRows given, const float* __restrict__ partial) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kChunk, end = begin + kChunk;
  if (!continues(given.keys, end, given.count)) return;
  const std::int64_t key = given.keys[end - 1];
  if (given.keys[begin] == key && continues(given.keys, begin, given.count)) return;
  std::int64_t low = end, high = given.count;  // the first entry behind the key's
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (given.keys[middle] <= key)
      low = middle + 1;
    else
      high = middle;
  }
  const std::int64_t last = (low - 1) / kChunk;
  for (int at = static_cast<int>(threadIdx.x) * kWide; at < given.width;
       at += static_cast<int>(blockDim.x) * kWide) {
    const auto part = [&](std::int64_t chunk, int which) {
      return *reinterpret_cast<const float4*>(partial + (chunk * 2 + which) * given.width + at);
    };
    float4 sum = part(blockIdx.x, 1);
#pragma unroll 8
    for (std::int64_t chunk = blockIdx.x + 1; chunk <= last; ++chunk)
      sum = plus(sum, part(chunk, 0));
    float4* to = reinterpret_cast<float4*>(given.table + key * given.stride + at);
    *to = plus(*to, sum);
  }
}

std::int64_t chunks_of(const SortedRows& given) { return (given.count + kChunk - 1) / kChunk; }

}  // namespace

std::int64_t add_rows_scratch(const SortedRows& given) {
  return chunks_of(given) * 2 * given.width;
}

void add_rows(const SortedRows& given, float* scratch, Stream stream) {
  const auto blocks = static_cast<unsigned>(chunks_of(given));
  const auto threads = static_cast<unsigned>(
      std::clamp<std::int64_t>((given.width / kWide + 31) / 32 * 32, 32, 256));
  add_chunks<<<blocks, threads, 0, stream>>>(given, scratch);
  add_ends<<<blocks, threads, 0, stream>>>(given, scratch);
}

}  // namespace mosaic::supernet::cuda
