// Copies of slots, mixed by an architecture's coefficients: all slots by one kernel each way.
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kParameterBytes = 4000;  // what a kernel takes by value on every GPU, with some left

/// Some slots, by value; blocks first[i] .. first[i + 1] - 1 are the rows of slot i.
struct Slots {
  static constexpr int kMost = kParameterBytes / static_cast<int>(sizeof(MixedSlot) + sizeof(int));
  MixedSlot slots[kMost];
  int first[kMost + 1];
  int size;
};

struct Sums {
  static constexpr int kMost = kParameterBytes / static_cast<int>(sizeof(MixGradient));
  MixGradient sums[kMost];
};

/// What a block works on: a row of a slot in one network.
struct Row {
  const MixedSlot& slot;
  int row;
  std::int64_t network;
  const float* r;       ///< coefficient of each copy
  std::int64_t apart;   ///< from copy to copy
  std::int64_t begin;   ///< of the row in the first copy
  std::int64_t merged;  ///< of the row in the result and its gradient

  __device__ explicit Row(const Slots& all) : Row(all, of_block(all)) {}

 private:
  __device__ Row(const Slots& all, int place)
      : slot(all.slots[place]),
        row(static_cast<int>(blockIdx.x) - all.first[place]),
        network(blockIdx.y),
        r(slot.mix + network * slot.mix_stride + (slot.by_row ? row * slot.count : 0)),
        apart(std::int64_t{slot.rows} * slot.columns),
        begin(network * slot.count * apart + row * slot.columns),
        merged((network * slot.rows + row) * slot.columns) {}

  __device__ static int of_block(const Slots& all) {
    int low = 0, high = all.size;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (all.first[middle] <= static_cast<int>(blockIdx.x) ? low : high) = middle;
    }
    return low;
  }
};

/// The sum over a block's threads, for thread 0.
__device__ float sum_of_block(float value) {
  __shared__ float sums[kThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_down_sync(0xffffffff, value, offset);
  __syncthreads();  // what an earlier sum left is read
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  float total = 0;
  if (threadIdx.x == 0)
    for (const float sum : sums) total += sum;
  return total;
}

/// A block for each (row, network).
__global__ void forward(const Slots all) {
  const Row at(all);
  const MixedSlot& slot = at.slot;
  const float* own = slot.copies + at.begin;
  for (int c = static_cast<int>(threadIdx.x); c < slot.columns; c += kThreads) {
    float sum = 0;
    for (int i = 0; i < slot.count; ++i) sum = fmaf(at.r[i], own[i * at.apart + c], sum);
    slot.result[at.merged + c] = sum;
  }
}

__global__ void backward(const Slots all) {
  const Row at(all);
  const MixedSlot& slot = at.slot;
  const float* of_row = slot.gradient + at.merged;
  float squares = 0;
  for (int i = 0; i < slot.count; ++i) squares = fmaf(at.r[i], at.r[i], squares);
  for (int i = 0; i < slot.count; ++i) {
    const float share = at.r[i] / squares;
    float product = 0;
    for (int c = static_cast<int>(threadIdx.x); c < slot.columns; c += kThreads) {
      const std::int64_t entry = at.begin + i * at.apart + c;
      slot.copy_gradient[entry] = of_row[c] * share;
      product = fmaf(of_row[c], slot.copies[entry], product);
    }
    const float total = sum_of_block(product);
    if (threadIdx.x == 0)
      slot.products[at.network * slot.products_stride + at.row * slot.count + i] = total;
  }
}

/// A block for each (mix, network).
__global__ void add_up(const Sums all) {
  const MixGradient& sum = all.sums[blockIdx.x];
  const std::int64_t network = blockIdx.y;
  const float* products = sum.products + network * sum.terms * sum.width;
  float* result = sum.result + network * sum.width;
  if (sum.width >= sum.terms) {  // a thread for each sum
    for (int at = static_cast<int>(threadIdx.x); at < sum.width; at += kThreads) {
      float total = 0;
      for (int term = 0; term < sum.terms; ++term) total += products[term * sum.width + at];
      result[at] = total;
    }
    return;
  }
  for (int at = 0; at < sum.width; ++at) {
    float own = 0;
    for (int term = static_cast<int>(threadIdx.x); term < sum.terms; term += kThreads)
      own += products[term * sum.width + at];
    const float total = sum_of_block(own);
    if (threadIdx.x == 0) result[at] = total;
  }
}

template <class Launch>
void for_some(const std::vector<MixedSlot>& slots, const Launch& launch) {
  for (std::size_t begin = 0; begin < slots.size(); begin += Slots::kMost) {
    Slots some{};
    some.size = static_cast<int>(std::min<std::size_t>(slots.size() - begin, Slots::kMost));
    for (int i = 0; i < some.size; ++i) {
      some.slots[i] = slots[begin + static_cast<std::size_t>(i)];
      some.first[i + 1] = some.first[i] + some.slots[i].rows;
    }
    launch(some, static_cast<unsigned>(some.first[some.size]));
  }
}

}  // namespace

void mix_forward(const std::vector<MixedSlot>& slots, std::int64_t networks, Stream stream) {
  for_some(slots, [&](const Slots& some, unsigned rows) {
    forward<<<dim3(rows, static_cast<unsigned>(networks)), kThreads, 0, stream>>>(some);
  });
}

void mix_backward(const std::vector<MixedSlot>& slots, const std::vector<MixGradient>& sums,
                  std::int64_t networks, Stream stream) {
  for_some(slots, [&](const Slots& some, unsigned rows) {
    backward<<<dim3(rows, static_cast<unsigned>(networks)), kThreads, 0, stream>>>(some);
  });
  for (std::size_t begin = 0; begin < sums.size(); begin += Sums::kMost) {
    Sums some{};
    const std::size_t size = std::min<std::size_t>(sums.size() - begin, Sums::kMost);
    std::copy_n(sums.begin() + static_cast<std::ptrdiff_t>(begin), size, some.sums);
    add_up<<<dim3(static_cast<unsigned>(size), static_cast<unsigned>(networks)), kThreads, 0,
             stream>>>(some);
  }
}

}  // namespace mosaic::supernet::cuda
