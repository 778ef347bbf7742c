/// What measuring a network may be expected to gain.
#pragma once

#include <cstdint>
#include <vector>

#include "surrogate.hpp"

namespace mosaic::search {

/// Expected improvement of what has been found, for independent beliefs about each objective.
///   one objective     expected improvement (Jones et al. 1998)
///   two               expected hypervolume improvement, exact (Emmerich et al. 2011): a sum over
///                     the strips between neighbours on the front
///   more              expected improvement of an augmented Chebyshev scalarisation with random
///                     weights (Knowles 2006, ParEGO), by common random numbers
/// times the probability that every constraint is kept. While nothing feasible is known it is that
/// probability alone.
class Acquisition {
 public:
  /// `front`: objective vectors (minimised) that are feasible and nondominated; `seed` of the
  /// random weights.
  Acquisition(std::size_t objectives, std::vector<std::vector<double>> front, std::uint64_t seed);

  /// Of candidate i; `beliefs` of the objectives, then of by how much each constraint is exceeded.
  double operator()(const std::vector<Beliefs>& beliefs, Eigen::Index i) const;
  /// Counts a network as found, with these objectives.
  void add(const std::vector<double>& objectives);

 private:
  void prepare();
  double improvement(const std::vector<Beliefs>& beliefs, Eigen::Index i) const;
  double strips(const std::vector<Beliefs>& beliefs, Eigen::Index i) const;
  double scalarised(const std::vector<Beliefs>& beliefs, Eigen::Index i) const;
  double scalar(const std::vector<double>& objectives) const;

  std::size_t objectives_;
  std::vector<std::vector<double>> front_;  // by first objective
  std::vector<double> ideal_;
  std::vector<double> reference_;
  std::vector<double> weights_;               // more than two objectives
  std::vector<std::vector<double>> normals_;  // samples x objectives
  double best_ = 0;
};

}  // namespace mosaic::search
