/// Gaussian process regression with leave-one-out, which the predictor "gp" and the detection of
/// drift share.
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

/// A fitted process is a value: copies share what was fitted and never change it.
class GaussianProcess {
 public:
  explicit GaussianProcess(GpSettings settings = {}) : settings_(settings) {}

  /// Fits rows of equal length with one finite target each (core::Error otherwise; at least 4).
  /// Hyperparameters maximise the marginal likelihood times log-normal priors (analytic gradient,
  /// L-BFGS in a box, from two starts). Deterministic in `seed`, which only draws subsets.
  void fit(const std::vector<Features>& rows, std::span<const double> targets, std::uint64_t seed);
  /// Fits other rows with the hyperparameters as they are; same as fit() where there are none, or
  /// for another number of columns.
  void refit(const std::vector<Features>& rows, std::span<const double> targets,
             std::uint64_t seed);

  /// Mean and standard deviation of a measurement of each row, noise included. Throws core::Error
  /// before fit() or for rows of another length.
  std::vector<Prediction> predict(const std::vector<Features>& rows) const;

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
