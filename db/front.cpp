#include "front.hpp"

#include <algorithm>

namespace mosaic::db {
namespace {

using Point = std::vector<double>;

/// No worse anywhere.
bool covers(const Point& a, const Point& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] > b[i]) return false;
  return true;
}

bool by_first(const Point& a, const Point& b) { return a[0] < b[0]; }

}  // namespace

bool FrontBuilder::add(const Point& point) {
  return objectives_ == 2 ? add_to_stairs(point) : add_to_archive(point);
}

bool FrontBuilder::add_to_stairs(const Point& point) {
  if (!last_.empty() && last_[0] <= point[0] && last_[1] <= point[1] && last_ != point)
    return false;
  // Behind all that are no worse in the first objective, of which the last one is best in the
  // second.
  const auto after = std::upper_bound(points_.begin(), points_.end(), point, by_first);
  if (after != points_.begin() && (*std::prev(after))[1] <= point[1]) {
    last_ = *std::prev(after);
    return last_ == point;
  }
  auto first = after;
  if (first != points_.begin() && (*std::prev(first))[0] == point[0]) --first;
  auto last = after;
  while (last != points_.end() && (*last)[1] >= point[1]) ++last;
  points_.insert(points_.erase(first, last), point);
  return true;
}

bool FrontBuilder::add_to_archive(const Point& point) {
  for (std::size_t i = 0; i < points_.size(); ++i)
    if (covers(points_[i], point)) {
      const bool same = points_[i] == point;
      std::swap(points_[i], points_[i / 2]);
      return same;
    }
  std::erase_if(points_, [&](const Point& other) { return covers(point, other); });
  points_.push_back(point);
  return true;
}

bool FrontBuilder::contains(const Point& point) const {
  if (objectives_ != 2) return std::find(points_.begin(), points_.end(), point) != points_.end();
  const auto found = std::lower_bound(points_.begin(), points_.end(), point, by_first);
  return found != points_.end() && *found == point;
}

}  // namespace mosaic::db
