/// Gaussian processes over groups of features: what a search believes of networks it has not seen.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mosaic::search {

/// Squared distances between candidates (rows) and records (columns), one matrix for each group of
/// features.
using Distances = std::vector<Eigen::MatrixXf>;

/// Distances between the rows of `a` and those of `b`; group g has the columns starts[g] ..
/// starts[g + 1] - 1.
Distances distances(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b,
                    const std::vector<std::size_t>& starts);

/// How a measured value y (smaller is better) enters the model: cut at `ceiling`, where the worst
/// values lie so far from the rest that they would drown it; then as it is, or as log(y - origin),
/// which resolves the good end best.
struct Warp {
  bool log = false;
  double origin = 0;
  double ceiling = 0;
  double into(double y) const;
  double back(double z) const;
};

/// Beliefs about some candidates, in the units of the model: independent normals z, y = warp(z).
struct Beliefs {
  Warp warp;
  Eigen::VectorXf mean;
  Eigen::VectorXf variance;  ///< of a measurement: noise included
  Eigen::MatrixXf whitened;  ///< records x candidates: L^-1 k, for condition()
  Eigen::Index size() const { return mean.size(); }
  /// E max(0, bound - y) of candidate i.
  double gain(Eigen::Index i, double bound) const;
  /// P(y <= bound).
  double below(Eigen::Index i, double bound) const;
  /// The median of y.
  double value(Eigen::Index i) const { return warp.back(mean[i]); }
  /// The beliefs about some of the candidates.
  Beliefs at(const std::vector<Eigen::Index>& indices) const;
};

/// A Gaussian process (Rasmussen & Williams 2006, ch. 2) with the kernel
///   k(x, x') = s^2 (exp(-1/2 sum_g d_g(x, x') / l_g) + noise [x is x'])
/// where d_g is the squared distance within group g, so that the data decide which kind of features
/// counts. Length scales l_g and noise maximise the marginal likelihood times log-normal priors
/// (mean and s^2 are profiled out); whether the target is taken as it is or as a logarithm is
/// chosen by the leave-one-out predictive density (R&W, section 5.4.2) in the units measured.
class Surrogate {
 public:
  explicit Surrogate(std::size_t groups);

  /// Fits `targets` (finite, smaller is better) of records with these mutual distances. `steps` of
  /// the search for better hyperparameters (0: keep them); deterministic in `seed`.
  void fit(const Distances& records, const std::vector<double>& targets, int steps,
           std::uint64_t seed);
  /// What is believed of candidates with these distances to the records.
  Beliefs predict(const Distances& candidates) const;
  /// Updates beliefs as if candidate `chosen` had been measured and given what is expected of it:
  /// means stay, variances shrink. `to_chosen`: distances of all candidates to it.
  void condition(Beliefs& beliefs, Eigen::Index chosen, const Distances& to_chosen) const;

  /// Hyperparameters of both forms of the target; load() throws std::exception for anything else.
  nlohmann::json save() const;
  void load(const nlohmann::json& state);

 private:
  struct Form {             // one way to take the target
    Eigen::VectorXd theta;  // log l_g ..., log noise
    double density = 0;     // leave-one-out
  };
  struct Solved {
    Eigen::MatrixXd lower;  // Cholesky factor of the correlation of the records
    Eigen::VectorXd weights;
    double mean = 0;
    double variance = 1;
  };
  static Eigen::MatrixXd correlation(const Distances& records, const Eigen::VectorXd& theta);
  static double energy(const Distances& records, const Eigen::VectorXd& z,
                       const Eigen::VectorXd& theta);
  static Solved solve(const Distances& records, const Eigen::VectorXd& z,
                      const Eigen::VectorXd& theta);
  void improve(Form& form, const Distances& records, const Eigen::VectorXd& z, int steps,
               std::uint64_t seed) const;
  Eigen::MatrixXf kernel(const Distances& between) const;

  std::size_t groups_;
  std::vector<Form> forms_;  // plain, log
  std::size_t taken_ = 0;
  Warp warp_;
  double centre_ = 0;  // of the warped targets
  double scale_ = 1;
  Solved solved_;
};

}  // namespace mosaic::search
