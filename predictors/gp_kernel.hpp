/// The one product of the Gaussian process that plain Eigen computes over twice as slowly: Eigen is
/// compiled for every x86-64, this with AVX2 where the processor has it.
#pragma once

#include <cstddef>

namespace mosaic::predictors {

/// sums[c] = sum_i (sum_j lower[i][j] k[j][c])^2: `lower` is [n, n], row after row, 0 above the
/// diagonal, `k` is [n, columns], row after row.
void squared_products(const double* lower, std::size_t n, const double* k, std::size_t columns,
                      double* sums);

}  // namespace mosaic::predictors
