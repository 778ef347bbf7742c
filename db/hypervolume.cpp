#include <algorithm>
#include <cmath>
#include <limits>

#include "mosaic/core/pareto.hpp"
#include "mosaic/db/analysis.hpp"

namespace mosaic::db {
namespace {

using Point = std::vector<double>;
using Points = std::vector<Point>;

/// Points that reach into the box, none dominated or repeated, by first objective.
Points relevant(std::span<const Point> points, const Point& reference) {
  Points inside;
  for (const auto& point : points) {
    bool reaches = point.size() == reference.size();
    for (std::size_t i = 0; i < point.size() && reaches; ++i) reaches = point[i] < reference[i];
    if (reaches) inside.push_back(point);
  }
  Points front;
  for (const auto index : core::pareto_front(inside)) front.push_back(inside[index]);
  return front;
}

/// Two objectives, by first objective, none dominated: a staircase.
double sweep(const Points& front, const Point& reference) {
  double volume = 0;
  double ceiling = reference[1];
  for (const auto& point : front) {
    volume += (reference[0] - point[0]) * (ceiling - point[1]);
    ceiling = point[1];
  }
  return volume;
}

double box(const Point& point, const Point& reference) {
  double volume = 1;
  for (std::size_t i = 0; i < point.size(); ++i) volume *= reference[i] - point[i];
  return volume;
}

/// Each point adds its box less what the points after it dominate of it.
double wfg(const Points& front, const Point& reference) {
  if (front.empty()) return 0;
  if (reference.size() == 1) return reference[0] - front.front()[0];
  if (reference.size() == 2) return sweep(front, reference);
  double volume = 0;
  for (std::size_t i = 0; i < front.size(); ++i) {
    Points limited;
    for (std::size_t j = i + 1; j < front.size(); ++j) {
      Point corner(reference.size());
      for (std::size_t k = 0; k < corner.size(); ++k)
        corner[k] = std::max(front[i][k], front[j][k]);
      limited.push_back(std::move(corner));
    }
    volume += box(front[i], reference) - wfg(relevant(limited, reference), reference);
  }
  return volume;
}

}  // namespace

double hypervolume(std::span<const Point> points, const Point& reference) {
  return wfg(relevant(points, reference), reference);
}

Scale Scale::of(std::span<const Point> front, std::span<const Point> spread) {
  Scale scale;
  if (front.empty()) return scale;
  scale.ideal = scale.nadir = front.front();
  const auto width = front.front().size();
  for (const auto& point : front)
    for (std::size_t k = 0; k < width; ++k) {
      scale.ideal[k] = std::min(scale.ideal[k], point[k]);
      scale.nadir[k] = std::max(scale.nadir[k], point[k]);
    }
  for (std::size_t k = 0; k < width; ++k) {
    if (scale.nadir[k] > scale.ideal[k]) continue;
    double worst = scale.ideal[k];
    for (const auto& point : spread) worst = std::max(worst, point[k]);
    scale.nadir[k] = worst > scale.ideal[k] ? worst : scale.ideal[k] + 1;
  }
  return scale;
}

Point Scale::operator()(const Point& costs) const {
  Point scaled(costs.size());
  for (std::size_t k = 0; k < costs.size(); ++k)
    scaled[k] = (costs[k] - ideal[k]) / (nadir[k] - ideal[k]);
  return scaled;
}

}  // namespace mosaic::db
