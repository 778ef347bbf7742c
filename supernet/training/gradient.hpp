/// Loss and gradients of one pass of a training step.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet {

/// Sums over passes. Gradients are parallel to the trainee's parameters, undefined where a
/// parameter had no part.
struct PassResult {
  at::Tensor loss;     ///< float32 scalar, summed over the trainee's networks
  at::Tensor correct;  ///< int64 scalar, likewise
  std::vector<at::Tensor> gradients;
  at::Tensor errors;  ///< StepFindings::errors, of the last pass; undefined where nobody looks

  /// `more`: others follow; `other` may be overwritten before they come.
  void add(const PassResult& other, bool more);
  /// Makes them the parameters' gradients.
  void give(const NamedTensors& parameters) const;
};

struct GradientSettings {
  double label_smoothing = 0;
  bool bfloat16 = false;  ///< forward passes in bfloat16 (GPU); weights and gradients are float32
  bool replay = true;
};

/// Do forward passes run in bfloat16 on this device?
bool uses_bfloat16(const TrainSettings& settings, const std::string& device);

/// Gives memory that nobody uses back to the device: what finished recordings leave behind is of no
/// use to others.
void release_unused_memory(const std::string& device);

class RecordedPass;

/// Runs passes; on a GPU a pass whose key comes the second time is recorded as a CUDA graph and
/// replayed from then on, which spares the launch of its kernels one by one.
class Gradients {
 public:
  Gradients(const Trainee& trainee, const tasks::Task& task, const GradientSettings& settings);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  /// Gradients of `share` times the pass's loss. What a replayed pass returned is overwritten by
  /// its next run.
  PassResult run(const Pass& pass, const tasks::Batch& batch, double share);
  /// Forgets what was recorded, and gives its memory back.
  void forget();
  /// The same, and records nothing from now on. Returns false where nothing was recorded.
  bool stop_recording();

 private:
  PassResult compute(const Pass& pass, const tasks::Batch& batch, double share) const;

  const Trainee& trainee_;
  const tasks::Task& task_;
  GradientSettings settings_;
  std::map<std::string, int> seen_;
  std::map<std::string, std::unique_ptr<RecordedPass>> recorded_;
  std::pair<unsigned long long, unsigned long long> pool_{};  ///< of memory, for recorded passes
};

/// A batch as the trainee's passes take it. Joint trainees: inputs [batch, members * channels,
/// ...], targets [members, batch], each member's in its own order.
tasks::Batch training_batch(const Trainee& trainee, const tasks::Task& task, std::int64_t epoch,
                            std::int64_t index, std::int64_t batch_size);

}  // namespace mosaic::supernet
