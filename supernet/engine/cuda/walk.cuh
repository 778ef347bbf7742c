/// How kernels walk over matrices whose rows are whole numbers of 16 bytes.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace mosaic::supernet::cuda {

/// How a grid walks over a matrix: a thread keeps its 16 bytes of a row and strides over rows, so
/// that neighbours read neighbouring memory.
struct Walk {
  int vectors;  ///< of 16 bytes in a row
  int lanes;    ///< of them in a block
  dim3 grid;    ///< (blocks along rows, blocks along channels)
  int threads;

  Walk(std::int64_t rows, int vectors_a_row, int rows_a_thread, int most_blocks) {
    constexpr int kThreads = 256;
    vectors = vectors_a_row;
    const int chunks = (vectors + kThreads - 1) / kThreads;
    lanes = (vectors + chunks - 1) / chunks;
    const int at_once = std::max(1, kThreads / lanes);
    threads = lanes * at_once;
    const std::int64_t wanted = (rows + at_once * rows_a_thread - 1) / (at_once * rows_a_thread);
    grid = dim3(static_cast<unsigned>(
                    std::clamp<std::int64_t>(wanted, 1, std::max(1, most_blocks / chunks))),
                static_cast<unsigned>(chunks));
  }
};

/// Where a thread begins, and its stride.
struct Place {
  int vector, lane, sub;
  std::int64_t row, step;
  __device__ Place(int vectors, int lanes) {
    lane = static_cast<int>(threadIdx.x) % lanes;
    sub = static_cast<int>(threadIdx.x) / lanes;
    vector = static_cast<int>(blockIdx.y) * lanes + lane;
    const int at_once = static_cast<int>(blockDim.x) / lanes;
    row = static_cast<std::int64_t>(blockIdx.x) * at_once + sub;
    step = static_cast<std::int64_t>(gridDim.x) * at_once;
    if (vector >= vectors) vector = -1;
  }
};

}  // namespace mosaic::supernet::cuda
