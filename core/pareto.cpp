#include "mosaic/core/pareto.hpp"

#include <algorithm>
#include <cmath>

namespace mosaic::core {

std::vector<std::size_t> pareto_front(std::span<const std::vector<double>> points) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (std::none_of(points[i].begin(), points[i].end(), [](double v) { return std::isnan(v); }))
      order.push_back(i);
  // In lexicographic order nothing later dominates anything earlier.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    // With two objectives the last member of the front has the least second objective so far.
    const std::size_t first = points[i].size() <= 2 && !front.empty() ? front.size() - 1 : 0;
    bool kept = true;
    for (std::size_t f = first; f < front.size() && kept; ++f)
      kept = !dominates(points[front[f]], points[i]) && points[front[f]] != points[i];
    if (kept) front.push_back(i);
  }
  return front;
}

}  // namespace mosaic::core
