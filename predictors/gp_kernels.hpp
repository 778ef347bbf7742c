/// The inner loops of the Gaussian process: products with packed matrices and kernel functions, in
/// AVX2 where the processor has it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "mosaic/predictors/gp.hpp"

namespace mosaic::predictors {

/// The rows of a matrix, packed eight at a time and column by column, as the right side of
/// products.
class Panels {
 public:
  static constexpr std::size_t kWidth = 8;
  /// `rows` of `columns` numbers each, one after the other.
  static Panels full(const double* data, std::size_t rows, std::size_t columns);
  /// A lower triangular matrix of `rows` rows; what lies above the diagonal is not read.
  static Panels lower(const double* data, std::size_t rows);
  /// The transpose of a lower triangular matrix of `rows` rows.
  static Panels transposed_lower(const double* data, std::size_t rows);

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t count() const { return (rows_ + kWidth - 1) / kWidth; }
  const double* panel(std::size_t index) const {
    return packed_.data() + index * columns_ * kWidth;
  }
  /// The columns of a panel that can differ from 0.
  std::size_t begin(std::size_t index) const { return shape_ == Shape::upper ? index * kWidth : 0; }
  std::size_t end(std::size_t index) const {
    return shape_ == Shape::lower ? std::min(columns_, (index + 1) * kWidth) : columns_;
  }

 private:
  enum class Shape { full, lower, upper };
  Panels(std::size_t rows, std::size_t columns, Shape shape);

  std::size_t rows_;
  std::size_t columns_;
  Shape shape_;
  std::vector<double> packed_;
};

/// out[i * b.rows() + j] = a_i . b_j for `count` rows a_i of b.columns() numbers.
void products(const double* a, std::size_t count, const Panels& b, double* out);

/// out[i] = sum_j (a_i . b_j)^2.
void squared_products(const double* a, std::size_t count, const Panels& b, double* out);

/// In place: r^2 -> dm/d(r^2), and m(r) of GpParameters into `value` (small negative r^2 count as
/// 0).
void correlation_slopes(GpKernel kernel, double* values, double* value, std::size_t count);

/// The terms of a covariance k = signal m(r) + linear (x . x') + 1 between one point and others.
struct CovarianceRow {
  GpKernel kernel = GpKernel::matern52;
  double signal = 1;
  double linear = 0;
  double length = 0;                ///< |z|^2 of the point, z its scaled features
  const double* lengths = nullptr;  ///< |z'|^2 of the others
  const double* inner = nullptr;    ///< x . x'; not read where linear is 0
};
/// In place: z . z' -> k.
void covariances(const CovarianceRow& row, double* values, std::size_t count);

/// sum_j a_j b_j.
double dot_product(const double* a, const double* b, std::size_t count);

}  // namespace mosaic::predictors
