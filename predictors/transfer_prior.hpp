/// The Gaussian prior over devices that known devices give, and what measurements make of it.
#pragma once

#include <Eigen/Dense>
#include <vector>

namespace mosaic::predictors {

/// f = mean + columns * w: a device's values over all networks, up to its scale. w ~ N(0, I) for
/// the design; for the posterior the last coefficient, that of pruning, has two hypotheses.
/// Equation in transfer.hpp.
struct DevicePrior {
  Eigen::VectorXd mean;
  Eigen::MatrixXd columns;  ///< each times its coefficient's prior deviation
  bool prunes = false;      ///< the last column is that of pruning

  /// `tables`: [network, device]; `functions`: equal numbers for networks that compute the same, or
  /// empty.
  DevicePrior(const Eigen::MatrixXd& tables, const std::vector<int>& functions);
};

/// w ~ N(mean, covariance) given measurements, averaged over variances of their noise and over
/// whether the device prunes.
struct DevicePosterior {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
  double noise = 0;    ///< variance of a measurement, averaged
  double pruning = 0;  ///< probability that the device removes dead branches

  /// `networks`: rows of the measurements; `values`: at the prior's scale; `extra`: variance of
  /// each beyond the common one; `noises`: the common variances that are possible, equally likely.
  DevicePosterior(const DevicePrior& prior, const std::vector<Eigen::Index>& networks,
                  const Eigen::VectorXd& values, const Eigen::VectorXd& extra,
                  const Eigen::VectorXd& noises);
};

/// Greedy A-optimal design among `candidates`; see Transfer::suggest.
std::vector<Eigen::Index> greedy_design(const DevicePrior& prior,
                                        const std::vector<Eigen::Index>& candidates,
                                        std::size_t count, double noise);

}  // namespace mosaic::predictors
