/// The Cholesky factor of a growing covariance matrix, with its inverse.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace mosaic::predictors {

/// L and L^-1 of K = L L^T, both square, row after row, 0 above the diagonal. Rows are appended in
/// blocks by matrix products, so that a factor that grew equals one made at once up to rounding,
/// and to the bit where the blocks were the same.
class GrowingCholesky {
 public:
  /// Appends the last rows of K: `rows` holds `added` rows of size() + `added` numbers. False, and
  /// nothing changed, where K is not positive definite to working accuracy.
  bool append(const double* rows, std::size_t added);
  /// Appends all rows of a square K that are not there yet, in blocks.
  bool complete(const std::vector<double>& k, std::size_t size);

  std::size_t size() const { return size_; }
  const std::vector<double>& factor() const { return factor_; }
  const std::vector<double>& inverse() const { return inverse_; }
  /// Sizes after each append().
  const std::vector<std::size_t>& blocks() const { return blocks_; }

  /// sum_i log L_ii, half of the log determinant of K.
  double half_log_determinant() const;
  /// K^-1 y.
  std::vector<double> solve(std::span<const double> y) const;
  /// Diagonal of K^-1.
  std::vector<double> inverse_diagonal() const;

 private:
  std::size_t size_ = 0;
  std::vector<double> factor_;
  std::vector<double> inverse_;
  std::vector<std::size_t> blocks_;
};

}  // namespace mosaic::predictors
