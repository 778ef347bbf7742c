#include "transfer_smooth.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "mosaic/core/random.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kLandmarks = 400;
constexpr double kNull = 1e-9;  ///< share of the largest eigenvalue below which a direction is none

MatrixXd standardised(const std::vector<Features>& rows) {
  Standardiser standardiser;
  standardiser.fit(rows);
  MatrixXd result(static_cast<Index>(rows.size()), static_cast<Index>(standardiser.outputs()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Features row = standardiser(rows[i]);
    result.row(static_cast<Index>(i)) =
        Eigen::Map<const Eigen::RowVectorXd>(row.data(), static_cast<Index>(row.size()));
  }
  return result;
}

MatrixXd quadratic_kernel(const MatrixXd& a, const MatrixXd& b) {
  const auto columns = static_cast<double>(std::max<Index>(1, a.cols()));
  return (1 + (a * b.transpose()).array() / columns).square();
}

/// Columns whose inner products are the kernel, as far as the landmarks span it.
MatrixXd kernel_columns(const std::vector<Features>& features) {
  const MatrixXd rows = standardised(features);
  auto order = core::Stream(1, "transfer.landmarks").permutation(features.size());
  order.resize(std::min(order.size(), kLandmarks));
  MatrixXd landmarks(static_cast<Index>(order.size()), rows.cols());
  for (std::size_t i = 0; i < order.size(); ++i)
    landmarks.row(static_cast<Index>(i)) = rows.row(static_cast<Index>(order[i]));
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(quadratic_kernel(landmarks, landmarks));
  const VectorXd& eigenvalues = solver.eigenvalues();
  const auto rank =
      static_cast<Index>((eigenvalues.array() > kNull * eigenvalues.maxCoeff()).count());
  const VectorXd roots = eigenvalues.tail(rank).cwiseSqrt().cwiseInverse();
  return quadratic_kernel(rows, landmarks) *
         (solver.eigenvectors().rightCols(rank) * roots.asDiagonal());
}

/// Ridge regressions on the same rows: one eigendecomposition for all targets and penalties.
class Regression {
 public:
  Regression(const MatrixXd& columns, const std::vector<Index>& rows) : rows_(rows) {
    const MatrixXd chosen = columns(rows, Eigen::all);
    mean_ = chosen.colwise().mean();
    centred_ = chosen.rowwise() - mean_;
    MatrixXd gram = MatrixXd::Zero(columns.cols(), columns.cols());
    gram.selfadjointView<Eigen::Lower>().rankUpdate(centred_.transpose());
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(gram);
    eigenvalues_ = solver.eigenvalues().cwiseMax(0);
    directions_ = solver.eigenvectors();
  }

  /// Fitted values of every row of `columns`, and the variance of the targets about them.
  std::pair<VectorXd, double> fit(const MatrixXd& columns, const VectorXd& target) const {
    const VectorXd y = target(rows_);
    const double level = y.mean();
    const VectorXd centred = y.array() - level;
    const VectorXd projected = directions_.transpose() * (centred_.transpose() * centred);
    const auto count = static_cast<double>(y.size());
    double best = -1;
    double variance = 0;
    VectorXd shrunk;
    for (double lambda = 1e-6; lambda < 2e4; lambda *= 3.1622776601683795) {
      const VectorXd inverse = (eigenvalues_.array() + lambda).inverse();
      const double left = count - 1 - eigenvalues_.dot(inverse);
      if (left < 0.05 * count) continue;  // fits everything: says nothing
      const double squares =
          centred.squaredNorm() - 2 * projected.cwiseAbs2().dot(inverse) +
          (eigenvalues_.array() * projected.array().square() * inverse.array().square()).sum();
      const double score = std::max(squares, 0.0) / (left * left);
      if (best >= 0 && score >= best) continue;
      best = score;
      variance = std::max(squares, 0.0) / left;
      shrunk = inverse.cwiseProduct(projected);
    }
    const VectorXd weights = directions_ * shrunk;
    const VectorXd values = (columns * weights).array() + (level - mean_.dot(weights));
    return {values, variance};
  }

 private:
  std::vector<Index> rows_;
  Eigen::RowVectorXd mean_;
  MatrixXd centred_;
  VectorXd eigenvalues_;
  MatrixXd directions_;
};

}  // namespace

Smoothed smooth_by_structure(const MatrixXd& tables, const std::vector<Features>& features) {
  const MatrixXd columns = kernel_columns(features);
  std::map<std::vector<Index>, std::vector<Index>> devices_by_rows;
  for (Index device = 0; device < tables.cols(); ++device) {
    std::vector<Index> rows;
    for (Index i = 0; i < tables.rows(); ++i)
      if (std::isfinite(tables(i, device))) rows.push_back(i);
    devices_by_rows[rows].push_back(device);
  }
  Smoothed result{MatrixXd(tables.rows(), tables.cols()), VectorXd(tables.cols())};
  for (const auto& [rows, devices] : devices_by_rows) {
    const Regression regression(columns, rows);
    for (const Index device : devices) {
      auto [values, variance] = regression.fit(columns, tables.col(device));
      result.values.col(device) = values;
      result.variance(device) = variance;
    }
  }
  return result;
}

Smoothed smooth_by_nothing(const MatrixXd& tables) {
  Smoothed result{tables, VectorXd(tables.cols())};
  const MatrixXd centred = tables.rowwise() - tables.colwise().mean();
  const MatrixXd gram = centred.transpose() * centred;
  for (Index device = 0; device < tables.cols(); ++device) {
    std::vector<Index> others;
    for (Index j = 0; j < tables.cols(); ++j)
      if (j != device) others.push_back(j);
    const MatrixXd left = gram(others, others);
    const VectorXd right = gram(others, device);
    const VectorXd weights = left.completeOrthogonalDecomposition().solve(right);
    const double squares = gram(device, device) - right.dot(weights);
    const auto count = static_cast<double>(tables.rows() - tables.cols());
    result.variance(device) = std::max(squares, 0.0) / std::max(count, 1.0);
  }
  return result;
}

}  // namespace mosaic::predictors
