#include "engine/rows.hpp"

#include <ATen/ATen.h>

#ifdef MOSAIC_CUDA
#include <ATen/cuda/cub.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
#endif

namespace mosaic::supernet {
namespace {

#ifdef MOSAIC_CUDA

bool in_lines(const at::Tensor& tensor) {
  constexpr std::int64_t kLine = 16;  // bytes
  return reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % kLine == 0 &&
         tensor.stride(0) * tensor.element_size() % kLine == 0 && tensor.stride(1) == 1 &&
         tensor.size(1) * tensor.element_size() % kLine == 0;
}

void add_sorted(const at::Tensor& table, const at::Tensor& keys, const at::Tensor& rows) {
  const c10::cuda::CUDAGuard guard(table.device());
  const at::Tensor numbers = at::arange(keys.size(0), keys.options()),
                   sorted = at::empty_like(keys), order = at::empty_like(keys);
  at::cuda::cub::radix_sort_pairs(
      keys.const_data_ptr<std::int64_t>(), sorted.mutable_data_ptr<std::int64_t>(),
      numbers.const_data_ptr<std::int64_t>(), order.mutable_data_ptr<std::int64_t>(), keys.size(0),
      /*descending=*/false, 0,
      at::cuda::cub::get_num_bits(static_cast<std::uint64_t>(table.size(0))));
  const cuda::SortedRows given{.keys = sorted.const_data_ptr<std::int64_t>(),
                               .order = order.const_data_ptr<std::int64_t>(),
                               .rows = rows.const_data_ptr<float>(),
                               .table = table.mutable_data_ptr<float>(),
                               .count = keys.size(0),
                               .stride = table.stride(0),
                               .width = static_cast<int>(table.size(1))};
  const at::Tensor scratch = at::empty({cuda::add_rows_scratch(given)}, rows.options());
  cuda::add_rows(given, scratch.mutable_data_ptr<float>(), c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

#endif

}  // namespace

void add_rows(const at::Tensor& table, const at::Tensor& keys, const at::Tensor& rows) {
  if (keys.numel() == 0) return;
#ifdef MOSAIC_CUDA
  if (table.is_cuda()) {
    if (in_lines(table) && in_lines(rows) && rows.is_contiguous() && keys.is_contiguous())
      return add_sorted(table, keys, rows);
    at::Tensor(table).add_(at::embedding_dense_backward(rows, keys, table.size(0), -1, false));
    return;
  }
#endif
  at::Tensor(table).index_add_(0, keys, rows);
}

}  // namespace mosaic::supernet
