// Attention of short sequences: a block has a head of a sentence in shared memory as a whole, a
// warp 16 of its queries, whose shares (the softmax of scores) are in registers. The backward pass
// makes the shares again, so that nothing is kept but what was given; then a warp has 16 of the
// keys. Without atomics: results are the same each time.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/lines.cuh"
#include "engine/cuda/tensor_cores.cuh"

namespace mosaic::supernet::cuda {
namespace {

using Entry = __nv_bfloat16;

constexpr int kTile = 16;    // rows that a warp works on
constexpr int kLine = 8;     // entries in 16 bytes
constexpr int kPad = kLine;  // behind each row in shared memory: its lines meet all banks
constexpr unsigned kBytes = sizeof(Entry);
constexpr int kMostLength = 128, kMostSize = 128;

/// Kernels are made for so many queries and keys, and heads of such a size, at most.
template <int kLengthGiven, int kSizeGiven>
struct Shape {
  static constexpr int kLength = kLengthGiven, kSize = kSizeGiven;
  static constexpr int kThreads = kLength / kTile * 32;
  static constexpr int kTiles = kLength / kTile;  ///< of keys
  static constexpr int kRow = kSize + kPad;       ///< of queries, keys, values
  static constexpr int kWide = kLength + kPad;    ///< row of shares
  static constexpr int kColumns =
      kLength < 64 ? kLength : 64;  ///< of a result that are made at once
  static constexpr int kBlocks = kSize > 64 ? 1 : kLength > 64 ? 1 : kLength > 32 ? 4 : 8;
};

__host__ __device__ constexpr int tiles_of(std::int64_t rows) {
  return static_cast<int>((rows + kTile - 1) / kTile);
}

/// One head of one sentence.
struct Matrix {
  Entry* data;
  std::int64_t stride;
  int rows, columns;
};

__device__ Matrix matrix(const HeadRows& all, std::int64_t sentence, std::int64_t rows,
                         std::int64_t head, std::int64_t size) {
  return {static_cast<Entry*>(all.data) + sentence * rows * all.stride + head * size, all.stride,
          static_cast<int>(rows), static_cast<int>(size)};
}

/// What a block works on: a block for each head of queries of each sentence.
struct Place {
  std::int64_t sentence, head, kv_head;
};

__device__ Place place_of(const Attention& of) {  // divisions of 64 bits are slow
  const auto heads = static_cast<unsigned>(of.heads), kv_heads = static_cast<unsigned>(of.kv_heads);
  const unsigned head = blockIdx.x % heads;
  return {blockIdx.x / heads, head, head / (heads / kv_heads)};
}

/// Begins to copy a matrix into whole tiles of shared memory, with zeros where it has no entries.
template <class Own>
__device__ void copy(const Matrix& from, Entry* to) {
  constexpr int kLines = Own::kSize / kLine;
  const int thread = static_cast<int>(threadIdx.x), column = thread % kLines * kLine;
  const int step = static_cast<int>(blockDim.x) / kLines, end = tiles_of(from.rows) * kTile;
  for (int row = thread / kLines; row < end; row += step) {
    const bool there = row < from.rows && column < from.columns;
    copy_line(there ? from.data + row * from.stride + column : from.data,
              to + row * Own::kRow + column, there);
  }
}

/// What is added to the scores of keys: 0, or -infinity of those that do not count.
__device__ void set_bias(const Attention& of, std::int64_t sentence, float* bias) {
  const int end = tiles_of(of.keys) * kTile;
  for (int key = static_cast<int>(threadIdx.x); key < end; key += static_cast<int>(blockDim.x)) {
    const bool counts =
        key < of.keys && (of.mask == nullptr || of.mask[sentence * of.keys + key] != 0);
    bias[key] = counts ? 0.0F : -INFINITY;
  }
}

/// Where a lane is. Matrices of 8 x 8 that lanes load: of each tile, one below the other and then
/// to the right (by_rows), or to the right first (by_columns).
struct Lane {
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  int row = lane / 4, column = lane % 4 * 2;  ///< of its first entry of a product
  __device__ int by_rows(int stride) const { return lane % 16 * stride + lane / 16 * 8; }
  __device__ int by_columns(int stride) const {
    return (lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8;
  }
};

/// Products of 16 rows with the rows of some tiles: sums[tile][half] = left (right of the tile)^T.
template <class Own>
using Products = float[Own::kTiles][2][4];

template <class Own>
__device__ void multiply_rows(const Lane& own, const Entry* left, const Entry* right, int tiles,
                              Products<Own>& sums) {
  constexpr int kSteps = Own::kSize / kTile;
  const unsigned from = shared_address(left + own.by_rows(Own::kRow));
  const unsigned with = shared_address(right + own.by_columns(Own::kRow));
  unsigned a[kSteps][4];
#pragma unroll
  for (int step = 0; step < kSteps; ++step) load_matrices(from + step * kTile * kBytes, a[step]);
#pragma unroll
  for (int tile = 0; tile < Own::kTiles; ++tile) {
    if (tile >= tiles) break;
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[tile][0][i] = sums[tile][1][i] = 0;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      unsigned b[4];
      load_matrices(with + (tile * Own::kRow + step) * kTile * kBytes, b);
      multiply(a[step], b[0], b[1], sums[tile][0]);
      multiply(a[step], b[2], b[3], sums[tile][1]);
    }
  }
}

/// sums[n] [16, 8] += a (16 rows of `right`), columns of it from the first on.
template <class Own>
using Sums = float[Own::kColumns / 8][4];

template <class Own>
__device__ void add_product(const unsigned (&a)[4], unsigned right, Sums<Own>& sums) {
#pragma unroll
  for (int n = 0; n < Own::kColumns / 16; ++n) {
    unsigned b[4];
    load_transposed(right + n * 16 * kBytes, b);
    multiply(a, b[0], b[1], sums[2 * n]);
    multiply(a, b[2], b[3], sums[2 * n + 1]);
  }
}

/// Writes a warp's sums to rows and columns from here on, by way of shared memory of its own, as
/// whole lines.
template <class Own>
__device__ void store_sums(const Lane& own, const Sums<Own>& sums, Entry* by, int stride,
                           const Matrix& to, int first_row, int first_column) {
  __syncwarp();
#pragma unroll
  for (int n = 0; n < Own::kColumns / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<unsigned*>(by + (own.row + 8 * half) * stride + 8 * n + own.column) =
          pack(sums[n][2 * half], sums[n][2 * half + 1]);
  __syncwarp();
  constexpr int kLines = Own::kColumns / kLine;
#pragma unroll
  for (int i = 0; i < kTile * kLines / 32; ++i) {
    const int place = i * 32 + own.lane, row = place / kLines, column = place % kLines * kLine;
    if (first_row + row < to.rows && first_column + column < to.columns)
      *reinterpret_cast<uint4*>(to.data + (first_row + row) * to.stride + first_column + column) =
          *reinterpret_cast<const uint4*>(by + row * stride + column);
  }
  __syncwarp();
}

/// The sum, or the largest, over the four lanes of a row.
__device__ float sum_of_row(float value) {
  value += __shfl_xor_sync(0xffffffff, value, 1);
  return value + __shfl_xor_sync(0xffffffff, value, 2);
}
__device__ float largest_of_row(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffff, value, 2));
}

/// From products of queries and keys to shares, but for the factors that it gives: 1 / sum of each
/// of the two rows; 0 where no key counts.
template <class Own>
__device__ float2 soften(const Lane& own, const Attention& of, const float* bias, int first_row,
                         int tiles, Products<Own>& scores) {
  const float scale = of.scale * 1.44269504F;  // shares are powers of 2
  float factor[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + own.row + 8 * half;
    float most = -INFINITY, sum = 0;
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        const int key = tile * kTile + 8 * n + own.column;
        const float2 added = *reinterpret_cast<const float2*>(bias + key);
        float &first = scores[tile][n][2 * half], &second = scores[tile][n][2 * half + 1];
        first = of.causal && key > row ? -INFINITY : fmaf(first, scale, added.x);
        second = of.causal && key + 1 > row ? -INFINITY : fmaf(second, scale, added.y);
        most = fmaxf(most, fmaxf(first, second));
      }
    }
    most = largest_of_row(most);
    if (most == -INFINITY) most = 0;
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i)
          sum += scores[tile][n][i] = exp2f(scores[tile][n][i] - most);
    }
    sum = sum_of_row(sum);
    factor[half] = sum > 0 ? 1 / sum : 0.0F;
  }
  return make_float2(factor[0], factor[1]);
}

