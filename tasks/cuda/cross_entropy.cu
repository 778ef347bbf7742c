// A block for each row: one walk over its logits gives their largest, the sum of exponentials below
// it and their plain sum; one more writes the gradient. 16 bytes at a time; rows that begin between
// those have a few entries before and behind.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cfloat>
#include <cmath>

#include "cuda/cross_entropy.hpp"

namespace mosaic::tasks::cuda {
namespace {

constexpr int kUnroll = 4;

/// 16 bytes of logits.
template <class Type>
struct Line;
template <>
struct Line<float> {
  static constexpr int kSize = 4;
  __device__ static void unpack(const uint4& packed, float* values) {
    values[0] = __uint_as_float(packed.x);
    values[1] = __uint_as_float(packed.y);
    values[2] = __uint_as_float(packed.z);
    values[3] = __uint_as_float(packed.w);
  }
  __device__ static uint4 pack(const float* values) {
    return make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]),
                      __float_as_uint(values[2]), __float_as_uint(values[3]));
  }
  __device__ static float one(float value) { return value; }
  __device__ static float stored(float value) { return value; }
};
template <>
struct Line<__nv_bfloat16> {
  static constexpr int kSize = 8;
  __device__ static void unpack(const uint4& packed, float* values) {
    const unsigned pairs[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      values[2 * i] = __uint_as_float(pairs[i] << 16);
      values[2 * i + 1] = __uint_as_float(pairs[i] & 0xffff0000U);
    }
  }
  __device__ static uint4 pack(const float* values) {
    unsigned pairs[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
      pairs[i] = *reinterpret_cast<const unsigned*>(&pair);
    }
    return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
  __device__ static float one(__nv_bfloat16 value) { return __bfloat162float(value); }
  __device__ static __nv_bfloat16 stored(float value) { return __float2bfloat16(value); }
};

/// How a row is cut: entries before the first 16 bytes, these, entries behind.
struct Cut {
  int head, lines, tail;
};

template <class Type>
__device__ Cut cut_of(const Type* row, int classes) {
  constexpr int kSize = Line<Type>::kSize;
  const int off = static_cast<int>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(Type));
  const int head = min(off == 0 ? 0 : kSize - off, classes);
  const int lines = (classes - head) / kSize;
  return {head, lines, classes - head - lines * kSize};
}

/// What a walk over logits knows of them.
struct Seen {
  float largest = -FLT_MAX;
  float below = 0;  ///< sum of exp(x - largest)
  float sum = 0;

  template <int kCount>
  __device__ void add(const float* values) {
    float most = values[0];
#pragma unroll
    for (int i = 1; i < kCount; ++i) most = fmaxf(most, values[i]);
    if (most > largest) {
      below *= __expf(largest - most);
      largest = most;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      below += __expf(values[i] - largest);
      sum += values[i];
    }
  }
  __device__ void add(const Seen& other) {
    const float most = fmaxf(largest, other.largest);
    below = below * __expf(largest - most) + other.below * __expf(other.largest - most);
    largest = most;
    sum += other.sum;
  }
};

/// All that a block's threads have seen, for the first.
template <int kThreads>
__device__ Seen all_seen(Seen own) {
  for (int offset = 16; offset > 0; offset /= 2) {
    Seen other;
    other.largest = __shfl_down_sync(0xffffffff, own.largest, offset);
    other.below = __shfl_down_sync(0xffffffff, own.below, offset);
    other.sum = __shfl_down_sync(0xffffffff, own.sum, offset);
    own.add(other);
  }
  if constexpr (kThreads > 32) {
    __shared__ float largest[kThreads / 32], below[kThreads / 32], sum[kThreads / 32];
    const int warp = static_cast<int>(threadIdx.x) / 32;
    if (threadIdx.x % 32 == 0) {
      largest[warp] = own.largest;
      below[warp] = own.below;
      sum[warp] = own.sum;
    }
    __syncthreads();
    if (threadIdx.x == 0)
      for (int i = 1; i < kThreads / 32; ++i) {
        Seen other;
        other.largest = largest[i];
        other.below = below[i];
        other.sum = sum[i];
        own.add(other);
      }
  }
  return own;
}

