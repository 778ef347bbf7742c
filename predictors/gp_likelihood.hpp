/// The covariance of a Gaussian process, its marginal likelihood and its hyperparameters' posterior
/// mode.
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "gp.hpp"
#include "minimise.hpp"

namespace mosaic::predictors {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

/// Standardised records.
struct GpRecords {
  Matrix x;  ///< [records, columns]
  Vector y;
  Vector noise;  ///< each record's variance of noise, in units of the parameter's

  Eigen::Index count() const { return y.size(); }
  Eigen::Index columns() const { return x.cols(); }
  GpRecords pick(const std::vector<std::size_t>& indices) const;
};

/// The prior covariance of the function between rows of `a` and of `b`, [a, b].
Matrix gp_covariance(const Matrix& a, const Matrix& b, GpKernel kernel,
                     const GpParameters& parameters);

/// In place: K = L L^T -> L^-1, 0 above the diagonal. False where K is not positive definite to
/// working accuracy.
bool invert_factor(Matrix& covariance);
/// K^-1 y, given L^-1.
Vector solve(const Matrix& inverse_factor, const Vector& y);

/// Minus the logarithm of marginal likelihood times prior (up to the prior's constant) over
///   [log common scale, log of each column's share of it, log signal, log linear, log noise].
/// Priors are normal in these: shares N(0, 1), common N(log 1.5, 1), signal N(0, 1.5),
/// linear N(log 0.3, 1.5), noise N(log 0.01, 2): wide, but ten records cannot run away with them.
class GpLikelihood {
 public:
  GpLikelihood(GpRecords records, GpKernel kernel, bool linear);

  double operator()(const std::vector<double>& theta, std::vector<double>& gradient) const;

  /// Bounds; `own_scales` false holds all shares at 0.
  Box box(bool own_scales) const;
  std::vector<double> to_theta(const GpParameters& parameters) const;
  GpParameters to_parameters(const std::vector<double>& theta) const;

 private:
  double add_priors(const std::vector<double>& theta, std::vector<double>& gradient) const;
  std::size_t columns() const { return static_cast<std::size_t>(records_.columns()); }

  GpRecords records_;
  GpKernel kernel_;
  bool linear_;
  Matrix inner_;  ///< x . x' / d
};

/// The best hyperparameters found: from two starts with one common scale on at most 100 records,
/// then (`own_scales`) every column's own on all that are given. With `previous` that is the one
/// start.
GpParameters choose_gp_parameters(const GpRecords& records, const GpSettings& settings,
                                  const GpParameters* previous);

}  // namespace mosaic::predictors