/// A tile of products as the left factor of others.
__device__ void as_factor(const float (&products)[2][4], unsigned (&a)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
    a[i] = pack(products[i / 2][i % 2 * 2], products[i / 2][i % 2 * 2 + 1]);
}

/// Tiles of keys that some of the 16 queries from a tile on may see.
__device__ int seen_tiles(const Attention& of, int tile) {
  return of.causal ? min(tile + 1, tiles_of(of.keys)) : tiles_of(of.keys);
}

template <class Own>
__global__ void __launch_bounds__(Own::kThreads)
    attend(Attention of, HeadRows q, HeadRows k, HeadRows v, HeadRows y) {
  extern __shared__ uint4 memory[];
  auto* queries = reinterpret_cast<Entry*>(memory);
  Entry* keys = queries + tiles_of(of.queries) * kTile * Own::kRow;
  Entry* values = keys + tiles_of(of.keys) * kTile * Own::kRow;
  auto* bias = reinterpret_cast<float*>(values + tiles_of(of.keys) * kTile * Own::kRow);
  const auto [sentence, head, kv_head] = place_of(of);
  copy<Own>(matrix(q, sentence, of.queries, head, of.size), queries);
  copy<Own>(matrix(k, sentence, of.keys, kv_head, of.size), keys);
  end_copies();
  copy<Own>(matrix(v, sentence, of.keys, kv_head, of.size), values);
  end_copies();
  set_bias(of, sentence, bias);
  wait_for_copies<1>();
  __syncthreads();

  const Lane own;
  const int first_row = own.warp * kTile, tiles = seen_tiles(of, own.warp);
  const bool has_queries = first_row < of.queries;
  Products<Own> shares;
  float2 factor;
  if (has_queries) {
    multiply_rows<Own>(own, queries + first_row * Own::kRow, keys, tiles, shares);
    factor = soften<Own>(own, of, bias, first_row, tiles, shares);
  }
  wait_for_copies<0>();
  __syncthreads();
  if (!has_queries) return;
  const Matrix to = matrix(y, sentence, of.queries, head, of.size);
#pragma unroll 1
  for (int column = 0; column < Own::kSize; column += Own::kColumns) {
    const unsigned from = shared_address(values + own.by_rows(Own::kRow) + column);
    Sums<Own> sums = {};
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
      unsigned a[4];
      as_factor(shares[tile], a);
      add_product<Own>(a, from + tile * kTile * Own::kRow * kBytes, sums);
    }
#pragma unroll
    for (int n = 0; n < Own::kColumns / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[n][i] *= i < 2 ? factor.x : factor.y;
    store_sums<Own>(own, sums, queries + first_row * Own::kRow, Own::kRow, to, first_row, column);
  }
}

