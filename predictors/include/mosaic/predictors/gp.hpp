/// Gaussian process regression, for those who need more than a mean and a deviation: the posterior
/// of the function apart from that of a measurement, covariances between candidates, leave-one-out.
/// The predictor "gp" wraps it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mosaic/predictors/predictor.hpp"

namespace mosaic::predictors {

enum class GpKernel { matern52, rbf };

/// How measurements scatter about the function. `laplace`: two-sided exponential, so that medians
/// are learned, not means, and no outlier says much; fitted as normal noise whose variance is,
/// record by record, in proportion to the size of the residual (iterated reweighting).
enum class GpNoise { normal, laplace };

struct GpSettings {
  GpKernel kernel = GpKernel::matern52;
  GpNoise noise = GpNoise::normal;
  bool own_scales =
      true;            ///< a length scale of its own for each column (ARD), drawn to a common one
  bool linear = true;  ///< adds a linear term to the kernel
  std::size_t hyper_records = 300;  ///< at most so many records choose the hyperparameters
  std::size_t most_records = 2000;  ///< of more records a random part of this size is kept
  int steps = 40;                   ///< of the optimiser, for each start
  double growth =
      1.25;  ///< hyperparameters are chosen anew when there are so many times the records
};

/// Hyperparameters in units of standardised features and targets:
///   k(x, x') = signal m(r) + linear (x . x') / d + 1 + noise [x is x'],
///   r^2 = 1/d sum_j ((x_j - x'_j) / scales_j)^2,   d columns,
/// with m(r) = (1 + a + a^2/3) exp(-a), a = sqrt(5) r, or exp(-r^2/2). The 1 is the prior variance
/// of the constant mean (Rasmussen & Williams 2006, sections 2.7, 4.2).
struct GpParameters {
  std::vector<double> scales;
  double signal = 1;
  double linear = 0;
  double noise = 0.01;
};

struct GpAnswer {
  double mean = 0;
  double deviation = 0;  ///< posterior standard deviation of the function
  double measured = 0;   ///< standard deviation of a new measurement of it: noise included
};

/// A fitted process is a value: copies share what was fitted and never change it.
class GaussianProcess {
 public:
  explicit GaussianProcess(GpSettings settings = {}) : settings_(settings) {}

  /// Fits rows of equal length with one finite target each (core::Error otherwise; at least 4).
  /// Hyperparameters maximise the marginal likelihood times log-normal priors (analytic gradient,
  /// L-BFGS in a box, from two starts). A second fit() whose rows begin with the rows of the last
  /// one keeps hyperparameters and standardisation and appends to the Cholesky factor, O(n^2 k) for
  /// k new rows, until there are `growth` times the records of the last choice; then they are
  /// chosen again, starting from what they were. Targets may change every time. With Laplace noise
  /// nothing is appended: every residual changes with the records. Deterministic in `seed`, which
  /// only draws subsets.
  void fit(const std::vector<Features>& rows, std::span<const double> targets, std::uint64_t seed);
  /// Whether fit() of these rows would append to what is fitted.
  bool continued_by(const std::vector<Features>& rows) const;
  /// Same as fit(), with given hyperparameters (one scale for each column that is not constant,
  /// else core::Error).
  void fit_with(const std::vector<Features>& rows, std::span<const double> targets,
                const GpParameters& parameters, std::uint64_t seed);

  /// Fits other rows with the hyperparameters as they are; same as fit() where there are none, or
  /// for another number of columns.
  void refit(const std::vector<Features>& rows, std::span<const double> targets,
             std::uint64_t seed);

  /// Throws core::Error before fit() or for rows of another length. 15,625 rows against 200 records
  /// of 60 features take some 50 ms: matrix products do the work.
  std::vector<GpAnswer> predict(const std::vector<Features>& rows) const;
  /// Posterior covariance of the function between all pairs, row after row: rows.size() squared
  /// numbers.
  std::vector<double> covariance(const std::vector<Features>& rows) const;

  /// Of each record in use: its target minus what the process predicts without it, and the standard
  /// deviation of that prediction of a measurement (R&W, equation 5.12), hyperparameters as they
  /// are; with Laplace noise that of a measurement of usual noise.
  struct LeftOut {
    std::vector<double> residual;
    std::vector<double> deviation;
  };
  LeftOut leave_one_out() const;

  /// Which of the rows given to fit() are in use: all, in order, unless there were more than
  /// `most_records`.
  const std::vector<std::size_t>& used() const;
  /// Logarithm of the marginal likelihood of the standardised targets in use.
  double log_likelihood() const;
  const GpParameters& parameters() const;
  /// Whether the last fit() appended to the one before.
  bool appended() const;
  bool fitted() const { return fitted_ != nullptr; }

  /// The state, read back to the same bits on the same kind of processor. load() throws core::Error
  /// for a state that is damaged.
  nlohmann::json save() const;
  void load(const nlohmann::json& state);

 private:
  struct Fitted;
  const Fitted& known() const;

  GpSettings settings_;
  std::shared_ptr<const Fitted> fitted_;
};

}  // namespace mosaic::predictors
