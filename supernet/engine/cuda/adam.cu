#include "engine/cuda/adam.hpp"

#include <cuda_runtime.h>

#include <algorithm>

namespace mosaic::supernet::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kUnroll = 2;
constexpr int kEach = kThreads * kUnroll * 4;  // entries of a block

/// Some tensors, by value. Blocks first[i] .. first[i + 1] - 1 work for tensor i.
template <int kMost>
struct Table {
  static constexpr int kTensors = kMost;
  AdamTensor tensors[kMost];
  int first[kMost + 1];
  int size;
};
constexpr int kBytes = static_cast<int>(sizeof(AdamTensor) + sizeof(int));
using SmallTable = Table<3900 / kBytes>;
using LargeTable = Table<32'000 / kBytes>;

/// What a step does to an entry.
struct Update {
  AdamSettings settings;
  float kept, decay, step, spread;
  __device__ Update(const AdamTensor& tensor, const AdamSettings& all) : settings(all) {
    const float steps = *tensor.steps;
    kept = all.coupled ? 1.0F : 1 - tensor.rate * tensor.decay;
    decay = all.coupled ? tensor.decay : 0.0F;
    step = tensor.rate / -expm1f(steps * all.log1);
    spread = rsqrtf(-expm1f(steps * all.log2));
  }
  __device__ void operator()(float& weight, float gradient, float& first, float& second) const {
    gradient = fmaf(decay, weight, gradient);
    weight *= kept;
    first = fmaf(settings.beta1, first, settings.less1 * gradient);
    second = fmaf(settings.beta2, second, settings.less2 * gradient * gradient);
    weight -= step * first / fmaf(sqrtf(second), spread, settings.epsilon);
  }
};

__device__ float4 four_at(const float* from, std::int64_t at) {
  return *reinterpret_cast<const float4*>(from + at);
}

template <class Table>
__global__ void __launch_bounds__(kThreads)
    adam_of(const __grid_constant__ Table all, const AdamSettings settings) {
  int low = 0, high = all.size;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (all.first[middle] <= static_cast<int>(blockIdx.x) ? low : high) = middle;
  }
  const AdamTensor& tensor = all.tensors[low];
  const std::int64_t begin = std::int64_t{static_cast<int>(blockIdx.x) - all.first[low]} * kEach;
  const std::int64_t end = min(begin + kEach, tensor.count);
  const auto factor = [&](std::int64_t at) {
    return settings.factors ? settings.factors[tensor.network + at / tensor.row] : 1.0F;
  };
  const Update update(tensor, settings);
  const auto one = [&](std::int64_t at) {
    float weight = tensor.weight[at], first = tensor.first[at], second = tensor.second[at];
    update(weight, tensor.gradient[at] * factor(at), first, second);
    tensor.weight[at] = weight;
    tensor.first[at] = first;
    tensor.second[at] = second;
  };
  const int thread = static_cast<int>(threadIdx.x);
  if (!tensor.lines || end < begin + kEach) {
    for (std::int64_t at = begin + thread; at < end; at += kThreads) one(at);
    return;
  }
  float4 weight[kUnroll], gradient[kUnroll], first[kUnroll], second[kUnroll];
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    const std::int64_t at = begin + (u * kThreads + thread) * 4;
    weight[u] = four_at(tensor.weight, at);
    gradient[u] = four_at(tensor.gradient, at);
    first[u] = four_at(tensor.first, at);
    second[u] = four_at(tensor.second, at);
  }
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    const std::int64_t at = begin + (u * kThreads + thread) * 4;
    if (settings.factors) {
      gradient[u].x *= factor(at);
      gradient[u].y *= factor(at + 1);
      gradient[u].z *= factor(at + 2);
      gradient[u].w *= factor(at + 3);
    }
    update(weight[u].x, gradient[u].x, first[u].x, second[u].x);
    update(weight[u].y, gradient[u].y, first[u].y, second[u].y);
    update(weight[u].z, gradient[u].z, first[u].z, second[u].z);
    update(weight[u].w, gradient[u].w, first[u].w, second[u].w);
    *reinterpret_cast<float4*>(tensor.weight + at) = weight[u];
    *reinterpret_cast<float4*>(tensor.first + at) = first[u];
    *reinterpret_cast<float4*>(tensor.second + at) = second[u];
  }
}

template <class Table>
void launch(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
            CUstream_st* stream) {
  Table table;
  for (std::size_t begin = 0; begin < tensors.size(); begin += std::size_t{Table::kTensors}) {
    table.size = static_cast<int>(std::min(tensors.size() - begin, std::size_t{Table::kTensors}));
    table.first[0] = 0;
    for (int i = 0; i < table.size; ++i) {
      const auto& tensor = table.tensors[i] = tensors[begin + static_cast<std::size_t>(i)];
      table.first[i + 1] = table.first[i] + static_cast<int>((tensor.count + kEach - 1) / kEach);
    }
    if (table.first[table.size] > 0)
      adam_of<<<static_cast<unsigned>(table.first[table.size]), kThreads, 0, stream>>>(table,
                                                                                       settings);
  }
}

}  // namespace

void adam(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
          CUstream_st* stream) {
  if (tensors.size() <= std::size_t{SmallTable::kTensors})
    launch<SmallTable>(tensors, settings, stream);
  else
    launch<LargeTable>(tensors, settings, stream);
}

}  // namespace mosaic::supernet::cuda
