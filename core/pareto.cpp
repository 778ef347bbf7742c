#include "mosaic/core/pareto.hpp"

#include <algorithm>
#include <cmath>

namespace mosaic::core {

namespace {

bool has_nan(const std::vector<double>& point) {
  return std::any_of(point.begin(), point.end(), [](double v) { return std::isnan(v); });
}

/// Ranks of points of at most two objectives. In lexicographic order the last member of a front has
/// the least second objective of that front, and these grow from front to front: the front of a
/// point is the first whose last member does not dominate it.
std::size_t rank_two(std::span<const std::vector<double>> points,
                     const std::vector<std::size_t>& numbers, std::vector<std::size_t>& ranks) {
  struct Point {
    double first;
    double second;
    std::size_t number;
  };
  std::vector<Point> order;
  order.reserve(numbers.size());
  for (const std::size_t i : numbers)
    order.push_back(
        {points[i].empty() ? 0 : points[i][0], points[i].size() < 2 ? 0 : points[i][1], i});
  std::sort(order.begin(), order.end(), [](const Point& a, const Point& b) {
    return a.first != b.first ? a.first < b.first : a.second < b.second;
  });
  std::vector<double> last;  // second objective of every front's last member
  const Point* before = nullptr;
  for (const auto& point : order) {
    if (before != nullptr && before->first == point.first && before->second == point.second) {
      ranks[point.number] = ranks[before->number];
    } else {
      const auto front = std::upper_bound(last.begin(), last.end(), point.second);
      ranks[point.number] = static_cast<std::size_t>(front - last.begin());
      if (front == last.end())
        last.push_back(point.second);
      else
        *front = point.second;
    }
    before = &point;
  }
  return last.size();
}

/// ENS-BS: in lexicographic order, a point that a member of a front dominates is dominated in every
/// earlier front too, so that its own is found by binary search.
std::size_t rank_many(std::span<const std::vector<double>> points, std::vector<std::size_t> order,
                      std::vector<std::size_t>& ranks) {
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  std::vector<std::vector<std::size_t>> fronts;
  const std::vector<double>* before = nullptr;
  std::size_t rank = 0;
  for (const std::size_t i : order) {
    if (before == nullptr || *before != points[i]) {
      const auto dominated = [&](const std::vector<std::size_t>& front) {
        return std::any_of(front.rbegin(), front.rend(),
                           [&](std::size_t f) { return dominates(points[f], points[i]); });
      };
      rank = static_cast<std::size_t>(
          std::partition_point(fronts.begin(), fronts.end(), dominated) - fronts.begin());
      if (rank == fronts.size()) fronts.emplace_back();
      fronts[rank].push_back(i);
    }
    ranks[i] = rank;
    before = &points[i];
  }
  return fronts.size();
}

}  // namespace

std::vector<std::size_t> pareto_front(std::span<const std::vector<double>> points) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (!has_nan(points[i])) order.push_back(i);
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

std::vector<std::size_t> nondominated_ranks(std::span<const std::vector<double>> points) {
  std::vector<std::size_t> ranks(points.size());
  std::vector<std::size_t> whole;
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < points.size(); ++i) (has_nan(points[i]) ? rest : whole).push_back(i);
  const bool two = points.empty() || points[0].size() <= 2;
  const std::size_t fronts =
      two ? rank_two(points, whole, ranks) : rank_many(points, std::move(whole), ranks);
  for (const std::size_t i : rest) ranks[i] = fronts;
  return ranks;
}

}  // namespace mosaic::core
