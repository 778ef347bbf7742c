#include "mosaic/core/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace mosaic::core {

namespace {

using Point = std::vector<double>;

bool has_nan(const std::vector<double>& point) {
  return std::any_of(point.begin(), point.end(), [](double v) { return std::isnan(v); });
}

/// Ranks of points of at most two objectives. In lexicographic order the last member of a front has
/// the least second objective of that front, and these grow from front to front: the front of a
/// point is the first whose last member does not dominate it.
std::size_t rank_two(std::span<const std::vector<double>> points,
                     const std::vector<std::size_t>& numbers, std::vector<std::size_t>& ranks) {
  struct Numbered {
    double first;
    double second;
    std::size_t number;
  };
  std::vector<Numbered> order;
  order.reserve(numbers.size());
  for (const std::size_t i : numbers)
    order.push_back(
        {points[i].empty() ? 0 : points[i][0], points[i].size() < 2 ? 0 : points[i][1], i});
  std::sort(order.begin(), order.end(), [](const Numbered& a, const Numbered& b) {
    return a.first != b.first ? a.first < b.first : a.second < b.second;
  });
  std::vector<double> last;  // second objective of every front's last member
  const Numbered* before = nullptr;
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

/// Points that reach into the box, none dominated or repeated, by first objective.
std::vector<Point> relevant(std::span<const Point> points, const Point& reference) {
  std::vector<Point> inside;
  for (const auto& point : points) {
    bool reaches = true;
    for (std::size_t k = 0; k < point.size() && reaches; ++k) reaches = point[k] < reference[k];
    if (reaches) inside.push_back(point);
  }
  std::vector<Point> front;
  for (const auto i : pareto_front(inside)) front.push_back(inside[i]);
  return front;
}

/// Two objectives: a staircase.
double sweep(const std::vector<Point>& front, const Point& reference) {
  double volume = 0;
  double ceiling = reference[1];
  for (const auto& point : front) {
    volume += (reference[0] - point[0]) * (ceiling - point[1]);
    ceiling = point[1];
  }
  return volume;
}

/// Of what relevant() gives. Each point adds its box less what the points before it dominate of it.
/// These are no worse in the first objective, so that what they dominate reaches through the whole
/// box in it: one objective less.
double wfg(const std::vector<Point>& front, const Point& reference) {
  if (front.empty()) return 0;
  if (reference.size() == 1) return reference[0] - front.front()[0];
  if (reference.size() == 2) return sweep(front, reference);
  const Point rest(reference.begin() + 1, reference.end());
  std::vector<Point> before;  // without the first objective
  double volume = 0;
  for (const auto& point : front) {
    double box = 1;
    for (std::size_t k = 1; k < point.size(); ++k) box *= reference[k] - point[k];
    std::vector<Point> corners = before;
    for (auto& corner : corners)
      for (std::size_t k = 0; k < corner.size(); ++k) corner[k] = std::max(corner[k], point[k + 1]);
    volume += (reference[0] - point[0]) * (box - wfg(relevant(corners, rest), rest));
    before.emplace_back(point.begin() + 1, point.end());
  }
  return volume;
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

double hypervolume(std::span<const Point> points, const Point& reference) {
  for (const auto& point : points)
    if (point.size() != reference.size())
      throw std::logic_error("hypervolume: a point has " + std::to_string(point.size()) +
                             " objectives, the reference " + std::to_string(reference.size()));
  return wfg(relevant(points, reference), reference);
}

}  // namespace mosaic::core
