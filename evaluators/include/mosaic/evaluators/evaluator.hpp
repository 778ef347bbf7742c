/// Evaluators: from networks to measurements, in batches.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/core/measurement.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::db {
class Database;
}

namespace mosaic::evaluators {

/// A network as evaluators see it.
struct Candidate {
  spaces::Genotype genotype;  ///< canonical
  std::string arch;           ///< text form
  std::string hash;
  spaces::Graph graph;
};
Candidate make_candidate(const spaces::Space& space, const spaces::Genotype& genotype);

/// Measures one metric. One evaluator owns its device; calls are not concurrent.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual const std::string& metric() const = 0;
  virtual const std::string& unit() const = 0;
  /// How the number is made ("inherited(checkpoint=ab12, images=2000)"): equal fidelity, equal
  /// meaning.
  virtual std::string fidelity() const = 0;
  /// True where repeating gives another number (a timing): such results are only reused within
  /// their job.
  virtual bool timed() const { return false; }
  /// True where the metric is a count from the Graph alone (free to compute).
  virtual bool exact() const { return false; }

  /// Called with the index of a candidate as soon as its measurement is final.
  using Sink = std::function<void(std::size_t, const core::Measurement&)>;
  /// One measurement per candidate, in order. A candidate that fails (out of memory, NaN, an
  /// exception) gives a Measurement with Status::failed and a message; core::Interrupted passes
  /// through.
  virtual std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                                  const Sink& sink = {}) = 0;
};

/// Turns a per-candidate function into an Evaluator body: times it, catches failures, calls the
/// sink.
std::vector<core::Measurement> evaluate_each(
    const Evaluator& evaluator, std::span<const Candidate> candidates, const Evaluator::Sink& sink,
    const std::function<core::Measurement(const Candidate&)>& measure);

/// "params", "flops" or "activation_bytes": exact arithmetic over the Graph.
std::unique_ptr<Evaluator> graph_evaluator(const std::string& metric);
/// The metrics that graph_evaluator() knows.
std::vector<std::string> graph_metrics();

/// Decorator: looks each network up in the database first and commits every new measurement when it
/// is made (exact counts by the batch). Cached by genotype, metric and fidelity; timed metrics
/// within the job only.
class Cached : public Evaluator {
 public:
  Cached(std::unique_ptr<Evaluator> inner, db::Database& database, std::int64_t job,
         std::string space_hash);
  const std::string& metric() const override { return inner_->metric(); }
  const std::string& unit() const override { return inner_->unit(); }
  std::string fidelity() const override { return inner_->fidelity(); }
  bool timed() const override { return inner_->timed(); }
  bool exact() const override { return inner_->exact(); }
  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink = {}) override;

 private:
  std::unique_ptr<Evaluator> inner_;
  db::Database& database_;
  std::int64_t job_;
  std::string space_hash_;
};

}  // namespace mosaic::evaluators
