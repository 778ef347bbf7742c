// Weights out of slots: the part that is read of every copy, mixed by an architecture's
// coefficients and rounded, and the gradients back. All slots by one kernel each way.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/lines.cuh"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kUnroll = 4;  // loads of 16 bytes that a thread waits for at once
constexpr int kWide = 4;    // entries of such a load

/// Some slots and those who read them, by value. Blocks first[i] .. first[i + 1] - 1 work for what
/// has number i: a reader forwards, a slot backwards.
template <int kMost>
struct Table {
  static constexpr int kSlots = kMost;
  MixedSlot slots[kMost];
  MixReader readers[kMost];
  int first[kMost + 1];
  int size;
};
// What a kernel takes by value on every GPU, and on all since 2017; with some left.
constexpr int kEach = static_cast<int>(sizeof(MixedSlot) + sizeof(MixReader) + sizeof(int));
using SmallTable = Table<4000 / kEach>;
using LargeTable = Table<32'000 / kEach>;

struct Sums {
  static constexpr int kMost = 4000 / static_cast<int>(sizeof(MixGradient));
  MixGradient sums[kMost];
};

/// Which of them this block works for.
__device__ int turn(const int* first, int size) {
  int low = 0, high = size;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (first[middle] <= static_cast<int>(blockIdx.x) ? low : high) = middle;
  }
  return low;
}

/// Number of the line in a box of these sizes: where it begins along the first three axes, and
/// along the last one.
struct Position {
  int at[kMixAxes];
  __device__ Position(unsigned line, const int* size, int wide) {
    const unsigned columns = static_cast<unsigned>(size[3] / wide);
    unsigned row = line / columns;
    at[3] = static_cast<int>(line - row * columns) * wide;
    at[1] = at[2] = 0;
    if (size[1] * size[2] > 1) {
      const unsigned outer = row / static_cast<unsigned>(size[2]);
      at[2] = static_cast<int>(row - outer * static_cast<unsigned>(size[2]));
      row = outer / static_cast<unsigned>(size[1]);
      at[1] = static_cast<int>(outer - row * static_cast<unsigned>(size[1]));
    }
    at[0] = static_cast<int>(row);
  }
};

__device__ std::int64_t count_of(const int* size) {
  return std::int64_t{size[0]} * size[1] * size[2] * size[3];
}

/// Lines that a block works on: those of a row where each row has its own mix.
struct Share {
  unsigned begin, end;
  __device__ Share(const MixedSlot& slot, const int* size, int wide, int block) {
    const auto lines = static_cast<unsigned>(count_of(size) / wide);
    const unsigned each =
        slot.by_row ? lines / static_cast<unsigned>(size[0]) : unsigned{kThreads * kUnroll};
    begin = static_cast<unsigned>(block) * each;
    end = min(begin + each, lines);
  }
};

/// The coefficients of a network's copies, or of a row of them; null: 1 of the first alone.
__device__ const float* coefficients(const MixedSlot& slot, int network, int row) {
  if (slot.mix == nullptr) return nullptr;
  return slot.mix + network * slot.mix_stride + (slot.by_row ? std::int64_t{row} * slot.mixed : 0);
}

template <int kLine>
__device__ void mix(const MixedSlot& slot, const MixReader& reader, int block, int network) {
  const Share share(slot, reader.size, kLine, block);
  const std::int64_t apart = count_of(slot.full);
  const float* own = slot.copies + network * slot.count * apart;
  const float* r = coefficients(slot, network, block);
  const std::int64_t base = network * count_of(reader.size);
  for (unsigned line = share.begin + threadIdx.x; line < share.end; line += kUnroll * kThreads) {
    float sum[kUnroll][kLine] = {};
    unsigned from[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const Position p(min(line + u * kThreads, share.end - 1), reader.size, kLine);
      from[u] = ((static_cast<unsigned>(p.at[0] + reader.first[0]) * slot.full[1] + p.at[1] +
                  reader.first[1]) *
                     slot.full[2] +
                 p.at[2] + reader.first[2]) *
                    slot.full[3] +
                p.at[3] + reader.first[3];
    }
    for (int i = 0; i < slot.mixed; ++i) {
      const float coefficient = r ? r[i] : 1.0F;
      const float* copy = own + i * apart;
      float values[kUnroll][kLine];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) load<kLine>(copy + from[u], values[u]);
#pragma unroll
      for (int u = 0; u < kUnroll; ++u)
#pragma unroll
        for (int k = 0; k < kLine; ++k) sum[u][k] = fmaf(coefficient, values[u][k], sum[u][k]);
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (line + u * kThreads >= share.end) continue;
      const std::int64_t to = base + std::int64_t{line + u * kThreads} * kLine;
      if (reader.bfloat16)
        store<kLine>(static_cast<__nv_bfloat16*>(reader.weights) + to, sum[u]);
      else
        store<kLine>(static_cast<float*>(reader.weights) + to, sum[u]);
    }
  }
}

