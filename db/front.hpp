/// Building blocks of fronts: points in, points out.
#pragma once

#include <vector>

namespace mosaic::db {

/// Keeps what nothing dominates of the points (minimised) that it is given, each once.
class FrontBuilder {
 public:
  explicit FrontBuilder(std::size_t objectives) : objectives_(objectives) {}

  /// No NaN. False if the point is dominated; true if it is kept or equal to one that is. Fast
  /// where it is dominated, which most are: by the one that dominated the last.
  bool add(const std::vector<double>& point);
  bool contains(const std::vector<double>& point) const;
  const std::vector<std::vector<double>>& points() const { return points_; }

 private:
  bool add_to_stairs(const std::vector<double>& point);
  bool add_to_archive(const std::vector<double>& point);

  std::size_t objectives_;
  std::vector<double> last_;  ///< two objectives: dominated the last point; not always a member
  /// Two objectives: by the first one. More: those that dominated most points stand first.
  std::vector<std::vector<double>> points_;
};

}  // namespace mosaic::db
