/// The marginal likelihood of a Gaussian process and its hyperparameters' posterior mode.
#pragma once

#include <cstddef>
#include <vector>

#include "gp_cholesky.hpp"
#include "minimise.hpp"
#include "mosaic/predictors/gp.hpp"

namespace mosaic::predictors {

/// Standardised records: `count` rows of `columns` features, one target each.
struct GpRecords {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double>
      noise;  ///< each record's variance of noise, in units of the parameter's; empty: 1
  std::size_t columns = 0;
  std::size_t count() const { return y.size(); }
  double noise_of(std::size_t record) const { return noise.empty() ? 1 : noise[record]; }
  /// Some of the records.
  GpRecords pick(const std::vector<std::size_t>& indices) const;
};

/// Features divided by sqrt(d) and by their length scales (nothing given: by sqrt(d) alone).
std::vector<double> scaled_features(const std::vector<double>& x, std::size_t columns,
                                    const std::vector<double>& scales);
/// |row|^2 of each row.
std::vector<double> squared_lengths(const std::vector<double>& rows, std::size_t columns,
                                    std::size_t count);
/// The prior covariance of measurements at all records.
std::vector<double> gp_covariance(const GpRecords& records, GpKernel kernel,
                                  const GpParameters& parameters);

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
  std::size_t columns() const { return records_.columns; }

  GpRecords records_;
  GpKernel kernel_;
  bool linear_;
  std::vector<double> inner_;  ///< x . x' / d
};

/// The best hyperparameters found: from two starts with one common scale on at most 100 records,
/// then (`own_scales`) every column's own on all that are given. With `previous` (of as many
/// columns) that is the one start.
GpParameters choose_gp_parameters(const GpRecords& records, const GpSettings& settings,
                                  const GpParameters* previous);

}  // namespace mosaic::predictors
