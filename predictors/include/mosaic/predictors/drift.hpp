/// Measurements drift: what a throttled or wandering device did to rows in measuring order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mosaic/predictors/predictor.hpp"

namespace mosaic::predictors {

/// Consecutive rows measured while the device was off by a common factor.
struct Stretch {
  std::size_t first = 0;   ///< index of the first row, from 0
  std::size_t last = 0;    ///< index of the last row
  double factor = 1;       ///< measured / expected; above 1 is slow
  bool corrected = false;  ///< its rows can be used, divided by the factor; else they are left out
};

/// What was found in a table in measuring order.
struct Drift {
  std::vector<Stretch> stretches;
  std::vector<double> speed;   ///< of each row, measured / expected: its stretch's factor times the
                               ///< slow wandering around it
  std::vector<bool> left_out;  ///< rows that a fit should not see: stretches of no common factor,
                               ///< and outliers, most of them at the fringes of stretches
  double wandering = 0;        ///< share of the residual variance that the wandering explains
  bool in_stretch(std::size_t row) const;
};

/// Finds stretches in which the measurement is a common factor of at least 1.1 slow, or fast, and
/// the slow wandering between them, from rows in measuring order: no column has to be named.
///
/// A Gaussian process on the logarithms says what each row should have been (leave-one-out), a
/// running median over 41 residuals where the device was off (beyond log 1.1, and beyond four
/// standard errors of such a median), and the run of largest sum around each such place where
/// exactly it began and ended. What was found is taken out and everything is repeated, because the
/// first model has learned from the slow rows too. Wandering is the residual's running mean (a
/// Gaussian kernel of 3, 6 or 12 rows, a row itself left out), if that explains something.
///
/// Nothing is found in fewer than 60 rows or where a target is not positive. Throws what check of
/// records throws. Deterministic in `seed`.
Drift detect_slow_stretches(const std::vector<Features>& rows, const std::vector<double>& targets,
                            std::uint64_t seed = 1);

/// "rows 25-356 are 1.25 times slow" and so on, one line a stretch, rows counted from 1; empty if
/// none.
std::string describe(const Drift& drift);

}  // namespace mosaic::predictors
