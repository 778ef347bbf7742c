#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "measurer.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

constexpr const char* kPhase = "remeasure";
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

/// The front of a job while predictions on it give way to measurements. Which networks were
/// measured when it began is saved: a killed job starts from there again and replays its rounds
/// from stored measurements, because with half a round measured the front may already be another
/// one, and other networks would be chosen.
class Remeasurement {
 public:
  Remeasurement(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                db::Database& database, const db::Job& job)
      : space_(space),
        objectives_(objectives),
        database_(database),
        whole_job_(job),
        job_(job.id),
        measurer_(space, objectives, database, job) {
    const auto state = database.state(job_, kPhase).value_or("");
    if (!state.empty()) known_ = load_known(state);
    const auto evaluations = database.evaluations(job.id);
    for (std::size_t begin = 0; begin < evaluations.size(); begin += kChunk)
      read(std::span(evaluations).subspan(begin, std::min(kChunk, evaluations.size() - begin)),
           state.empty());
    if (state.empty()) database.save_state(job_, kPhase, nlohmann::json(known_).dump());
  }

  std::int64_t run() {
    std::int64_t measured = 0;
    for (auto pending = unmeasured(); !pending.empty(); pending = unmeasured()) {
      core::check_interrupt();
      core::crash_point("re-measuring the front");
      measure(pending);
      measured += static_cast<std::int64_t>(pending.size());
    }
    database_.save_state(job_, kPhase,
                         "");  // finished: the next call starts from what is known then
    core::crash_point("front re-measured");
    return measured;
  }

 private:
  static std::map<std::string, std::set<std::string>> load_known(const std::string& state) {
    try {
      return nlohmann::json::parse(state);
    } catch (const std::exception&) {
      throw core::Error("the saved state of re-measuring the front is damaged",
                        "start the job again under another name");
    }
  }

  /// As searched, but with this job's measurements where it had them at the beginning, which may be
  /// now.
  void read(std::span<const db::Reader::Evaluation> evaluations, bool begins) {
    const auto candidates = candidates_of(space_, evaluations);
    const auto vectors = measurer_.vectors(candidates);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Row row{evaluations[i], vectors[i], {}};
      for (const auto& objective : objectives_) row.measured.push_back(!objective.predict);
      for (std::size_t k = 0; k < objectives_.size(); ++k) {
        if (!objectives_[k].predict) continue;
        auto& known = known_[objectives_[k].metric];
        if (!begins && !known.contains(candidates[i].hash)) continue;
        const auto found =
            database_.find_measurement(job_, space_.hash(), candidates[i].hash,
                                       objectives_[k].metric, fidelity_of(objectives_[k]));
        if (!found) continue;
        known.insert(candidates[i].hash);
        put(row, k, *found);
      }
      rows_.push_back(std::move(row));
    }
  }

  static const std::string& fidelity_of(const SearchObjective& objective) {
    const auto& evaluator = *objective.evaluator;
    return evaluator.metrics()[evaluator.column(objective.metric)].fidelity;
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
      auto judged = judge(objectives_, whole_job_, rows_[i].point);
      if (!judged.feasible()) continue;
      good.push_back(i);
      points.push_back(std::move(judged.objectives));
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
      const auto measured = objectives_[k].evaluator->evaluate(
          candidates,
          [&](std::size_t, const evaluators::Evaluator::Row&) { progress.update(++done); });
      const std::size_t column = objectives_[k].evaluator->column(objectives_[k].metric);
      for (std::size_t i = 0; i < missing.size(); ++i)
        put(rows_[missing[i]], k, measured.at(i).at(column));
    }
    progress.finish();
  }

  const spaces::Space& space_;
  const std::vector<SearchObjective>& objectives_;
  db::Database& database_;
  const db::Job& whole_job_;
  std::int64_t job_;
  Measurer measurer_;
  std::vector<Row> rows_;
  std::map<std::string, std::set<std::string>>
      known_;  // metric -> hashes measured at the beginning
};

}  // namespace

std::int64_t remeasure_front(const spaces::Space& space,
                             const std::vector<SearchObjective>& objectives, db::Database& database,
                             const db::Job& job) {
  check_objectives(objectives, job);
  const bool any = std::any_of(objectives.begin(), objectives.end(),
                               [](const auto& objective) { return bool(objective.predict); });
  return any ? Remeasurement(space, objectives, database, job).run() : 0;
}

}  // namespace mosaic::search
