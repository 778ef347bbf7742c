/// Evaluators by name: what each can measure, what keys it has, and how it is made.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mosaic/core/config.hpp"
#include "mosaic/core/csv.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::supernet {
class Supernet;
}
namespace mosaic::tasks {
class Task;
struct TaskType;
}  // namespace mosaic::tasks

namespace mosaic::evaluators {

class Table;

/// What a job file says, before data are read and networks are there.
struct JobFacts {
  const tasks::TaskType* task = nullptr;  ///< null: none
  bool supernet = false;
  std::shared_ptr<const core::CsvTable> table = nullptr;  ///< behind the job; null: none
  bool fresh = true;  ///< it begins on this machine, whose devices must be there
  bool gpu = true;    ///< may its networks be scored on one?
};

/// What evaluators work with. What is asked for and not there is a core::UsageError with advice.
class Workbench {
 public:
  struct Parts {
    const spaces::Space* space = nullptr;
    supernet::Supernet* supernet = nullptr;
    const tasks::Task* task = nullptr;
    std::shared_ptr<const Table> table = nullptr;
    /// Identity of the supernet's weights, part of the fidelity of inherited scores.
    std::string checkpoint = {};
    std::uint64_t seed = 1;
    /// Least time of the reference network that is known for a fidelity (infinity: none), so that a
    /// device that is slow from the start of this process is noticed too. May be empty.
    std::function<double(const std::string& fidelity)> best_reference = {};
    /// Receives every timing of the reference network. May be empty.
    std::function<void(const Candidate&, const core::Measurement&)> reference = {};
  };
  explicit Workbench(Parts parts) : parts_(std::move(parts)) {}

  const spaces::Space& space() const;
  supernet::Supernet& supernet() const;
  const tasks::Task& task() const;
  std::shared_ptr<const Table> table() const;
  const std::string& checkpoint() const { return parts_.checkpoint; }
  std::uint64_t seed() const { return parts_.seed; }
  double best_reference(const std::string& fidelity) const;
  void reference(const Candidate& candidate, const core::Measurement& measurement) const;

 private:
  Parts parts_;
};

/// An evaluator whose keys were read.
struct Measuring {
  std::string evaluator = {};  ///< its name
  /// The keys as a JSON object: metrics of one evaluator with equal keys are measured together.
  std::string keys = "{}";
  std::function<std::unique_ptr<Evaluator>(const Workbench&,
                                           const std::vector<std::string>& metrics)>
      make;
};

/// How an evaluator is made and what it gives.
struct EvaluatorType {
  /// What it could give such a job; without a task, of all tasks.
  std::function<std::vector<MetricInfo>(const JobFacts&)> metrics;
  /// Reads its keys of an [[objective]]. Throws core::UsageError, at the line of the key, where the
  /// job lacks what it needs.
  std::function<Measuring(core::Section&, const JobFacts&)> read;
};

/// `const core::Registered kEntry{evaluators(), "latency", "what it is", EvaluatorType{...}};`
core::Registry<EvaluatorType>& evaluators();

/// A metric and the evaluator that gives it.
struct KnownMetric {
  std::string evaluator;
  MetricInfo info;
};
/// Metrics that such a job can have, by name. Columns of its table come before all others.
std::map<std::string, KnownMetric> known_metrics(const JobFacts& facts);

/// Reads the keys of an evaluator by name.
Measuring read_measuring(const std::string& evaluator, core::Section& section,
                         const JobFacts& facts);

}  // namespace mosaic::evaluators
