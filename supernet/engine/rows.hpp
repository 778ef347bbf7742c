/// Gradients of tables of which few rows are read.
#pragma once

#include <ATen/core/Tensor.h>

namespace mosaic::supernet {

/// table[keys[i]] += rows[i]: float32 [entries, width], which may be columns of a wider one, int64
/// [count] and float32 [count, width]. The same sums at every call: what belongs to one key is
/// added in one order.
void add_rows(const at::Tensor& table, const at::Tensor& keys, const at::Tensor& rows);

}  // namespace mosaic::supernet
