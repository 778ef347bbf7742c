/// Tables of latencies as smooth functions of the networks' structure.
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "mosaic/predictors/predictor.hpp"

namespace mosaic::predictors {

struct Smoothed {
  Eigen::MatrixXd values;    ///< [network, device], every cell
  Eigen::VectorXd variance;  ///< per device, of its measurements about `values`
};

/// Each column of `tables` (NaN: missing) regressed by ridge on the quadratic kernel
/// (1 + x.x'/p)^2 of the standardised features over at most 400 landmarks (Nystroem method,
/// Williams & Seeger 2001); penalty by generalised cross-validation (Golub et al. 1979).
Smoothed smooth_by_structure(const Eigen::MatrixXd& tables, const std::vector<Features>& features);

/// The tables as they are; the variance is what a least-squares fit on the other columns leaves.
Smoothed smooth_by_nothing(const Eigen::MatrixXd& tables);

}  // namespace mosaic::predictors
