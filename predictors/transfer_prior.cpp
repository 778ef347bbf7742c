#include "transfer_prior.hpp"

#include <algorithm>
#include <cmath>

#include "mosaic/core/process.hpp"

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
constexpr double kNoPruning = 0.01;    ///< of devices that do not prune, about 0
constexpr double kPruningShare = 0.1;  ///< of devices, beforehand

/// What the coefficient of pruning may be, in units of sqrt(kPruning): normal about `centre`.
struct Hypothesis {
  double weight;
  double centre;
  double variance;
};
std::vector<Hypothesis> hypotheses(bool prunes) {
  if (!prunes) return {{1, 0, 1}};
  return {{1 - kPruningShare, 0, kNoPruning / kPruning},
          {kPruningShare, 1 / std::sqrt(kPruning), 1}};
}

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
  prunes = !functions.empty();
  if (prunes) columns.col(2 + spread) = std::sqrt(kPruning) * pruning_gain(mean, functions);
}

DevicePosterior::DevicePosterior(const DevicePrior& prior, const std::vector<Index>& networks,
                                 const VectorXd& values, const VectorXd& extra,
                                 const VectorXd& noises) {
  struct Part {
    double evidence;
    VectorXd mean;
    MatrixXd covariance;
    double noise;
    bool pruning;
  };
  const MatrixXd rows = prior.columns(networks, Eigen::all);
  const VectorXd residual = values - prior.mean(networks);
  const Index size = rows.cols();
  std::vector<Part> parts;
  for (const auto& [weight, centre, variance] : hypotheses(prior.prunes)) {
    VectorXd variances = VectorXd::Ones(size);
    VectorXd centres = VectorXd::Zero(size);
    variances(size - 1) = variance;
    centres(size - 1) = centre;
    const MatrixXd reach = variances.asDiagonal() * rows.transpose();
    const MatrixXd kernel = rows * reach;
    const VectorXd left = residual - rows * centres;
    for (const double common : noises) {
      MatrixXd covariance_of_values = kernel;
      covariance_of_values.diagonal().array() += common + extra.array() + 1e-12 * kernel.trace();
      const Eigen::LLT<MatrixXd> factor(covariance_of_values);
      const VectorXd solved = factor.solve(left);
      MatrixXd its = variances.asDiagonal();
      its -= reach * factor.solve(reach.transpose());
      parts.push_back({std::log(weight) - 0.5 * left.dot(solved) -
                           factor.matrixLLT().diagonal().array().log().sum(),
                       centres + reach * solved, std::move(its), common, centre != 0});
    }
  }
  const double most =
      std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
        return a.evidence < b.evidence;
      })->evidence;
  double total = 0;
  for (Part& part : parts) total += part.evidence = std::exp(part.evidence - most);
  mean = VectorXd::Zero(size);
  covariance = MatrixXd::Zero(size, size);
  for (const Part& part : parts) {
    const double weight = part.evidence / total;
    mean += weight * part.mean;
    covariance += weight * (part.covariance + part.mean * part.mean.transpose());
    noise += weight * part.noise;
    if (part.pruning) pruning += weight;
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
    core::check_interrupt();
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
