// Columns of several matrices side by side: channels of networks that part and join.
#include <cuda_runtime.h>

#include <algorithm>

#include "kernels.hpp"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kMostParts = 120;  // a kernel's arguments are at most 4 KiB
constexpr int kThreads = 256;

struct Table {
  const uint4* data[kMostParts];
  int stride[kMostParts];
  int begin[kMostParts + 1];  ///< column of the result
  int parts;
};

__global__ void join(const Table table, std::int64_t rows, int width, uint4* __restrict__ result,
                     int result_width, int lanes) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int column = static_cast<int>(blockIdx.y) * lanes + lane;
  if (column >= width) return;
  int part = 0;
  while (table.begin[part + 1] <= column) ++part;
  const uint4* data = table.data[part];
  const int stride = table.stride[part], offset = column - table.begin[part];
  const int at_once = static_cast<int>(blockDim.x) / lanes;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * at_once;
#pragma unroll 4
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * at_once + threadIdx.x / lanes;
       row < rows; row += step)
    result[row * result_width + column] =
        data ? data[row * stride + offset] : make_uint4(0, 0, 0, 0);
}

}  // namespace

void join_columns(const std::vector<Columns>& parts, std::int64_t rows, void* result,
                  Stream stream) {
  int result_width = 0;
  for (const auto& part : parts) result_width += static_cast<int>(part.width);
  int done = 0;
  for (std::size_t first = 0; first < parts.size(); first += kMostParts) {
    Table table;
    table.parts = static_cast<int>(std::min<std::size_t>(kMostParts, parts.size() - first));
    table.begin[0] = 0;
    for (int i = 0; i < table.parts; ++i) {
      const auto& part = parts[first + static_cast<std::size_t>(i)];
      table.data[i] = static_cast<const uint4*>(part.data);
      table.stride[i] = static_cast<int>(part.stride);
      table.begin[i + 1] = table.begin[i] + static_cast<int>(part.width);
    }
    const int width = table.begin[table.parts];
    const int chunks = (width + kThreads - 1) / kThreads, lanes = (width + chunks - 1) / chunks;
    const int at_once = std::max(1, kThreads / lanes);
    const std::int64_t blocks = std::clamp<std::int64_t>(rows / (4 * at_once), 1, 2112 / chunks);
    join<<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)), lanes * at_once, 0,
           stream>>>(table, rows, width, static_cast<uint4*>(result) + done, result_width, lanes);
    done += width;
  }
}

}  // namespace mosaic::supernet::cuda
