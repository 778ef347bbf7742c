/// Pareto dominance over minimised objective vectors, and the volume that they dominate.
#pragma once

#include <cstddef>
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

/// Nondominated sorting: 0 for the points that none dominates, 1 for those that only points of rank
/// 0 dominate, and so on (all objectives minimised, all vectors of one length). Equal points share
/// a rank. Points with NaN come after all others, in one rank. O(n log n) for up to two objectives;
/// for more, the efficient nondominated sort with binary search (ENS-BS, Zhang et al. 2015).
std::vector<std::size_t> nondominated_ranks(std::span<const std::vector<double>> points);

/// Volume that minimised points dominate within `reference`: points that do not reach into it, and
/// those with NaN, count nothing; 0 without points. Exact for any number of objectives: a sweep for
/// two, WFG (While, Bradstreet, Barone, IEEE TEVC 16(1), 2012) with slicing for more, O(n^2 log n)
/// for three. Throws std::logic_error for a point of another length.
double hypervolume(std::span<const std::vector<double>> points,
                   const std::vector<double>& reference);

}  // namespace mosaic::core
