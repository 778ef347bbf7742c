/// Pareto dominance over minimised objective vectors.
#pragma once

#include <span>
#include <vector>

namespace mosaic::core {

/// a is no worse anywhere and better somewhere (all objectives minimised, same length).
inline bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

/// Indices of the points that none dominates, by first objective, ties in the order given. Of equal
/// points only the first is kept. Points with NaN are left out. O(n log n) for two objectives.
std::vector<std::size_t> pareto_front(std::span<const std::vector<double>> points);

}  // namespace mosaic::core