/// With P = shares, G the gradient of y = P V: dV = P^T G, the slopes D = P (G V^T - sum over keys
/// of P G V^T) scale, dQ = D K and dK = D^T Q. Those of keys and values are of each head of
/// queries.
template <class Own>
__global__ void __launch_bounds__(Own::kThreads, Own::kBlocks)
    attend_gradient(Attention of, HeadRows gradient, HeadRows q, HeadRows k, HeadRows v,
                    HeadRows q_gradient, HeadRows k_gradient, HeadRows v_gradient) {
  extern __shared__ uint4 memory[];
  const int query_tiles = tiles_of(of.queries), key_tiles = tiles_of(of.keys);
  auto* queries = reinterpret_cast<Entry*>(memory);
  Entry* given = queries + query_tiles * kTile * Own::kRow;
  Entry* keys = given + query_tiles * kTile * Own::kRow;
  Entry* values = keys + key_tiles * kTile * Own::kRow;
  Entry* shares = values + key_tiles * kTile * Own::kRow;
  Entry* slopes = shares + query_tiles * kTile * Own::kWide;
  auto* bias = reinterpret_cast<float*>(slopes + query_tiles * kTile * Own::kWide);
  const auto [sentence, head, kv_head] = place_of(of);
  copy<Own>(matrix(q, sentence, of.queries, head, of.size), queries);
  copy<Own>(matrix(k, sentence, of.keys, kv_head, of.size), keys);
  end_copies();
  copy<Own>(matrix(gradient, sentence, of.queries, head, of.size), given);
  copy<Own>(matrix(v, sentence, of.keys, kv_head, of.size), values);
  end_copies();
  set_bias(of, sentence, bias);
  wait_for_copies<1>();
  __syncthreads();

  const Lane own;
  const int first_row = own.warp * kTile, tiles = seen_tiles(of, own.warp);
  const bool has_queries = own.warp < query_tiles, has_keys = own.warp < key_tiles;
  Products<Own> share, slope;
  float2 factor;
  if (has_queries) {
    multiply_rows<Own>(own, queries + first_row * Own::kRow, keys, tiles, share);
    factor = soften<Own>(own, of, bias, first_row, tiles, share);
  }
  wait_for_copies<0>();
  __syncthreads();
  if (has_queries) {
    multiply_rows<Own>(own, given + first_row * Own::kRow, values, tiles, slope);
    float mean[2] = {};
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float& one = share[tile][i / 4][i % 4];
        one *= i % 4 < 2 ? factor.x : factor.y;
        mean[i % 4 / 2] = fmaf(one, slope[tile][i / 4][i % 4], mean[i % 4 / 2]);
      }
    }
    mean[0] = sum_of_row(mean[0]);
    mean[1] = sum_of_row(mean[1]);
    unsigned p[Own::kTiles][4], d[Own::kTiles][4];
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float& one = slope[tile][i / 4][i % 4];
        one = share[tile][i / 4][i % 4] * (one - mean[i % 4 / 2]) * of.scale;
      }
      as_factor(share[tile], p[tile]);
      as_factor(slope[tile], d[tile]);
    }
    const Matrix to = matrix(q_gradient, sentence, of.queries, head, of.size);
