/// Minimising a smooth function in a box.
#pragma once

#include <functional>
#include <vector>

namespace mosaic::predictors {

/// Value at `x`; `gradient` has the size of x and receives the derivatives. A value that is not
/// finite marks a point as out of bounds.
using Objective =
    std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

struct Box {
  std::vector<double> lower;
  std::vector<double> upper;  ///< equal to `lower` where a coordinate is held
};

struct Minimum {
  std::vector<double> x;
  double value = 0;
  int evaluations = 0;
};

/// L-BFGS (Nocedal & Wright 2006, algorithm 7.4, eight pairs) with steps cut back until they lower
/// the value (Armijo) and coordinates held that a bound stops. At most `evaluations` calls; fewer
/// where neither the gradient nor the last steps promise more than `tolerance`. Deterministic.
Minimum minimise(const Objective& objective, std::vector<double> start, const Box& box,
                 int evaluations, double tolerance = 1e-4);

}  // namespace mosaic::predictors
