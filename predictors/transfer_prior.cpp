#include "transfer_prior.hpp"

#include <algorithm>
#include <cmath>

namespace mosaic::predictors {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Prior variances of the coefficients. They are uncritical: with ten measurements a factor of two
// or three in any of them moves the mean rank correlation on NAS-Bench-201 by about 0.001.
constexpr double kConstant = 1;
constexpr double kMean = 0.25;
constexpr double kDevice = 2;
constexpr double kPruning = 0.03;

/// Per network, how much less the cheapest network of the same function takes (at most 0).
VectorXd pruning_gain(const VectorXd& mean, const std::vector<int>& functions) {
  VectorXd least = VectorXd::Constant(
      functions.empty() ? 0 : *std::max_element(functions.begin(), functions.end()) + 1, 1e300);
  for (std::size_t i = 0; i < functions.size(); ++i)
    least(functions[i]) = std::min(least(functions[i]), mean(static_cast<Index>(i)));
  VectorXd gain(mean.size());
  for (std::size_t i = 0; i < functions.size(); ++i)
    gain(static_cast<Index>(i)) = least(functions[i]) - mean(static_cast<Index>(i));
  return gain;
}

}  // namespace

DevicePrior::DevicePrior(const MatrixXd& tables, const std::vector<int>& functions) {
  mean = tables.rowwise().mean();
  const Index devices = tables.cols();
  const Index spread = devices > 1 ? devices : 0;
  columns.resize(tables.rows(), 2 + spread + (functions.empty() ? 0 : 1));
  columns.col(0).setConstant(std::sqrt(kConstant));
  columns.col(1) = std::sqrt(kMean) * mean;
  if (spread > 0)
    columns.middleCols(2, spread) =
        std::sqrt(kDevice / static_cast<double>(devices - 1)) * (tables.colwise() - mean);
  if (!functions.empty())
    columns.col(2 + spread) = std::sqrt(kPruning) * pruning_gain(mean, functions);
}

DevicePosterior::DevicePosterior(const DevicePrior& prior, const std::vector<Index>& networks,
                                 const VectorXd& values, const VectorXd& extra,
                                 const VectorXd& noises) {
  const MatrixXd rows = prior.columns(networks, Eigen::all);
  const VectorXd residual = values - prior.mean(networks);
  const MatrixXd kernel = rows * rows.transpose();
  const double jitter = 1e-12 * kernel.trace();
  std::vector<VectorXd> means;
  std::vector<MatrixXd> reductions;
  VectorXd evidence(noises.size());
  for (Index i = 0; i < noises.size(); ++i) {
    MatrixXd covariance_of_values = kernel;
    covariance_of_values.diagonal().array() += noises(i) + extra.array() + jitter;
    const Eigen::LLT<MatrixXd> factor(covariance_of_values);
    const VectorXd solved = factor.solve(residual);
    evidence(i) = -0.5 * residual.dot(solved) - factor.matrixLLT().diagonal().array().log().sum();
    means.emplace_back(rows.transpose() * solved);
    reductions.emplace_back(rows.transpose() * factor.solve(rows));
  }
  VectorXd weights = (evidence.array() - evidence.maxCoeff()).exp();
  weights /= weights.sum();
  mean = VectorXd::Zero(rows.cols());
  covariance = MatrixXd::Identity(rows.cols(), rows.cols());
  for (Index i = 0; i < noises.size(); ++i) {
    const auto& its_mean = means[static_cast<std::size_t>(i)];
    mean += weights(i) * its_mean;
    covariance +=
        weights(i) * (its_mean * its_mean.transpose() - reductions[static_cast<std::size_t>(i)]);
    noise += weights(i) * noises(i);
  }
  covariance -= mean * mean.transpose();
}

std::vector<Index> greedy_design(const DevicePrior& prior, const std::vector<Index>& candidates,
                                 std::size_t count, double noise) {
  const MatrixXd& columns = prior.columns;
  const Eigen::RowVectorXd level = columns.colwise().mean();
  // Of f about its mean over networks: the scale of a device is not what orders its networks.
  const MatrixXd spread = columns.transpose() * columns / static_cast<double>(columns.rows()) -
                          level.transpose() * level;
  const MatrixXd rows = columns(candidates, Eigen::all);
  MatrixXd covariance = MatrixXd::Identity(columns.cols(), columns.cols());
  std::vector<Index> chosen;
  std::vector<bool> taken(candidates.size());
  while (chosen.size() < std::min(count, candidates.size())) {
    const MatrixXd reach = rows * covariance;
    const VectorXd variance = reach.cwiseProduct(rows).rowwise().sum().array() + noise;
    const VectorXd gain = (reach * spread).cwiseProduct(reach).rowwise().sum();
    Index best = -1;
    for (Index i = 0; i < rows.rows(); ++i)
      if (!taken[static_cast<std::size_t>(i)] &&
          (best < 0 || gain(i) / variance(i) > gain(best) / variance(best)))
        best = i;
    taken[static_cast<std::size_t>(best)] = true;
    chosen.push_back(candidates[static_cast<std::size_t>(best)]);
    covariance -= reach.row(best).transpose() * reach.row(best) / variance(best);
  }
  return chosen;
}

}  // namespace mosaic::predictors
