#include "ridge_fit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "mosaic/core/process.hpp"

namespace mosaic::predictors {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

Matrix to_matrix(const std::vector<Features>& rows, std::size_t columns) {
  Matrix result(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(columns));
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy(rows[i].begin(), rows[i].end(), result.row(static_cast<Eigen::Index>(i)).data());
  return result;
}

Vector to_vector(const std::vector<double>& values) {
  return Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
}

std::vector<double> to_std(const Vector& values) { return {values.begin(), values.end()}; }

/// The right singular vectors (columns of `directions`) and squared singular values of z, by way of
/// the smaller of its two Gram matrices, and `scores` = z * directions. Null directions are left
/// out.
struct Decomposition {
  Matrix directions;
  Matrix scores;
  Vector eigenvalues;

  explicit Decomposition(const Matrix& z) {
    const bool wide = z.rows() < z.cols();
    const Eigen::MatrixXd gram =
        wide ? Eigen::MatrixXd(z * z.transpose()) : Eigen::MatrixXd(z.transpose() * z);
    if (gram.size() == 0) {
      directions.resize(z.cols(), 0);
      scores.resize(z.rows(), 0);
      return;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
    const double largest = solver.eigenvalues().maxCoeff();
    const double threshold = 1e-13 * static_cast<double>(gram.rows()) * largest;
    const auto rank = static_cast<Eigen::Index>((solver.eigenvalues().array() > threshold).count());
    eigenvalues = solver.eigenvalues().tail(rank);
    if (wide) {
      const Eigen::MatrixXd left = solver.eigenvectors().rightCols(rank);
      const Vector roots = eigenvalues.cwiseSqrt();
      scores = left * roots.asDiagonal();
      directions = z.transpose() * left * roots.cwiseInverse().asDiagonal();
    } else {
      directions = solver.eigenvectors().rightCols(rank);
      scores = z * directions;
    }
  }
};

}  // namespace

RidgeFit fit_ridge(const std::vector<Features>& rows, const std::vector<double>& targets,
                   std::optional<double> lambda) {
  const double count = static_cast<double>(rows.size());
  const Matrix z = to_matrix(rows, rows.front().size());
  const Vector y = to_vector(targets);
  const Vector centred = y.array() - y.mean();
  const Decomposition parts(z);
  const Vector projected = parts.scores.transpose() * centred;
  const Matrix squared = parts.scores.cwiseAbs2();

  RidgeFit fit;
  fit.records = rows.size();
  fit.intercept = y.mean();
  double best = -1;
  const auto attempt = [&](double candidate) {
    core::check_interrupt();
    const Vector shrunk = (parts.eigenvalues.array() + count * candidate).inverse();
    const Vector leverage = (squared * shrunk).array() + 1 / count;
    const Vector residual = centred - parts.scores * shrunk.cwiseProduct(projected);
    const Vector left_out = residual.array() / (1 - leverage.array()).max(1e-12);
    const double error = left_out.squaredNorm();
    if (best >= 0 && !(error < best)) return;
    best = error;
    fit.lambda = candidate;
    fit.leverage = to_std(leverage);
    fit.leave_one_out = to_std(left_out);
    fit.weights = to_std(parts.directions * shrunk.cwiseProduct(projected));
  };
  if (lambda) {
    attempt(*lambda);
  } else {
    for (int step = 8; step >= -32; --step) attempt(std::pow(10.0, step / 4.0));
  }
  for (Eigen::Index k = 0; k < parts.directions.cols(); ++k)
    for (Eigen::Index j = 0; j < parts.directions.rows(); ++j)
      fit.directions.push_back(parts.directions(j, k));
  fit.eigenvalues = to_std(parts.eigenvalues);
  return fit;
}

std::vector<RidgeAnswer> ask_ridge(const RidgeFit& fit, const std::vector<Features>& rows) {
  const Matrix z = to_matrix(rows, fit.weights.size());
  const Vector values = (z * to_vector(fit.weights)).array() + fit.intercept;
  const double count = static_cast<double>(fit.records);
  const double penalty = count * fit.lambda;
  const Eigen::Map<const Matrix> directions(
      fit.directions.data(), static_cast<Eigen::Index>(fit.eigenvalues.size()), z.cols());
  const Matrix squared = (z * directions.transpose()).cwiseAbs2();
  const Vector inverse = (to_vector(fit.eigenvalues).array() + penalty).inverse();
  const Vector inside = squared * inverse;
  // What lies outside of all records seen: the penalty alone holds it there.
  const Vector lengths = z.rowwise().squaredNorm();
  const Vector outside = (lengths - squared.rowwise().sum()).array() - 1e-10 * lengths.array();

  std::vector<RidgeAnswer> answers(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    answers[i].value = values[row];
    answers[i].leverage = 1 / count + inside[row] + std::max(0.0, outside[row]) / penalty;
  }
  return answers;
}

}  // namespace mosaic::predictors
