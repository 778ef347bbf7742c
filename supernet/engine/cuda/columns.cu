// Columns of several matrices side by side: channels of networks that part and join.
#include <cuda_runtime.h>

#include <algorithm>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/walk.cuh"

namespace mosaic::supernet::cuda {
namespace {

constexpr int kMostParts = 120;  // a kernel's arguments are at most 4 KiB

struct Table {
  const uint4* data[kMostParts];
  int stride[kMostParts];
  int begin[kMostParts + 1];  ///< column of the result
  int parts;
};

__global__ void join(const Table table, std::int64_t rows, int width, int lanes,
                     uint4* __restrict__ result, int result_width) {
  const Place place(width, lanes);
  const int column = place.vector;
  if (column < 0) return;
  int part = 0;
  while (table.begin[part + 1] <= column) ++part;
  const uint4* data = table.data[part];
  const int stride = table.stride[part], offset = column - table.begin[part];
#pragma unroll 4
  for (std::int64_t row = place.row; row < rows; row += place.step)
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
    const Walk walk(rows, width, 4, 2112);
    join<<<walk.grid, walk.threads, 0, stream>>>(table, rows, width, walk.lanes,
                                                 static_cast<uint4*>(result) + done, result_width);
    done += width;
  }
}

}  // namespace mosaic::supernet::cuda
