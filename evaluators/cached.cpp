#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "mosaic/core/process.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::evaluators {

namespace {

/// The measurements of one metric that a job can use.
class Store {
 public:
  /// `batch`: within a transaction that holds them all.
  Store(const MetricInfo& metric, db::Database& database, std::int64_t job,
        const std::string& space_hash, bool batch)
      : metric_(metric), database_(database), job_(job), space_hash_(space_hash), batch_(batch) {}

  /// This job's measurement, good or failed; else a good one of another job, which becomes this
  /// job's too, so that its fronts and reports are complete by themselves. A failure of another job
  /// is no reason to give up here: what was short there (memory) need not be short now.
  std::optional<core::Measurement> find(const Candidate& candidate) {
    const auto look = [&](std::optional<std::int64_t> job) {
      return database_.find_measurement(job, space_hash_, candidate.hash, metric_.name,
                                        metric_.fidelity);
    };
    if (metric_.timed) return look(job_);
    // Most networks that a search asks for are new to all jobs: one look tells.
    auto other = look(std::nullopt);
    if (!other) return std::nullopt;
    if (auto own = look(job_)) return own;
    if (!other->ok()) return std::nullopt;
    add(candidate, *other);
    return other;
  }

  void add(const Candidate& candidate, const core::Measurement& measurement) {
    const auto write = [&] {
      const auto row = database_.architecture(space_hash_, candidate.arch, candidate.hash);
      database_.add_measurement(job_, row, measurement);
    };
    // Within a batch, a savepoint for each measurement would copy every page that it changes.
    if (batch_)
      write();
    else
      database_.transaction(write);
    core::crash_point("measurement stored");
  }

 private:
  const MetricInfo& metric_;
  db::Database& database_;
  std::int64_t job_;
  const std::string& space_hash_;
  bool batch_;
};

/// What is known of a network, by metric.
using Known = std::vector<std::optional<core::Measurement>>;

/// Measures what the stores do not have, each network once.
std::vector<Evaluator::Row> evaluate_through(std::vector<Store>& stores, Evaluator& inner,
                                             std::span<const Candidate> candidates,
                                             const Evaluator::Sink& sink) {
  std::vector<Evaluator::Row> results(candidates.size());

  // Networks that lack a metric, each once, what is known of them, and who asks for them.
  std::vector<Candidate> missing;
  std::vector<Known> known;
  std::vector<std::vector<std::size_t>> askers;
  std::map<std::string, std::size_t> missing_index;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto asked = missing_index.find(candidates[i].hash);
    if (asked != missing_index.end()) {
      askers[asked->second].push_back(i);
      continue;
    }
    Known found;
    for (auto& store : stores) found.push_back(store.find(candidates[i]));
    if (std::all_of(found.begin(), found.end(), [](const auto& one) { return one.has_value(); })) {
      for (auto& one : found) results[i].push_back(*std::move(one));
      if (sink) sink(i, results[i]);
    } else {
      missing_index.emplace(candidates[i].hash, missing.size());
      missing.push_back(candidates[i]);
      known.push_back(std::move(found));
      askers.push_back({i});
    }
  }
  if (missing.empty()) return results;

  std::vector<bool> stored(missing.size());
  const auto keep = [&](std::size_t m, Evaluator::Row row) {
    if (stored[m]) return;
    stored[m] = true;
    for (std::size_t k = 0; k < stores.size(); ++k)
      if (known[m][k])
        row.at(k) = *known[m][k];
      else
        stores[k].add(missing[m], row.at(k));
    for (const std::size_t i : askers[m]) {
      results[i] = row;
      if (sink) sink(i, row);
    }
  };
  const auto measured = inner.evaluate(missing, keep);
  if (measured.size() != missing.size())
    throw std::logic_error("an evaluator gave " + std::to_string(measured.size()) + " rows for " +
                           std::to_string(missing.size()) + " networks");
  for (std::size_t m = 0; m < measured.size(); ++m) keep(m, measured[m]);
  return results;
}

}  // namespace

Cached::Cached(std::unique_ptr<Evaluator> inner, db::Database& database, std::int64_t job,
               std::string space_hash)
    : inner_(std::move(inner)),
      database_(database),
      job_(job),
      space_hash_(std::move(space_hash)) {}

std::vector<Evaluator::Row> Cached::evaluate(std::span<const Candidate> candidates,
                                             const Sink& sink) {
  const auto& metrics = inner_->metrics();
  const bool exact =
      std::all_of(metrics.begin(), metrics.end(), [](const auto& metric) { return metric.exact; });
  std::vector<Store> stores;
  for (const auto& metric : metrics)
    stores.emplace_back(metric, database_, job_, space_hash_, exact);
  if (!exact) return evaluate_through(stores, *inner_, candidates, sink);
  // A count costs less than a commit, and one that is lost is counted again: all at once.
  std::vector<Row> results;
  database_.transaction([&] { results = evaluate_through(stores, *inner_, candidates, sink); });
  return results;
}

}  // namespace mosaic::evaluators
