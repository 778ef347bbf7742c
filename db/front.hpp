/// Building blocks of fronts: points in, points out.
#pragma once

#include <vector>

namespace mosaic::db {

/// Keeps what nothing dominates of the points (minimised) that it is given, each once.
class FrontBuilder {
 public:
  explicit FrontBuilder(std::size_t objectives) : objectives_(objectives) {}

  /// No NaN. O(log f) for two objectives where the point is dominated, which most are.
  void add(const std::vector<double>& point);
  bool contains(const std::vector<double>& point) const;
  const std::vector<std::vector<double>>& points() const { return points_; }

 private:
  void add_to_stairs(const std::vector<double>& point);
  void add_to_archive(const std::vector<double>& point);

  std::size_t objectives_;
  /// Two objectives: by the first one. More: those that dominated most points stand first.
  std::vector<std::vector<double>> points_;
};

}  // namespace mosaic::db
