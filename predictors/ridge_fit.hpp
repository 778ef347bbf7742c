/// Ridge regression with its exact leave-one-out residuals; the mathematics behind the predictor
/// "ridge".
#pragma once

#include <optional>
#include <vector>

#include "mosaic/predictors/predictor.hpp"

namespace mosaic::predictors {

/// A fitted linear model y = intercept + weights . z, the minimiser of
///   1/n sum_i (y_i - intercept - weights . z_i)^2 + lambda |weights|^2.
struct RidgeFit {
  double lambda = 0;
  double intercept = 0;
  Features weights;
  std::vector<double> leverage;  ///< h_ii: how much record i's target moves its own fitted value
  std::vector<double>
      leave_one_out;  ///< y_i minus the prediction for z_i of the fit without record i
  /// Eigenvectors (row after row, each as long as `weights`) and eigenvalues of sum_i z_i z_i^T.
  std::vector<double> directions;
  std::vector<double> eigenvalues;
  std::size_t records = 0;
};

/// Fits rows whose columns have zero mean, as Standardiser makes them. Leave-one-out residuals are
/// those of refits with the same columns and the same penalty n lambda: (y_i - f(z_i)) / (1 - h_ii)
/// (Allen 1974, "PRESS"), one eigendecomposition for all lambdas. Without `lambda`, the one of
/// least squared leave-one-out error among 10^-8 ... 10^2, four a decade, is taken. Works with
/// fewer records than columns.
RidgeFit fit_ridge(const std::vector<Features>& rows, const std::vector<double>& targets,
                   std::optional<double> lambda);

struct RidgeAnswer {
  double value = 0;
  double leverage =
      0;  ///< variance of the fitted value in units of the noise: 1/n + z^T (Z^T Z + n lambda)^-1 z
};
std::vector<RidgeAnswer> ask_ridge(const RidgeFit& fit, const std::vector<Features>& rows);

}  // namespace mosaic::predictors
