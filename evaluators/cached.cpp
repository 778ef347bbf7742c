#include <map>
#include <optional>
#include <stdexcept>

#include "mosaic/core/process.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::evaluators {

namespace {

/// The measurements of one evaluator that a job can use.
class Store {
 public:
  /// `batch`: within a transaction that holds them all.
  Store(const Evaluator& evaluator, db::Database& database, std::int64_t job,
        const std::string& space_hash, bool batch)
      : database_(database),
        job_(job),
        space_hash_(space_hash),
        metric_(evaluator.metric()),
        fidelity_(evaluator.fidelity()),
        other_jobs_(!evaluator.timed()),
        batch_(batch) {}

  /// This job's measurement, good or failed; else a good one of another job, which becomes this
  /// job's too, so that its fronts and reports are complete by themselves. A failure of another job
  /// is no reason to give up here: what was short there (memory) need not be short now.
  std::optional<core::Measurement> find(const Candidate& candidate) {
    const auto look = [&](std::optional<std::int64_t> job) {
      return database_.find_measurement(job, space_hash_, candidate.hash, metric_, fidelity_);
    };
    if (!other_jobs_) return look(job_);
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
  db::Database& database_;
  std::int64_t job_;
  const std::string& space_hash_;
  std::string metric_;
  std::string fidelity_;
  bool other_jobs_;
  bool batch_;
};

/// Measures what the store does not have, each network once.
std::vector<core::Measurement> evaluate_through(Store& store, Evaluator& inner,
                                                std::span<const Candidate> candidates,
                                                const Evaluator::Sink& sink) {
  std::vector<core::Measurement> results(candidates.size());

  // Networks nobody measured yet, each once, and who asks for them.
  std::vector<Candidate> missing;
  std::vector<std::vector<std::size_t>> askers;
  std::map<std::string, std::size_t> missing_index;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto known = missing_index.find(candidates[i].hash);
    if (known != missing_index.end()) {
      askers[known->second].push_back(i);
    } else if (auto found = store.find(candidates[i])) {
      results[i] = *std::move(found);
      if (sink) sink(i, results[i]);
    } else {
      missing_index.emplace(candidates[i].hash, missing.size());
      missing.push_back(candidates[i]);
      askers.push_back({i});
    }
  }
  if (missing.empty()) return results;

  std::vector<bool> stored(missing.size());
  const auto keep = [&](std::size_t m, const core::Measurement& measurement) {
    if (stored[m]) return;
    stored[m] = true;
    store.add(missing[m], measurement);
    for (const std::size_t i : askers[m]) {
      results[i] = measurement;
      if (sink) sink(i, measurement);
    }
  };
  const auto measured = inner.evaluate(missing, keep);
  if (measured.size() != missing.size())
    throw std::logic_error("evaluator of " + inner.metric() + " gave " +
                           std::to_string(measured.size()) + " measurements for " +
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

std::vector<core::Measurement> Cached::evaluate(std::span<const Candidate> candidates,
                                                const Sink& sink) {
  Store store(*inner_, database_, job_, space_hash_, inner_->exact());
  if (!inner_->exact()) return evaluate_through(store, *inner_, candidates, sink);
  // A count costs less than a commit, and one that is lost is counted again: all at once.
  std::vector<core::Measurement> results;
  database_.transaction([&] { results = evaluate_through(store, *inner_, candidates, sink); });
  return results;
}

}  // namespace mosaic::evaluators
