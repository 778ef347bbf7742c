#include "gp_cholesky.hpp"

#include <Eigen/Dense>
#include <cmath>

#include "gp_kernels.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kBlock = 64;

using Square = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<Square, 0, Eigen::OuterStride<>>;

Map block_of(std::vector<double>& data, std::size_t stride, std::size_t row, std::size_t column,
             std::size_t rows, std::size_t columns) {
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  return {data.data() + row * stride + column, index(rows), index(columns),
          Eigen::OuterStride<>(index(stride))};
}

/// A square matrix with `added` rows and columns of zeros more.
std::vector<double> widened(const std::vector<double>& old, std::size_t size, std::size_t added) {
  std::vector<double> result((size + added) * (size + added), 0.0);
  for (std::size_t i = 0; i < size; ++i)
    std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(i * size), size,
                result.begin() + static_cast<std::ptrdiff_t>(i * (size + added)));
  return result;
}

}  // namespace

bool GrowingCholesky::append(const double* rows, std::size_t added) {
  const std::size_t old = size_;
  const std::size_t total = old + added;
  const auto count = static_cast<Eigen::Index>(added);
  const Eigen::Map<const Square> given(rows, count, static_cast<Eigen::Index>(total));

  // L21 = K21 L11^-T, L22 L22^T = K22 - L21 L21^T
  Square below(count, static_cast<Eigen::Index>(old));
  Square corner = given.rightCols(count);
  if (old > 0) {
    const Square known = given.leftCols(static_cast<Eigen::Index>(old));
    products(known.data(), added, Panels::lower(inverse_.data(), old), below.data());
    Square outer(count, count);
    products(below.data(), added, Panels::full(below.data(), added, old), outer.data());
    corner -= outer;
  }
  const double largest = given.rightCols(count).diagonal().maxCoeff();
  const Eigen::LLT<Square> solver(corner);
  if (solver.info() != Eigen::Success) return false;
  const Square lower = solver.matrixL();
  if (!(lower.diagonal().minCoeff() > 1e-7 * std::sqrt(largest))) return false;
  const Square lower_inverse =
      lower.triangularView<Eigen::Lower>().solve(Square::Identity(count, count));

  // (L^-1)21 = -L22^-1 (L21 L11^-1)
  Square inverse_below(count, static_cast<Eigen::Index>(old));
  if (old > 0) {
    Square inner(count, static_cast<Eigen::Index>(old));
    products(below.data(), added, Panels::transposed_lower(inverse_.data(), old), inner.data());
    inverse_below.noalias() = -(lower_inverse.triangularView<Eigen::Lower>() * inner);
  }
  factor_ = widened(factor_, old, added);
  inverse_ = widened(inverse_, old, added);
  block_of(factor_, total, old, 0, added, old) = below;
  block_of(factor_, total, old, old, added, added) = lower;
  block_of(inverse_, total, old, 0, added, old) = inverse_below;
  block_of(inverse_, total, old, old, added, added) = lower_inverse;
  size_ = total;
  blocks_.push_back(total);
  return true;
}

bool GrowingCholesky::complete(const std::vector<double>& k, std::size_t size) {
  std::vector<double> rows;
  while (size_ < size) {
    core::check_interrupt();
    const std::size_t next = std::min(size, size_ + kBlock);
    rows.clear();
    for (std::size_t i = size_; i < next; ++i) {
      const auto begin = k.begin() + static_cast<std::ptrdiff_t>(i * size);
      rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(next));
    }
    if (!append(rows.data(), next - size_)) return false;
  }
  return true;
}

double GrowingCholesky::half_log_determinant() const {
  double sum = 0;
  for (std::size_t i = 0; i < size_; ++i) sum += std::log(factor_[i * size_ + i]);
  return sum;
}

std::vector<double> GrowingCholesky::solve(std::span<const double> y) const {
  const auto n = static_cast<Eigen::Index>(size_);
  const Eigen::Map<const Square> inverse(inverse_.data(), n, n);
  const Eigen::Map<const Eigen::VectorXd> target(y.data(), n);
  const Eigen::VectorXd inner = inverse.triangularView<Eigen::Lower>() * target;
  const Eigen::VectorXd result = inverse.transpose().triangularView<Eigen::Upper>() * inner;
  return {result.begin(), result.end()};
}

std::vector<double> GrowingCholesky::inverse_diagonal() const {
  const auto n = static_cast<Eigen::Index>(size_);
  const Eigen::Map<const Square> inverse(inverse_.data(), n, n);
  const Eigen::VectorXd sums = inverse.colwise().squaredNorm().transpose();
  return {sums.begin(), sums.end()};
}

}  // namespace mosaic::predictors
