#include <algorithm>

#include "measurer.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

constexpr std::size_t kChunk = 512;

/// What is known of one evaluated network.
struct Row {
  db::Reader::Evaluation evaluation;
  std::vector<double> point;   // minimised; empty if an objective failed
  std::vector<bool> measured;  // per objective

  bool complete() const {
    return std::find(measured.begin(), measured.end(), false) == measured.end();
  }
};

/// The front of a job while predictions on it give way to measurements.
class Remeasurement {
 public:
  Remeasurement(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                db::Database& database, const db::Job& job)
      : space_(space),
        objectives_(objectives),
        database_(database),
        job_(job.id),
        measurer_(space, objectives, database, job) {
    const auto evaluations = database.evaluations(job.id);
    for (std::size_t begin = 0; begin < evaluations.size(); begin += kChunk)
      read(std::span(evaluations).subspan(begin, std::min(kChunk, evaluations.size() - begin)));
  }

  std::int64_t run() {
    std::int64_t measured = 0;
    for (auto pending = unmeasured(); !pending.empty(); pending = unmeasured()) {
      core::check_interrupt();
      core::crash_point("re-measuring the front");
      measure(pending);
      measured += static_cast<std::int64_t>(pending.size());
    }
    return measured;
  }

 private:
  /// As searched, but with this job's measurements where it has them.
  void read(std::span<const db::Reader::Evaluation> evaluations) {
    const auto candidates = candidates_of(space_, evaluations);
    const auto vectors = measurer_.vectors(candidates);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Row row{evaluations[i], vectors[i], {}};
      for (const auto& objective : objectives_) row.measured.push_back(!objective.predict);
      for (std::size_t k = 0; k < objectives_.size(); ++k) {
        if (!objectives_[k].predict) continue;
        const auto found =
            database_.find_measurement(job_, space_.hash(), candidates[i].hash,
                                       objectives_[k].metric, objectives_[k].evaluator->fidelity());
        if (found) put(row, k, *found);
      }
      rows_.push_back(std::move(row));
    }
  }

  void put(Row& row, std::size_t objective, const core::Measurement& measurement) {
    row.measured[objective] = true;
    if (row.point.empty()) return;
    if (measurement.ok())
      row.point[objective] =
          objectives_[objective].maximise ? -measurement.value : measurement.value;
    else
      row.point.clear();
  }

  /// Members of the front that stand there by prediction.
  std::vector<std::size_t> unmeasured() const {
    std::vector<std::size_t> good;
    std::vector<std::vector<double>> points;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].point.empty()) continue;
      good.push_back(i);
      points.push_back(rows_[i].point);
    }
    std::vector<std::size_t> result;
    for (const std::size_t i : core::pareto_front(points))
      if (!rows_[good[i]].complete()) result.push_back(good[i]);
    return result;
  }

  void measure(const std::vector<std::size_t>& pending) {
    core::Progress progress("re-measuring the front", static_cast<std::int64_t>(pending.size()));
    for (std::size_t k = 0; k < objectives_.size(); ++k) {
      std::vector<std::size_t> missing;
      std::vector<evaluators::Candidate> candidates;
      for (const std::size_t i : pending) {
        if (rows_[i].measured[k]) continue;
        missing.push_back(i);
        candidates.push_back(
            evaluators::make_candidate(space_, space_.parse(rows_[i].evaluation.arch)));
      }
      if (missing.empty()) continue;
      core::check_interrupt();
      std::int64_t done = 0;
      const auto measurements = objectives_[k].evaluator->evaluate(
          candidates, [&](std::size_t, const core::Measurement&) { progress.update(++done); });
      for (std::size_t i = 0; i < missing.size(); ++i)
        put(rows_[missing[i]], k, measurements.at(i));
    }
    progress.finish();
  }

  const spaces::Space& space_;
  const std::vector<SearchObjective>& objectives_;
  db::Database& database_;
  std::int64_t job_;
  Measurer measurer_;
  std::vector<Row> rows_;
};

}  // namespace

std::int64_t remeasure_front(const spaces::Space& space,
                             const std::vector<SearchObjective>& objectives, db::Database& database,
                             const db::Job& job) {
  check_objectives(objectives);
  const bool any = std::any_of(objectives.begin(), objectives.end(),
                               [](const auto& objective) { return bool(objective.predict); });
  return any ? Remeasurement(space, objectives, database, job).run() : 0;
}

}  // namespace mosaic::search