template <class Table>
__global__ void __launch_bounds__(kThreads) mix_slots(const __grid_constant__ Table all) {
  const int number = turn(all.first, all.size);
  const MixReader& reader = all.readers[number];
  const MixedSlot& slot = all.slots[reader.slot];
  const int block = static_cast<int>(blockIdx.x) - all.first[number];
  const int network = static_cast<int>(blockIdx.y);
  if (slot.lines)
    mix<kWide>(slot, reader, block, network);
  else
    mix<1>(slot, reader, block, network);
}

/// Gradients of lines of the whole slot, added up over those who read them; whether anyone does.
template <int kLine>
__device__ void gather(const MixedSlot& slot, const MixReader* readers, unsigned line,
                       unsigned last, int network, float (&sum)[kUnroll][kLine],
                       bool (&read)[kUnroll]) {
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    read[u] = false;
#pragma unroll
    for (int k = 0; k < kLine; ++k) sum[u][k] = 0;
  }
  for (int which = 0; which < slot.readers; ++which) {
    const MixReader& reader = readers[slot.first_reader + which];
    std::int64_t from[kUnroll];
    bool within[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const Position p(min(line + u * kThreads, last), slot.full, kLine);
      from[u] = network;
      within[u] = true;
#pragma unroll
      for (int axis = 0; axis < kMixAxes; ++axis) {
        const int at = p.at[axis] - reader.first[axis];
        within[u] = within[u] && at >= 0 && at < reader.size[axis];
        from[u] = from[u] * reader.size[axis] + at;
      }
      read[u] = read[u] || within[u];
    }
    float values[kUnroll][kLine];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
#pragma unroll
      for (int k = 0; k < kLine; ++k) values[u][k] = 0;
      if (!within[u]) continue;
      if (reader.bfloat16)
        load<kLine>(static_cast<const __nv_bfloat16*>(reader.weights) + from[u], values[u]);
      else
        load<kLine>(static_cast<const float*>(reader.weights) + from[u], values[u]);
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
#pragma unroll
      for (int k = 0; k < kLine; ++k) sum[u][k] += values[u][k];
  }
}

template <int kLine>
__device__ void spread(const MixedSlot& slot, const MixReader* readers, int block, int network) {
  const Share share(slot, slot.full, kLine, block);
  const std::int64_t apart = count_of(slot.full);
  const float* r = coefficients(slot, network, block);
  float squares = 0;
  for (int i = 0; r && i < slot.mixed; ++i) squares = fmaf(r[i], r[i], squares);
  for (int i = 0; i < slot.count; ++i) {
    const float part = i >= slot.mixed ? 0.0F : r ? r[i] / squares : 1.0F;
    const std::int64_t begin = (std::int64_t{network} * slot.count + i) * apart;
    float product = 0;
    for (unsigned line = share.begin + threadIdx.x; line < share.end; line += kUnroll * kThreads) {
      float gradient[kUnroll][kLine];
      bool read[kUnroll];
      gather<kLine>(slot, readers, line, share.end - 1, network, gradient, read);
      if (r) {
        float values[kUnroll][kLine];
#pragma unroll
        for (int u = 0; u < kUnroll; ++u) {
#pragma unroll
          for (int k = 0; k < kLine; ++k) values[u][k] = 0;
          if (read[u] && line + u * kThreads < share.end)
            load<kLine>(slot.copies + begin + std::int64_t{line + u * kThreads} * kLine, values[u]);
        }
#pragma unroll
        for (int u = 0; u < kUnroll; ++u)
#pragma unroll
          for (int k = 0; k < kLine; ++k) product = fmaf(gradient[u][k], values[u][k], product);
      }
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) {
        if (line + u * kThreads >= share.end) continue;
#pragma unroll
        for (int k = 0; k < kLine; ++k) gradient[u][k] *= part;
        store<kLine>(slot.gradient + begin + std::int64_t{line + u * kThreads} * kLine,
                     gradient[u]);
      }
    }
    if (r == nullptr) continue;
    const float total = sum_of_block<kThreads>(product);
    if (threadIdx.x == 0)
      slot.products[network * slot.products_stride + std::int64_t{block} * slot.mixed + i] = total;
  }
}

