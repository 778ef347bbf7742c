#include "measurer.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "mosaic/core/process.hpp"

namespace mosaic::search {

namespace {

double minimised(const SearchObjective& objective, double value) {
  return objective.maximise ? -value : value;
}

}  // namespace

Measurer::Measurer(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                   db::Database& database, const db::Job& job)
    : space_(space), objectives_(objectives), database_(database), job_(job.id) {
  bool any = false;
  for (const auto& objective : objectives) any = any || objective.predict;
  if (!any) return;
  for (const auto& network : database.networks(job.id))
    for (const auto& [metric, predicted] : network.predicted)
      predicted_[{metric, predicted.predictor, network.hash}] = predicted.mean;
}

std::vector<std::int64_t> Measurer::architectures(
    const std::vector<evaluators::Candidate>& candidates) {
  std::vector<std::int64_t> rows;
  database_.transaction([&] {
    for (const auto& candidate : candidates)
      rows.push_back(database_.architecture(space_.hash(), candidate.arch, candidate.hash));
  });
  return rows;
}

std::vector<std::optional<double>> Measurer::column_of(
    const SearchObjective& objective, const std::vector<evaluators::Evaluator::Row>& rows) const {
  const std::size_t column = objective.evaluator->column(objective.metric);
  std::vector<std::optional<double>> result;
  for (const auto& row : rows) {
    const auto& measurement = row.at(column);
    result.push_back(measurement.ok() ? std::optional(minimised(objective, measurement.value))
                                      : std::nullopt);
  }
  return result;
}

std::vector<std::optional<double>> Measurer::predict(
    const SearchObjective& objective, const std::vector<evaluators::Candidate>& candidates) {
  const auto key = [&](const evaluators::Candidate& candidate) {
    return std::make_tuple(objective.metric, objective.predictor, candidate.hash);
  };
  std::vector<evaluators::Candidate> missing;
  for (const auto& candidate : candidates)
    if (!predicted_.contains(key(candidate))) missing.push_back(candidate);
  if (!missing.empty()) {
    const auto predictions = objective.predict(missing);
    if (predictions.size() != missing.size())
      throw std::logic_error("predictor of " + objective.metric +
                             ": one prediction per network is expected");
    const auto rows = architectures(missing);
    database_.transaction([&] {
      for (std::size_t i = 0; i < missing.size(); ++i) {
        if (!std::isfinite(predictions[i].mean)) continue;
        database_.add_prediction(job_, rows[i], objective.metric, predictions[i].mean,
                                 predictions[i].deviation, objective.predictor);
        predicted_[key(missing[i])] = predictions[i].mean;
      }
    });
    core::crash_point("predictions stored");
  }
  std::vector<std::optional<double>> result;
  for (const auto& candidate : candidates) {
    const auto found = predicted_.find(key(candidate));
    result.push_back(found == predicted_.end()
                         ? std::nullopt
                         : std::optional(minimised(objective, found->second)));
  }
  return result;
}

std::vector<std::vector<double>> Measurer::vectors(
    const std::vector<evaluators::Candidate>& candidates, const evaluators::Evaluator::Sink& sink) {
  std::vector<std::vector<double>> result(candidates.size());
  std::vector<bool> failed(candidates.size());
  // Objectives of one evaluator are measured at once.
  std::map<const evaluators::Evaluator*, std::vector<evaluators::Evaluator::Row>> measured;
  for (const auto& objective : objectives_) {
    core::check_interrupt();
    if (!objective.predict && !measured.contains(objective.evaluator.get()))
      measured[objective.evaluator.get()] = objective.evaluator->evaluate(candidates, sink);
    const auto column = objective.predict
                            ? predict(objective, candidates)
                            : column_of(objective, measured.at(objective.evaluator.get()));
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      failed[i] = failed[i] || !column[i];
      result[i].push_back(column[i].value_or(0));
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (failed[i]) result[i].clear();
  return result;
}

void check_objectives(const std::vector<SearchObjective>& objectives, const db::Job& job) {
  if (std::none_of(objectives.begin(), objectives.end(),
                   [](const auto& objective) { return objective.optimise; }))
    throw core::UsageError("a search needs an objective, and the job has none",
                           "add an [[objective]] with a metric and a goal");
  std::set<std::string> metrics;
  for (const auto& objective : objectives) {
    if (!objective.evaluator)
      throw std::logic_error("objective " + objective.metric + " has no evaluator");
    if (!metrics.insert(objective.metric).second)
      throw core::UsageError("the objective '" + objective.metric + "' is given twice",
                             "leave one of them out");
  }
  for (const auto& constraint : job.constraints)
    if (!metrics.contains(constraint.metric))
      throw std::logic_error("nothing measures " + constraint.metric +
                             ", and a constraint needs it");
}

bool Judged::feasible() const {
  return !objectives.empty() &&
         std::all_of(excess.begin(), excess.end(), [](double e) { return e <= 0; });
}

Judged judge(const std::vector<SearchObjective>& objectives, const db::Job& job,
             const std::vector<double>& vector) {
  Judged judged;
  if (vector.empty()) return judged;
  std::map<std::string, double> values;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (objectives[i].optimise) judged.objectives.push_back(vector[i]);
    values[objectives[i].metric] = objectives[i].maximise ? -vector[i] : vector[i];
  }
  for (const auto& constraint : job.constraints) {
    const double beyond = values.at(constraint.metric) - constraint.bound;
    judged.excess.push_back((constraint.upper ? beyond : -beyond) /
                            std::max(std::abs(constraint.bound), 1e-12));
  }
  return judged;
}

std::vector<evaluators::Candidate> candidates_of(
    const spaces::Space& space, std::span<const db::Reader::Evaluation> evaluations) {
  return core::mapped(evaluations, [&](const auto& evaluation) {
    return evaluators::make_candidate(space, space.parse(evaluation.arch));
  });
}

}  // namespace mosaic::search
