/// Evaluators by the name of the metric they measure.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "mosaic/core/registry.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::supernet {
class Supernet;
}
namespace mosaic::tasks {
class Task;
}

namespace mosaic::evaluators {

/// The keys of an [[objective]] that say how its metric is measured.
struct MeasureSettings {
  std::string device = "cpu";         ///< "cpu" or "cuda"
  std::int64_t batch = 1;             ///< examples a timed forward pass
  std::int64_t threads = 1;           ///< CPU threads of a timed forward pass
  std::int64_t warmup = 5;            ///< forward passes before timing
  std::int64_t repeats = 30;          ///< timed forward passes
  std::int64_t reference_every = 10;  ///< measurements between two timings of the reference network
  std::int64_t images = 2000;      ///< validation images an inherited score is taken over; 0: all
  std::int64_t calibration = 512;  ///< training images that calibrate batch norm

  void visit_timing(core::Visitor& v);   ///< the keys of metrics that are timed
  void visit_scoring(core::Visitor& v);  ///< of those that need a supernet
};

/// What networks scored with inherited weights, by network and settings: accuracy and loss come
/// from one pass over the images.
struct InheritedScore {
  double accuracy = 0;
  double loss = 0;
  std::int64_t images = 0;
};
using InheritedScores = std::map<std::string, InheritedScore>;

/// What an evaluator may need; what a metric does without may be null.
struct EvaluatorContext {
  const spaces::Space* space = nullptr;
  supernet::Supernet* supernet = nullptr;
  const tasks::Task* task = nullptr;
  std::string
      checkpoint;  ///< identity of the supernet's weights, part of the fidelity of inherited scores
  /// Shared by the evaluators of one supernet, while its weights stay as they are; null: each
  /// scores for itself.
  std::shared_ptr<InheritedScores> inherited = nullptr;
  MeasureSettings settings;
  std::uint64_t seed = 1;
  /// Least time of the reference network that is known for a fidelity (infinity: none), so that a
  /// device that is slow from the start of this process is noticed too. May be empty.
  std::function<double(const std::string& fidelity)> best_reference;
  /// Receives every timing of the reference network.
  std::function<void(const Candidate&, const core::Measurement&)> reference;
};

/// How a metric is made and what it means.
struct EvaluatorType {
  std::function<std::unique_ptr<Evaluator>(const EvaluatorContext&)> make;
  std::string unit;
  bool maximise = false;        ///< its natural direction
  bool needs_supernet = false;  ///< trained weights and a task
  bool timed = false;           ///< predicted while searching, re-measured on the front
};

/// `const core::Registered kEntry{evaluators(), "params", "what it is", EvaluatorType{...}};`
core::Registry<EvaluatorType>& evaluators();

}  // namespace mosaic::evaluators