#pragma unroll 1
    for (int column = 0; column < Own::kSize; column += Own::kColumns) {
      const unsigned from = shared_address(keys + own.by_rows(Own::kRow) + column);
      Sums<Own> sums = {};
#pragma unroll
      for (int tile = 0; tile < Own::kTiles; ++tile) {
        if (tile >= tiles) break;
        add_product<Own>(d[tile], from + tile * kTile * Own::kRow * kBytes, sums);
      }
      store_sums<Own>(own, sums, shares + first_row * Own::kWide, Own::kWide, to, first_row,
                      column);
    }
#pragma unroll
    for (int tile = 0; tile < Own::kTiles; ++tile) {
      if (tile >= tiles) break;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = first_row + own.row + i % 2 * 8;
        const int at = row * Own::kWide + tile * kTile + i / 2 * 8 + own.column;
        *reinterpret_cast<unsigned*>(shares + at) = p[tile][i];
        *reinterpret_cast<unsigned*>(slopes + at) = d[tile][i];
      }
    }
  }
  __syncthreads();

  if (!has_keys) return;
  // From here on all rows are 16 keys, and nobody reads `keys` and `values` any more.
  const int first = of.causal ? own.warp : 0;  // queries before do not see them
#pragma unroll 1
  for (int part = 0; part < 2 * Own::kSize; part += Own::kColumns) {
    const bool of_keys = part >= Own::kSize;
    const int column = part % Own::kSize;
    unsigned left = shared_address((of_keys ? slopes : shares) + first * kTile * Own::kWide +
                                   first_row + own.by_columns(Own::kWide));
    unsigned right = shared_address((of_keys ? queries : given) + first * kTile * Own::kRow +
                                    column + own.by_rows(Own::kRow));
    Sums<Own> sums = {};
    for (int tile = first; tile < query_tiles; ++tile) {
      unsigned a[4];
      load_transposed(left, a);
      add_product<Own>(a, right, sums);
      left += kTile * Own::kWide * kBytes;
      right += kTile * Own::kRow * kBytes;
    }
    store_sums<Own>(own, sums, (of_keys ? keys : values) + first_row * Own::kRow, Own::kRow,
                    matrix(of_keys ? k_gradient : v_gradient, sentence, of.keys, head, of.size),
                    first_row, column);
  }
}

/// Gradients of keys and values of each head of queries, [batch * keys, heads, size], summed over
/// the heads that read the same ones; a line a thread.
__global__ void add_heads(Attention of, const Entry* __restrict__ keys,
                          const Entry* __restrict__ values, HeadRows k_gradient,
                          HeadRows v_gradient) {
  const std::int64_t lines = of.size / kLine, group = of.heads / of.kv_heads;
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t row = thread / (lines * of.kv_heads), place = thread % (lines * of.kv_heads);
  if (row >= of.batch * of.keys) return;
  const std::int64_t kv_head = place / lines, column = place % lines * kLine;
  const Entry* from =
      (blockIdx.y == 0 ? keys : values) + (row * of.heads + kv_head * group) * of.size + column;
  const HeadRows to = blockIdx.y == 0 ? k_gradient : v_gradient;
  float sums[kLine] = {};
  for (std::int64_t head = 0; head < group; ++head) {
    float one[kLine];
    load<kLine>(from + head * of.size, one);
#pragma unroll
    for (int i = 0; i < kLine; ++i) sums[i] += one[i];
  }
  store<kLine>(static_cast<Entry*>(to.data) + row * to.stride + kv_head * of.size + column, sums);
}

