#include "mosaic/db/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::db {
namespace {

using Point = std::vector<double>;
using Points = std::vector<Point>;

Points scaled(const Points& points, const Scale& scale) {
  Points result;
  for (const auto& point : points) result.push_back(scale(point));
  return result;
}

double scaled_hypervolume(const Points& points, const Scale& scale) {
  if (points.empty()) return 0;
  return core::hypervolume(scaled(points, scale), Point(points.front().size(), kReference));
}

std::string text_of(const std::vector<Objective>& objectives) {
  std::vector<std::string> words;
  for (const auto& objective : objectives)
    words.push_back((objective.maximise ? "max " : "min ") + objective.metric);
  return words.empty() ? "none" : core::join(words);
}

void check_same(const Job& first, const Job& other) {
  const auto in_order = [](std::vector<Objective> objectives) {
    std::sort(objectives.begin(), objectives.end(), [](const auto& a, const auto& b) {
      return std::tie(a.metric, a.maximise) < std::tie(b.metric, b.maximise);
    });
    return objectives;
  };
  if (in_order(first.objectives) != in_order(other.objectives))
    throw core::UsageError("job '" + first.name + "' has the objectives " +
                               text_of(first.objectives) + ", and job '" + other.name + "' has " +
                               text_of(other.objectives),
                           "compare jobs with the same objectives");
}

/// Front of a job as costs in the order of `objectives`.
Points front_of(const Reader& reader, const Job& job, const std::vector<Objective>& objectives,
                std::optional<std::int64_t> at) {
  Points points;
  for (const auto& network : reader.front(job, at)) {
    auto& point = points.emplace_back();
    for (const auto& objective : objectives) {
      const double value = network.metrics.at(objective.metric).value;
      point.push_back(objective.maximise ? -value : value);
    }
  }
  return points;
}

/// Share of `other` that some point of `front` is at least as good as.
double coverage(const Points& front, const Points& other) {
  if (other.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto covered = std::count_if(other.begin(), other.end(), [&](const Point& point) {
    return std::any_of(front.begin(), front.end(), [&](const Point& better) {
      return better == point || core::dominates(better, point);
    });
  });
  return static_cast<double>(covered) / static_cast<double>(other.size());
}

Points union_front(const std::vector<Points>& fronts) {
  Points all;
  for (const auto& front : fronts) all.insert(all.end(), front.begin(), front.end());
  Points result;
  for (const auto index : core::pareto_front(all)) result.push_back(all[index]);
  return result;
}

}  // namespace

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

std::vector<HistoryRow> history(const Reader& reader, const Job& job) {
  std::vector<HistoryRow> rows;
  std::vector<std::int64_t> counts;
  for (const auto& generation : reader.generations(job.id)) {
    rows.push_back({generation.number, generation.evaluations, generation.hypervolume,
                    static_cast<std::int64_t>(generation.front.size()), 0, 0});
    counts.push_back(generation.evaluations);
  }
  if (rows.empty() || job.objectives.empty()) return rows;
  counts.push_back(std::numeric_limits<std::int64_t>::max() - 1);
  const auto fronts = reader.front_points(job, counts);
  // Where what was measured again left nothing feasible today, the last front that there was.
  const auto last = std::find_if(fronts.rbegin(), fronts.rend(),
                                 [](const Points& points) { return !points.empty(); });
  const auto scale = Scale::of(last == fronts.rend() ? Points{} : *last);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].measured_front_size = static_cast<std::int64_t>(fronts[i].size());
    rows[i].measured_hypervolume = i > 0 && fronts[i] == fronts[i - 1]
                                       ? rows[i - 1].measured_hypervolume
                                       : scaled_hypervolume(fronts[i], scale);
  }
  return rows;
}

Comparison compare(const Reader& reader, std::span<const Job> jobs,
                   std::optional<std::int64_t> at) {
  if (jobs.size() < 2)
    throw core::UsageError("a comparison takes at least two jobs", "name two or more jobs");
  std::vector<Points> fronts;
  Comparison result;
  result.objectives = jobs.front().objectives;
  for (const auto& job : jobs) {
    check_same(jobs.front(), job);
    fronts.push_back(front_of(reader, job, result.objectives, at));
  }
  const auto all = union_front(fronts);
  Points spread;
  for (const auto& front : fronts) spread.insert(spread.end(), front.begin(), front.end());
  result.scale = Scale::of(all, spread);
  result.union_size = static_cast<std::int64_t>(all.size());
  const std::set<Point> members(all.begin(), all.end());
  const double whole = scaled_hypervolume(all, result.scale);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Standing standing;
    standing.job = jobs[i].name;
    const auto evaluations = reader.evaluation_count(jobs[i].id);
    standing.evaluations = at ? std::min(*at, evaluations) : evaluations;
    standing.front_size = static_cast<std::int64_t>(fronts[i].size());
    standing.share = whole > 0 ? scaled_hypervolume(fronts[i], result.scale) / whole : 0;
    standing.held = std::count_if(fronts[i].begin(), fronts[i].end(),
                                  [&](const Point& point) { return members.contains(point); });
    for (std::size_t k = 0; k < result.objectives.size(); ++k) {
      double least = std::numeric_limits<double>::infinity();
      for (const auto& point : fronts[i]) least = std::min(least, point[k]);
      standing.best.push_back(fronts[i].empty()               ? std::nan("")
                              : result.objectives[k].maximise ? -least
                                                              : least);
    }
    for (const auto& other : fronts) standing.covers.push_back(coverage(fronts[i], other));
    result.jobs.push_back(std::move(standing));
  }
  return result;
}

}  // namespace mosaic::db
