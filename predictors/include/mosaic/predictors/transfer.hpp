/// Latency on a new device from tables of known devices and a few measurements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mosaic/predictors/predictor.hpp"

namespace mosaic::predictors {

/// Latencies in ms of the same networks on several devices.
struct KnownDevices {
  std::vector<std::string> archs;            ///< distinct
  std::vector<std::string> devices;          ///< names
  std::vector<std::vector<double>> latency;  ///< [device][network]; NaN where not measured
};

/// The name by which networks of different tables meet (that of the space, say). Throws
/// core::UsageError for text that names none; readers add file and line.
using NameOf = std::function<std::string(const std::string&)>;

/// Reads a CSV(.gz) with a column `arch` and one column a device; an empty cell (core::is_missing)
/// was not measured. `select` and `drop` are columns or shell patterns over their names
/// (`latency_ms_*`): without `select` every column is a device but `arch` and those that count the
/// rows. A network in several rows has the mean of each device's latencies, and the log tells how
/// far they lie apart. Throws core::Error with file, line and column for a cell that is no positive
/// number, core::UsageError for a pattern that meets no column and for fewer than two devices.
KnownDevices read_known_devices(const std::string& path, std::span<const std::string> select = {},
                                std::span<const std::string> drop = {}, const NameOf& name = {});

/// One measurement on the new device.
struct Measured {
  std::string arch;
  double latency_ms = 0;
  double standard_error = 0;  ///< of latency_ms, 0: not known
};

/// Reads a CSV with columns `arch` and `latency_ms`, as `mosaic measure --archs --out` writes it;
/// `standard_error` is used where it is there, further columns are ignored. Rows whose latency is
/// empty (the measurement failed) are left out. Several rows of a network are kept, which
/// Transfer::predict averages, and told in the log.
std::vector<Measured> read_measured(const std::string& path, const NameOf& name = {});

/// What is known of each network besides its latencies.
struct Structure {
  std::vector<Features> features;      ///< of FeatureExtractor
  std::vector<std::string> functions;  ///< spaces::function_hash
  std::vector<bool> constant;  ///< the output does not depend on the input: not worth measuring
};
/// Of networks in text form. Throws core::UsageError for one that is not of the space.
Structure structure_of(const spaces::Space& space, std::span<const std::string> archs);

/// How well a known device was predicted from the others and from its own latencies of the measured
/// networks.
struct LeaveOneOut {
  std::string device;
  double spearman = 0;  ///< over 2,000 of its networks, or all
  double error = 0;     ///< median absolute error, percent
};

struct Transferred {
  std::vector<Prediction> predictions;  ///< ms, one per network of the known devices
  struct Nearest {
    std::string device;
    double spearman;  ///< of its latencies with the predictions
  };
  std::vector<Nearest> nearest;      ///< known devices, the most alike first
  std::vector<LeaveOneOut> checked;  ///< the known devices that have 3 of the measured networks
  double coverage = 0;               ///< share of the latencies in `checked` within mean +- 1.645
                                     ///< deviations, after calibration
  double noise = 0;       ///< relative deviation of a single measurement on the new device
  double pruning = 0;     ///< probability that the new device's runtime removes dead branches
  double resolution = 0;  ///< ms: step of the new device's clock where it is coarse, else 0
  std::size_t measurements = 0;  ///< distinct networks they were of
  /// How far each measured network lies from what the others and the known devices say of it, in
  /// deviations of that prediction: root of the mean square. About 1 where all is well. Above
  /// kMisfit the new device is not like the known ones, or rows are wrong: all deviations are
  /// multiplied by it.
  double misfit = 0;
  std::vector<std::string>
      astray;  ///< then: the measured networks that lie farthest, three at most
};

inline constexpr double kMisfit = 2;

/// The step of a coarse clock: the largest power of ten (ms) that divides all readings, if it is
/// more than 1% of their median; else 0.
double clock_resolution(std::span<const double> latencies_ms);

/// Predicts a new device as a random combination of the known ones.
///
/// With t_d(x) the square root of the latency of network x on device d, divided by its mean over
/// all networks (square roots: costs of operations add up in the latency, errors grow with it):
///   1. Tables are smoothed: t_d is replaced by its ridge regression on the quadratic kernel
///      (1 + x.x'/p)^2 of the networks' structural features, over 400 landmarks (Nystroem), penalty
///      by generalised cross-validation. What is left is the noise v_d of that device. Missing
///      cells are filled in the same way. Without structure the tables stay as they are, and v_d is
///      what a regression on the other devices leaves.
///   2. Prior. mu = mean of the t_d, D_d = (t_d - mu) / sqrt(devices - 1), so that sum_d D_d D_d^T
///      is the covariance of known devices. The new device is, up to its scale,
///        f = mu + a + b mu + sum_d c_d D_d + g (mu(plain(x)) - mu(x)),
///      a ~ N(0, 1), b ~ N(0, 1/4), c_d ~ N(0, 2); plain(x) is the cheapest network that computes
///      the same function. Where the new device's runtime removes dead branches, g is about 1:
///      g ~ N(1, 0.03) with probability 1/10, else N(0, 0.01).
///   3. Posterior. Measurements are f(x_i) + noise; the variance of the noise is v_d of an unknown
///      known device d plus the mean of all v_d, averaged over d and over the two priors of g by
///      evidence (Bayesian model averaging), plus the squared standard error of the measurement
///      where one is given and step^2/12 of a coarse clock.
///   4. Deviations are stretched so that mean +- 1.645 deviations holds 90% of the latencies of the
///      known devices when each in turn is taken as the new one (conformal quantile). Known devices
///      that are twins of another (one card with two batch sizes) make this optimistic: leave
///      twins of each other out, or read `checked`.
///   5. Each measured network is predicted from the others. Where they lie farther off than their
///      deviations allow (`misfit`), deviations are stretched by as much.
/// This is a Gaussian process over networks whose kernel was learnt from devices (empirical Bayes),
/// in the spirit of transfer by latent device factors (HELP, Lee et al. 2021, learns that by
/// gradient descent).
class Transfer {
 public:
  /// `structure`: one entry per network. Throws core::Error for fewer than two devices or networks,
  /// for latencies that are not positive, and for missing cells without a structure to fill them.
  explicit Transfer(KnownDevices known, std::optional<Structure> structure = std::nullopt);
  ~Transfer();
  Transfer(Transfer&&) noexcept;
  Transfer& operator=(Transfer&&) noexcept;

  /// The networks to measure, as indices, in the order of their worth: greedy A-optimal design.
  /// Each next one is that which, under the prior and a noise as the known devices have it, leaves
  /// the least posterior variance of f about its mean, summed over all networks. Candidates are
  /// 2,000 networks drawn by `seed` among those whose output depends on their input. The first k of
  /// a longer list are the list of k. Throws core::UsageError for a count of 0 or of more than
  /// there are.
  std::vector<std::size_t> suggest(std::size_t count, std::uint64_t seed = 1) const;

  /// Measurements of one network are averaged; their order is of no influence. Throws core::Error
  /// for fewer than 3 networks, a latency that is not positive, or a network that is not in the
  /// table (to predict from those, add them to the table with missing cells).
  Transferred predict(std::span<const Measured> measured) const;

  const KnownDevices& known() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mosaic::predictors