template <class Own>
std::size_t forward_bytes(const Attention& of) {
  const int queries = tiles_of(of.queries) * kTile, keys = tiles_of(of.keys) * kTile;
  return sizeof(Entry) * (queries + 2 * keys) * Own::kRow + sizeof(float) * keys;
}

template <class Own>
std::size_t backward_bytes(const Attention& of) {
  const int queries = tiles_of(of.queries) * kTile, keys = tiles_of(of.keys) * kTile;
  return sizeof(Entry) * 2 * ((queries + keys) * Own::kRow + queries * Own::kWide) +
         sizeof(float) * keys;
}

/// Calls run() with the shape for these lengths and heads.
template <class Run>
auto choose(const Attention& of, const Run& run) {
  const std::int64_t length = std::max(of.queries, of.keys);
  if (of.size <= 64) {
    if (length <= 32) return run(Shape<32, 64>());
    return length <= 64 ? run(Shape<64, 64>()) : run(Shape<128, 64>());
  }
  if (length <= 32) return run(Shape<32, 128>());
  return length <= 64 ? run(Shape<64, 128>()) : run(Shape<128, 128>());
}

template <class Kernel, class... Arguments>
void launch(Kernel kernel, const Attention& of, std::size_t bytes, Stream stream,
            Arguments... arguments) {
  if (bytes > 48 << 10)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(bytes));
  const int threads = 32 * tiles_of(std::max(of.queries, of.keys));
  kernel<<<static_cast<unsigned>(of.batch * of.heads), threads, bytes, stream>>>(of, arguments...);
}

}  // namespace

bool attention_takes(const Attention& of) {
  if (of.size % kTile != 0 || of.size > kMostSize || of.size <= 0 || of.kv_heads <= 0 ||
      of.heads % of.kv_heads != 0 || of.queries > kMostLength || of.keys > kMostLength ||
      of.queries <= 0 || of.keys <= 0 || of.batch <= 0 || of.batch * of.heads > 2'147'483'647)
    return false;
  int device = 0, major = 0, most = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  return major >= 8 && choose(of, [&](auto shape) {
           using Own = decltype(shape);
           cudaFuncAttributes made{};  // for an older one, it would do nothing
           return backward_bytes<Own>(of) <= static_cast<std::size_t>(most) &&
                  cudaFuncGetAttributes(&made, attend<Own>) == cudaSuccess && made.ptxVersion >= 80;
         });
}

std::int64_t attention_scratch(const Attention& of) {
  return of.heads == of.kv_heads ? 0 : 2 * of.batch * of.keys * of.heads * of.size;
}

void attention_forward(const Attention& of, HeadRows q, HeadRows k, HeadRows v, HeadRows y,
                       Stream stream) {
  choose(of, [&](auto shape) {
    using Own = decltype(shape);
    launch(attend<Own>, of, forward_bytes<Own>(of), stream, q, k, v, y);
  });
}

void attention_backward(const Attention& of, HeadRows gradient, HeadRows q, HeadRows k, HeadRows v,
                        HeadRows q_gradient, HeadRows k_gradient, HeadRows v_gradient,
                        void* scratch, Stream stream) {
  const std::int64_t width = of.heads * of.size, entries = of.batch * of.keys * width;
  const bool grouped = of.heads != of.kv_heads;
  auto* of_keys = static_cast<Entry*>(scratch);
  Entry* of_values = grouped ? of_keys + entries : nullptr;
  choose(of, [&](auto shape) {
    using Own = decltype(shape);
    launch(attend_gradient<Own>, of, backward_bytes<Own>(of), stream, gradient, q, k, v, q_gradient,
           grouped ? HeadRows{of_keys, width} : k_gradient,
           grouped ? HeadRows{of_values, width} : v_gradient);
  });
  if (!grouped) return;
  const std::int64_t threads = of.batch * of.keys * of.kv_heads * of.size / kLine;
  add_heads<<<dim3(static_cast<unsigned>((threads + 255) / 256), 2), 256, 0, stream>>>(
      of, of_keys, of_values, k_gradient, v_gradient);
}

}  // namespace mosaic::supernet::cuda
