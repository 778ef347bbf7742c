/// Evaluators: from networks to measurements, in batches.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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

/// A metric that an evaluator gives.
struct MetricInfo {
  std::string name;
  std::string unit = {};
  std::string summary = {};
  std::optional<bool> maximise = {};  ///< its natural direction, if it has one
  /// Repeating gives another number (a timing): predicted while searching, re-measured on the
  /// front, reused within its job only.
  bool timed = false;
  /// A count or a look-up, which costs nothing.
  bool exact = false;
  /// False: no network has a value (a column without numbers).
  bool known = true;
  /// How the number is made ("inherited, checkpoint=ab12, ..."): equal fidelity, equal meaning.
  /// Empty before there is an evaluator.
  std::string fidelity = {};
};

/// Measures some metrics of a network at once. One evaluator owns its device; calls are not
/// concurrent.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual const std::vector<MetricInfo>& metrics() const = 0;
  /// Of one network, parallel to metrics().
  using Row = std::vector<core::Measurement>;
  /// Called with the index of a candidate as soon as its measurements are final.
  using Sink = std::function<void(std::size_t, const Row&)>;
  /// One row a candidate, in order. A candidate that fails (out of memory, NaN, an exception) gives
  /// Measurements with Status::failed and a message; core::Interrupted passes through.
  virtual std::vector<Row> evaluate(std::span<const Candidate> candidates,
                                    const Sink& sink = {}) = 0;

  /// Place of a metric in metrics(). Throws std::logic_error where there is no such.
  std::size_t column(const std::string& metric) const;
};

/// What `measure` gives as one row of an evaluator: names what was measured, times it, and makes
/// measurements of its failure.
Evaluator::Row measured_row(const Evaluator& evaluator,
                            const std::function<Evaluator::Row()>& measure);

/// Turns a per-candidate function into an Evaluator body: times it, catches failures, calls the
/// sink.
std::vector<Evaluator::Row> evaluate_each(
    const Evaluator& evaluator, std::span<const Candidate> candidates, const Evaluator::Sink& sink,
    const std::function<Evaluator::Row(const Candidate&)>& measure);

/// "params", "flops", "activation_bytes": exact arithmetic over the Graph, at these lengths. Throws
/// core::UsageError for others.
std::unique_ptr<Evaluator> graph_evaluator(const std::vector<std::string>& metrics,
                                           const spaces::Symbols& symbols = {});
/// The metrics that graph_evaluator() knows.
std::vector<MetricInfo> graph_metrics();

/// Decorator: looks each network up in the database first and commits what is new as soon as it is
/// measured (exact metrics by the batch). Cached by genotype, metric and fidelity; timed metrics
/// within the job only. A network that lacks one of the metrics is measured anew, and keeps those
/// that it had.
class Cached : public Evaluator {
 public:
  Cached(std::unique_ptr<Evaluator> inner, db::Database& database, std::int64_t job,
         std::string space_hash);
  const std::vector<MetricInfo>& metrics() const override { return inner_->metrics(); }
  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink = {}) override;

 private:
  std::unique_ptr<Evaluator> inner_;
  db::Database& database_;
  std::int64_t job_;
  std::string space_hash_;
};

}  // namespace mosaic::evaluators