template <class Type, int kThreads>
__global__ void __launch_bounds__(kThreads) losses_of(Logits logits, float* losses, float* z) {
  using Own = Line<Type>;
  const std::int64_t row = blockIdx.x;
  const int classes = static_cast<int>(logits.classes);
  const std::int64_t target = logits.targets[row];
  if (target == logits.ignored) {
    if (threadIdx.x == 0) losses[row] = z[row] = 0;
    return;
  }
  const Type* x = static_cast<const Type*>(logits.values) + row * classes;
  const Cut cut = cut_of(x, classes);
  Seen seen;
  const int thread = static_cast<int>(threadIdx.x);
  const auto* lines = reinterpret_cast<const uint4*>(x + cut.head);
  for (int line = thread; line < cut.lines; line += kUnroll * kThreads) {
    uint4 packed[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      packed[u] = __ldg(lines + min(line + u * kThreads, cut.lines - 1));
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (line + u * kThreads >= cut.lines) break;
      float values[Own::kSize];
      Own::unpack(packed[u], values);
      seen.add<Own::kSize>(values);
    }
  }
  for (int i = thread; i < cut.head + cut.tail; i += kThreads) {
    const float value = Own::one(x[i < cut.head ? i : cut.lines * Own::kSize + i]);
    seen.add<1>(&value);
  }
  seen = all_seen<kThreads>(seen);
  if (threadIdx.x > 0) return;
  const float all = seen.largest + logf(seen.below);
  const bool known = target >= 0 && target < classes;
  const float right = known ? Own::one(x[target]) : nanf("");
  const float even = logits.smoothing > 0 ? seen.sum / static_cast<float>(classes) : 0.0F;
  const float s = logits.smoothing;
  losses[row] = (1 - s) * (all - right) + (s > 0 ? s * (all - even) : 0.0F);
  z[row] = all;
}

template <class Type, int kThreads>
__global__ void __launch_bounds__(kThreads)
    gradient_of(Logits logits, const float* z, const float* gradient, void* result) {
  using Own = Line<Type>;
  const std::int64_t row = blockIdx.x;
  const int classes = static_cast<int>(logits.classes);
  const std::int64_t target = logits.targets[row];
  const Type* x = static_cast<const Type*>(logits.values) + row * classes;
  Type* to = static_cast<Type*>(result) + row * classes;
  const bool asked = target != logits.ignored;
  const float all = z[row], factor = asked ? gradient[row] : 0.0F;
  const float even = logits.smoothing / static_cast<float>(classes);
  const float right = 1 - logits.smoothing;
  const auto of = [&](float value, int place) {
    const float given = even + (place == target ? right : 0.0F);
    return asked ? factor * (__expf(value - all) - given) : 0.0F;
  };
  const Cut cut = cut_of(x, classes);
  const int thread = static_cast<int>(threadIdx.x);
  const auto* lines = reinterpret_cast<const uint4*>(x + cut.head);
  auto* lines_to = reinterpret_cast<uint4*>(to + cut.head);
  for (int line = thread; line < cut.lines; line += kUnroll * kThreads) {
    uint4 packed[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      packed[u] = __ldg(lines + min(line + u * kThreads, cut.lines - 1));
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (line + u * kThreads >= cut.lines) break;
      float values[Own::kSize];
      Own::unpack(packed[u], values);
      const int first = cut.head + (line + u * kThreads) * Own::kSize;
#pragma unroll
      for (int i = 0; i < Own::kSize; ++i) values[i] = of(values[i], first + i);
      lines_to[line + u * kThreads] = Own::pack(values);
    }
  }
  for (int i = thread; i < cut.head + cut.tail; i += kThreads) {
    const int place = i < cut.head ? i : cut.lines * Own::kSize + i;
    to[place] = Own::stored(of(Own::one(x[place]), place));
  }
}

/// Calls run(a logit, threads of a block as a constant).
template <class Run>
void choose(const Logits& logits, const Run& run) {
  constexpr std::integral_constant<int, 256> kWide;
  constexpr std::integral_constant<int, 32> kNarrow;
  const bool wide = logits.classes > 1024;
  if (logits.bfloat16)
    wide ? run(__nv_bfloat16(), kWide) : run(__nv_bfloat16(), kNarrow);
  else
    wide ? run(float(), kWide) : run(float(), kNarrow);
}

}  // namespace

void cross_entropy(const Logits& logits, float* losses, float* z, CUstream_st* stream) {
  if (logits.rows == 0) return;
  choose(logits, [&](auto type, auto threads) {
    losses_of<decltype(type), threads.value>
        <<<static_cast<unsigned>(logits.rows), threads.value, 0, stream>>>(logits, losses, z);
  });
}

void cross_entropy_gradient(const Logits& logits, const float* z, const float* gradient,
                            void* result, CUstream_st* stream) {
  if (logits.rows == 0) return;
  choose(logits, [&](auto type, auto threads) {
    gradient_of<decltype(type), threads.value>
        <<<static_cast<unsigned>(logits.rows), threads.value, 0, stream>>>(logits, z, gradient,
                                                                           result);
  });
}

}  // namespace mosaic::tasks::cuda
