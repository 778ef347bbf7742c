/// Questions about whole jobs: hypervolume history, comparison of jobs. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"

namespace mosaic::db {

/// Reference point of every hypervolume here, once objectives are scaled so that a front's best
/// value of each is 0 (ideal) and its worst 1 (nadir).
inline constexpr double kReference = 1.1;

/// How objectives are scaled: per objective the least and greatest cost of a front.
struct Scale {
  std::vector<double> ideal;
  std::vector<double> nadir;

  /// Of the front that these minimised points have. Where the front has one value of an objective
  /// only, its unit is the range of `spread` (points beside the front), and 1 where they have one
  /// value too.
  static Scale of(std::span<const std::vector<double>> front,
                  std::span<const std::vector<double>> spread = {});
  std::vector<double> operator()(const std::vector<double>& costs) const;
};

/// One generation of a job as the search saw it, and as the measured front of that moment has it.
struct HistoryRow {
  std::int64_t generation = 0;
  std::int64_t evaluations = 0;
  double hypervolume = 0;       ///< the search's own: predictions stand in, scale of generation 1
  std::int64_t front_size = 0;  ///< the search's own
  std::int64_t measured_front_size = 0;
  /// Of the measured feasible front among evaluations numbered so far, scaled by ideal and nadir of
  /// the job's front today (the last one that was not empty), reference 1.1.
  double measured_hypervolume = 0;
};
/// Hypervolume by generation. Values count as they were known when the next evaluation was numbered
/// (see Reader::front).
std::vector<HistoryRow> history(const Reader& reader, const Job& job);

/// How one job stands beside others.
struct Standing {
  std::string job;
  std::int64_t evaluations = 0;  ///< that count
  std::int64_t front_size = 0;
  double share = 0;          ///< of its front's hypervolume in that of the union's front
  std::int64_t held = 0;     ///< points of the union's front that it holds
  std::vector<double> best;  ///< of each objective, NaN without a front
  /// Per job of the comparison: share of that job's front that some network of this one is at least
  /// as good as in every objective (the C-metric of Zitzler); NaN for an empty front.
  std::vector<double> covers;
};
struct Comparison {
  std::vector<Objective> objectives;
  std::int64_t union_size = 0;  ///< distinct points of the union's front
  Scale scale;                  ///< ideal and nadir of the union's front; the reference is 1.1
  std::vector<Standing> jobs;
};
/// Compares measured fronts, each after at most `at` evaluations. Jobs must have the same
/// objectives (in any order; the first job's counts): otherwise UsageError.
Comparison compare(const Reader& reader, std::span<const Job> jobs,
                   std::optional<std::int64_t> at = std::nullopt);

}  // namespace mosaic::db