template <class Table>
__global__ void __launch_bounds__(kThreads) mix_slots_gradient(const __grid_constant__ Table all) {
  const int number = turn(all.first, all.size);
  const MixedSlot& slot = all.slots[number];
  const int block = static_cast<int>(blockIdx.x) - all.first[number];
  const int network = static_cast<int>(blockIdx.y);
  if (slot.lines)
    spread<kWide>(slot, all.readers, block, network);
  else
    spread<1>(slot, all.readers, block, network);
}

/// A block for each (mix, network).
__global__ void __launch_bounds__(kThreads) add_up(const __grid_constant__ Sums all) {
  const MixGradient& sum = all.sums[blockIdx.x];
  const std::int64_t network = blockIdx.y;
  const float* products = sum.products + network * sum.terms * sum.width;
  float* result = sum.result + network * sum.width;
  if (sum.width >= sum.terms) {  // a thread for each sum
    for (int at = static_cast<int>(threadIdx.x); at < sum.width; at += kThreads) {
      float total = 0;
      for (int term = 0; term < sum.terms; ++term)
        total += products[std::int64_t{term} * sum.width + at];
      result[at] = total;
    }
    return;
  }
  for (int at = 0; at < sum.width; ++at) {
    float own = 0;
    for (int term = static_cast<int>(threadIdx.x); term < sum.terms; term += kThreads)
      own += products[std::int64_t{term} * sum.width + at];
    const float total = sum_of_block<kThreads>(own);
    if (threadIdx.x == 0) result[at] = total;
  }
}

int blocks_of(const MixedSlot& slot, const int* size) {
  if (slot.by_row) return size[0];
  const std::int64_t each = kThreads * kUnroll * (slot.lines ? kWide : 1);
  return static_cast<int>((std::int64_t{size[0]} * size[1] * size[2] * size[3] + each - 1) / each);
}

/// Fills a table with the slots from `begin` on, as many as it takes with their readers; the next
/// slot.
template <class Table>
std::size_t fill(Table& table, const std::vector<MixedSlot>& slots,
                 const std::vector<MixReader>& readers, std::size_t begin) {
  int taken = 0;
  std::size_t at = begin;
  for (; at < slots.size() && at - begin < std::size_t{Table::kSlots} &&
         taken + slots[at].readers <= Table::kSlots;
       ++at) {
    auto& slot = table.slots[at - begin] = slots[at];
    slot.first_reader = taken;
    for (int i = 0; i < slot.readers; ++i) {
      table.readers[taken] = readers[static_cast<std::size_t>(slots[at].first_reader + i)];
      table.readers[taken++].slot = static_cast<int>(at - begin);
    }
  }
  return at;
}

template <class Table, class Launch>
void for_tables(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
                const Launch& launch) {
  Table table;
  for (std::size_t begin = 0, end; begin < slots.size(); begin = end) {
    end = fill(table, slots, readers, begin);
    launch(table, static_cast<int>(end - begin));
  }
}

/// Calls launch(table, slots in it) for all slots.
template <class Launch>
void for_all(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
             const Launch& launch) {
  if (std::max(slots.size(), readers.size()) <= std::size_t{SmallTable::kSlots})
    for_tables<SmallTable>(slots, readers, launch);
  else
    for_tables<LargeTable>(slots, readers, launch);
}

}  // namespace

std::int64_t mix_terms(const MixedSlot& slot) {
  return slot.by_row ? 1 : blocks_of(slot, slot.full);
}

void mix_forward(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
                 std::int64_t networks, Stream stream) {
  for_all(slots, readers, [&](auto& table, int count) {
    const auto& last = table.slots[count - 1];
    table.size = last.first_reader + last.readers;
    table.first[0] = 0;
    for (int i = 0; i < table.size; ++i)
      table.first[i + 1] =
          table.first[i] + blocks_of(table.slots[table.readers[i].slot], table.readers[i].size);
    const dim3 grid(static_cast<unsigned>(table.first[table.size]),
                    static_cast<unsigned>(networks));
    mix_slots<<<grid, kThreads, 0, stream>>>(table);
  });
}

void mix_backward(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
                  const std::vector<MixGradient>& sums, std::int64_t networks, Stream stream) {
  for_all(slots, readers, [&](auto& table, int count) {
    table.size = count;
    table.first[0] = 0;
    for (int i = 0; i < count; ++i)
      table.first[i + 1] = table.first[i] + blocks_of(table.slots[i], table.slots[i].full);
    const dim3 grid(static_cast<unsigned>(table.first[count]), static_cast<unsigned>(networks));
    mix_slots_gradient<<<grid, kThreads, 0, stream>>>(table);
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
