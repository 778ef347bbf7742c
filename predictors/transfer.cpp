// Transfer to a new device: from tables and measurements to predictions. Equations in the header.
#include "mosaic/predictors/transfer.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "transfer_prior.hpp"
#include "transfer_smooth.hpp"

namespace mosaic::predictors {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kCandidates = 2000;
constexpr std::size_t kLeastMeasurements = 3;
constexpr double kNormal90 = 1.6448536269514722;
/// Predictions do not fall below this share of the mean latency's square root.
constexpr double kLeastRoot = 0.02;
/// Networks that known devices are checked on.
constexpr std::size_t kChecked = 2000;

/// Square roots of the latencies, [network, device].
MatrixXd roots_of(const KnownDevices& known) {
  MatrixXd roots(static_cast<Index>(known.archs.size()), static_cast<Index>(known.devices.size()));
  for (std::size_t d = 0; d < known.devices.size(); ++d)
    for (std::size_t i = 0; i < known.archs.size(); ++i)
      roots(static_cast<Index>(i), static_cast<Index>(d)) = std::sqrt(known.latency[d][i]);
  return roots;
}

void check_known(const KnownDevices& known, const std::optional<Structure>& structure) {
  const std::size_t networks = known.archs.size();
  if (known.devices.size() < 2)
    throw core::Error("a new device is predicted from at least 2 known devices, not " +
                          std::to_string(known.devices.size()),
                      "add a column with the latencies of another device");
  if (networks < 2)
    throw core::Error("the table of known devices has " + std::to_string(networks) + " networks",
                      "give the latencies of at least 2 networks");
  if (known.latency.size() != known.devices.size() ||
      (structure &&
       (structure->features.size() != networks || structure->functions.size() != networks)))
    throw std::logic_error("tables, devices and structure of known devices differ in size");
  for (std::size_t d = 0; d < known.devices.size(); ++d) {
    const auto& column = known.latency[d];
    std::size_t missing = 0;
    for (std::size_t i = 0; i < networks; ++i) {
      if (std::isnan(column.at(i)))
        ++missing;
      else if (!(column[i] > 0) || std::isinf(column[i]))
        throw core::Error("the latency of " + known.archs[i] + " on " + known.devices[d] + " is " +
                              core::format_double(column[i]) + " ms, not a positive number",
                          "leave the cell empty where a network was not measured");
    }
    if (missing > 0 && !structure)
      throw core::Error(
          known.devices[d] + " lacks " + std::to_string(missing) + " of " +
              std::to_string(networks) + " networks",
          "give --space, so that they can be filled in, leave the device out with --drop, or keep "
          "only networks that every device has");
    if (networks - missing < 10 && missing > 0)
      throw core::Error(known.devices[d] + " has the latencies of only " +
                            std::to_string(networks - missing) + " networks",
                        "a device with missing cells needs at least 10: leave it out with --drop");
  }
}

/// Ranks do not need magnitudes; this scales every column to mean 1.
MatrixXd with_mean_one(const MatrixXd& tables) {
  return tables.array().rowwise() / tables.colwise().mean().array();
}

std::vector<int> numbered(const std::vector<std::string>& names) {
  std::map<std::string, int> numbers;
  std::vector<int> result;
  for (const auto& name : names)
    result.push_back(numbers.emplace(name, static_cast<int>(numbers.size())).first->second);
  return result;
}

MatrixXd without_column(const MatrixXd& matrix, Index column) {
  MatrixXd result(matrix.rows(), matrix.cols() - 1);
  result.leftCols(column) = matrix.leftCols(column);
  result.rightCols(matrix.cols() - 1 - column) = matrix.rightCols(matrix.cols() - 1 - column);
  return result;
}

/// The variances that a new device's noise may have: those of the known ones, each enlarged by
/// their mean, for what no combination of known devices explains.
VectorXd possible_noises(const VectorXd& variances) { return variances.array() + variances.mean(); }

VectorXd without_entry(const VectorXd& vector, Index entry) {
  return without_column(vector.transpose(), entry).transpose();
}

/// Measurements as the model takes them: distinct networks in table order.
struct Readings {
  std::vector<Index> networks;
  VectorXd latency;         ///< ms
  VectorXd error_variance;  ///< ms^2, of each
};

/// f of a device at some networks, in the square root of its latency over `scale`.
struct Fitted {
  double scale;
  VectorXd mean;
  VectorXd deviation;  ///< of a measurement about `mean`
  double noise;        ///< variance of a measurement at the scale of `mean`
  double pruning;      ///< probability
};

Fitted fit(const DevicePrior& prior, const VectorXd& noises, const Readings& readings, double step,
           const std::vector<Index>& networks) {
  const VectorXd roots = readings.latency.cwiseSqrt();
  const double scale = roots.mean() / prior.mean(readings.networks).mean();
  // d sqrt(t) = dt / (2 sqrt(t))
  const VectorXd extra = (readings.error_variance.array() + step * step / 12) /
                         (4 * readings.latency.array() * scale * scale);
  const DevicePosterior posterior(prior, readings.networks, roots / scale, extra, noises);
  const MatrixXd columns = prior.columns(networks, Eigen::all);
  Fitted result;
  result.scale = scale;
  result.noise = posterior.noise;
  result.pruning = posterior.pruning;
  result.mean = prior.mean(networks) + columns * posterior.mean;
  result.mean = result.mean.cwiseMax(kLeastRoot);  // a device's mean is about 1
  const VectorXd variance =
      (columns * posterior.covariance).cwiseProduct(columns).rowwise().sum().cwiseMax(0);
  const double rounding = step * step / 12 / (4 * scale * scale);
  result.deviation =
      (variance.array() + posterior.noise + rounding / result.mean.array().square()).sqrt();
  return result;
}

/// Prediction of the i-th network of `fitted`.
Prediction in_ms(const Fitted& fitted, Index i, double stretch) {
  const double root = fitted.scale * fitted.mean(i);
  return {root * root, 2 * root * fitted.scale * fitted.deviation(i) * stretch};
}

std::vector<Index> counted(std::size_t count) {
  std::vector<Index> result(count);
  std::iota(result.begin(), result.end(), Index{0});
  return result;
}

/// The least of `values` that at least this share of them, and one more, do not exceed.
double quantile(std::vector<double> values, double share) {
  const auto rank =
      static_cast<std::ptrdiff_t>(std::ceil(share * (static_cast<double>(values.size()) + 1)) - 1);
  const auto at = values.begin() + std::min(rank, static_cast<std::ptrdiff_t>(values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double clock_resolution_of(const Readings& readings) {
  return clock_resolution(
      {readings.latency.data(), static_cast<std::size_t>(readings.latency.size())});
}

}  // namespace

double clock_resolution(std::span<const double> latencies_ms) {
  if (latencies_ms.empty()) return 0;
  std::vector<double> sorted(latencies_ms.begin(), latencies_ms.end());
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[sorted.size() / 2];
  for (double step = std::pow(10, std::floor(std::log10(sorted.front()))); step > 0.01 * median;
       step /= 10)
    if (std::all_of(sorted.begin(), sorted.end(), [&](double value) {
          return std::abs(value / step - std::round(value / step)) < 1e-6;
        }))
      return step;
  return 0;
}

struct Transfer::State {
  KnownDevices known;
  std::map<std::string, std::size_t> index;
  MatrixXd roots;  ///< as measured, scaled as `smooth` is
  Smoothed smooth;
  std::vector<int> functions;
  std::vector<bool> constant;

  DevicePrior prior() const { return {smooth.values, functions}; }

  Readings readings(std::span<const Measured> measured) const {
    struct Sum {
      double latency = 0;
      double variance = 0;
      double count = 0;
    };
    std::map<Index, Sum> sums;
    for (const auto& one : measured) {
      const auto found = index.find(one.arch);
      if (found == index.end())
        throw core::Error(
            "the measured network " + one.arch + " is not in the table of known devices",
            "measure networks that the table has (mosaic predictor suggest names "
            "the best ones), or give --space, so that its structure speaks for it");
      if (!(one.latency_ms > 0) || std::isinf(one.latency_ms))
        throw core::Error("the measured latency of " + one.arch + " is " +
                              core::format_double(one.latency_ms) + " ms, not a positive number",
                          "leave the measurement out");
      Sum& sum = sums[static_cast<Index>(found->second)];
      sum.latency += one.latency_ms;
      sum.variance += one.standard_error * one.standard_error;
      sum.count += 1;
    }
    if (sums.size() < kLeastMeasurements)
      throw core::Error("measurements of " + std::to_string(sums.size()) +
                            " networks are too few to know a device by: at least " +
                            std::to_string(kLeastMeasurements) + " are needed, 10 are good",
                        "measure more networks; mosaic predictor suggest says which");
    Readings result;
    result.latency.resize(static_cast<Index>(sums.size()));
    result.error_variance.resize(static_cast<Index>(sums.size()));
    for (const auto& [network, sum] : sums) {
      const auto at = static_cast<Index>(result.networks.size());
      result.latency(at) = sum.latency / sum.count;
      result.error_variance(at) = sum.variance / (sum.count * sum.count);
      result.networks.push_back(network);
    }
    return result;
  }

  double latency(Index device, Index network) const {
    return known.latency[static_cast<std::size_t>(device)][static_cast<std::size_t>(network)];
  }

  /// A known device taken as new: its own measurements of the same networks, as far as it has them.
  Readings readings_of(Index device, const std::vector<Index>& networks) const {
    Readings result;
    std::vector<double> values;
    for (const Index network : networks)
      if (const double value = latency(device, network); std::isfinite(value)) {
        result.networks.push_back(network);
        values.push_back(value);
      }
    result.latency = Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size()));
    result.error_variance = VectorXd::Zero(result.latency.size());
    return result;
  }

  /// Networks that `device` has measured, evenly spread over the table, 2,000 at most.
  std::vector<Index> checked_networks(Index device) const {
    std::vector<Index> has;
    for (Index i = 0; i < roots.rows(); ++i)
      if (std::isfinite(roots(i, device))) has.push_back(i);
    std::vector<Index> result;
    const std::size_t count = std::min(kChecked, has.size());
    for (std::size_t i = 0; i < count; ++i) result.push_back(has[i * has.size() / count]);
    return result;
  }

  /// Takes one known device as new; `ratios` receives |error| / deviation of its latencies.
  LeaveOneOut leave_out(Index device, const Readings& its, std::vector<double>& ratios) const {
    const DevicePrior others(without_column(smooth.values, device), functions);
    const std::vector<Index> networks = checked_networks(device);
    const Fitted fitted = fit(others, possible_noises(without_entry(smooth.variance, device)), its,
                              clock_resolution_of(its), networks);
    std::vector<double> truth;
    std::vector<double> predicted;
    std::vector<double> errors;
    for (std::size_t i = 0; i < networks.size(); ++i) {
      const Prediction prediction = in_ms(fitted, static_cast<Index>(i), 1);
      truth.push_back(latency(device, networks[i]));
      predicted.push_back(prediction.mean);
      errors.push_back(100 * std::abs(prediction.mean / truth.back() - 1));
      ratios.push_back(std::abs(prediction.mean - truth.back()) / prediction.deviation);
    }
    return {known.devices[static_cast<std::size_t>(device)],
            core::rank_correlation(predicted, truth), quantile(std::move(errors), 0.5)};
  }

  std::vector<LeaveOneOut> leave_each_out(const std::vector<Index>& networks,
                                          std::vector<double>& ratios) const {
    std::vector<LeaveOneOut> result;
    for (Index device = 0; device < roots.cols(); ++device) {
      const Readings its = readings_of(device, networks);
      if (its.networks.size() >= kLeastMeasurements)
        result.push_back(leave_out(device, its, ratios));
    }
    return result;
  }

  /// Transferred::misfit; `astray` receives the names. 1 for fewer networks than a fit and one to
  /// judge it by.
  double misfit(const Readings& readings, double step, double stretch,
                std::vector<std::string>& astray) const {
    const auto count = static_cast<Index>(readings.networks.size());
    if (count <= static_cast<Index>(kLeastMeasurements)) return 1;
    const auto noises = possible_noises(smooth.variance);
    const DevicePrior all = prior();
    std::vector<std::pair<double, Index>> off;
    double squares = 0;
    for (Index i = 0; i < count; ++i) {
      Readings others{readings.networks, without_entry(readings.latency, i),
                      without_entry(readings.error_variance, i)};
      others.networks.erase(others.networks.begin() + i);
      const auto network = readings.networks[static_cast<std::size_t>(i)];
      const auto predicted = in_ms(fit(all, noises, others, step, {network}), 0, stretch);
      const double ratio = std::abs(readings.latency(i) - predicted.mean) / predicted.deviation;
      squares += ratio * ratio;
      off.emplace_back(ratio, network);
    }
    const double root = std::sqrt(squares / static_cast<double>(count));
    if (!(root > kMisfit)) return root;
    std::sort(off.rbegin(), off.rend());
    for (std::size_t i = 0; i < std::min<std::size_t>(3, off.size()); ++i)
      if (off[i].first > kMisfit)
        astray.push_back(known.archs[static_cast<std::size_t>(off[i].second)]);
    return root;
  }

  std::vector<Transferred::Nearest> nearest(const std::vector<Prediction>& predictions) const {
    std::vector<Transferred::Nearest> result;
    for (std::size_t d = 0; d < known.devices.size(); ++d) {
      std::vector<double> theirs;
      std::vector<double> ours;
      for (std::size_t i = 0; i < predictions.size(); ++i)
        if (std::isfinite(known.latency[d][i])) {
          theirs.push_back(known.latency[d][i]);
          ours.push_back(predictions[i].mean);
        }
      result.push_back({known.devices[d], core::rank_correlation(ours, theirs)});
    }
    std::stable_sort(result.begin(), result.end(),
                     [](const auto& a, const auto& b) { return a.spearman > b.spearman; });
    return result;
  }
};

Transfer::Transfer(KnownDevices known, std::optional<Structure> structure)
    : state_(std::make_unique<State>()) {
  check_known(known, structure);
  State& state = *state_;
  state.known = std::move(known);
  for (std::size_t i = 0; i < state.known.archs.size(); ++i)
    if (!state.index.emplace(state.known.archs[i], i).second)
      throw core::Error("the network " + state.known.archs[i] + " is twice in the table",
                        "keep one row for each network");
  state.roots = roots_of(state.known);
  // Penalties and variances are relative to a device's mean, of the cells that it has.
  for (Index d = 0; d < state.roots.cols(); ++d) {
    double sum = 0;
    double count = 0;
    for (const double root : state.roots.col(d))
      if (std::isfinite(root)) {
        sum += root;
        ++count;
      }
    state.roots.col(d) *= count / sum;
  }
  state.smooth = structure ? smooth_by_structure(state.roots, structure->features)
                           : smooth_by_nothing(state.roots);
  state.smooth.values = with_mean_one(state.smooth.values);
  if (structure) {
    state.functions = numbered(structure->functions);
    state.constant = std::move(structure->constant);
  }
}

Transfer::~Transfer() = default;
Transfer::Transfer(Transfer&&) noexcept = default;
Transfer& Transfer::operator=(Transfer&&) noexcept = default;

const KnownDevices& Transfer::known() const { return state_->known; }

std::vector<std::size_t> Transfer::suggest(std::size_t count, std::uint64_t seed) const {
  std::vector<Index> candidates = counted(state_->known.archs.size());
  std::erase_if(candidates, [&](Index i) {
    return !state_->constant.empty() && state_->constant[static_cast<std::size_t>(i)];
  });
  const std::size_t networks = candidates.size();
  if (count == 0 || count > networks)
    throw core::UsageError(
        "cannot suggest " + std::to_string(count) + " of " + std::to_string(networks) + " networks",
        "ask for at least 1 and at most " + std::to_string(networks) + "; 10 are a good number");
  core::Stream(seed, "transfer.candidates").shuffle(candidates);
  candidates.resize(std::min(networks, std::max(kCandidates, count)));
  std::vector<double> variances(state_->smooth.variance.begin(), state_->smooth.variance.end());
  std::nth_element(variances.begin(), variances.begin() + variances.size() / 2, variances.end());
  const double noise = variances[variances.size() / 2] + state_->smooth.variance.mean();
  std::vector<std::size_t> result;
  for (const Index i : greedy_design(state_->prior(), candidates, count, noise))
    result.push_back(static_cast<std::size_t>(i));
  return result;
}

Transferred Transfer::predict(std::span<const Measured> measured) const {
  const Readings readings = state_->readings(measured);
  Transferred result;
  result.measurements = readings.networks.size();
  result.resolution = clock_resolution_of(readings);
  const Fitted fitted = fit(state_->prior(), possible_noises(state_->smooth.variance), readings,
                            result.resolution, counted(state_->known.archs.size()));
  std::vector<double> ratios;
  result.checked = state_->leave_each_out(readings.networks, ratios);
  const double stretch = ratios.empty() ? 1 : quantile(ratios, 0.9) / kNormal90;
  const auto covered = std::count_if(ratios.begin(), ratios.end(),
                                     [&](double ratio) { return ratio <= kNormal90 * stretch; });
  if (!ratios.empty())
    result.coverage = static_cast<double>(covered) / static_cast<double>(ratios.size());
  result.misfit = state_->misfit(readings, result.resolution, stretch, result.astray);
  const double doubt = result.misfit > kMisfit ? result.misfit : 1;
  // Twice: a small relative error of the square root doubles in the latency.
  result.noise = 2 * std::sqrt(fitted.noise);
  result.pruning = fitted.pruning;
  for (Index i = 0; i < fitted.mean.size(); ++i)
    result.predictions.push_back(in_ms(fitted, i, stretch * doubt));
  result.nearest = state_->nearest(result.predictions);
  return result;
}

}  // namespace mosaic::predictors
