/// Loss and gradients of one pass of a training step.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/capture.hpp"
#include "mosaic/supernet/training/trainee.hpp"
#include "training/relations.hpp"

namespace mosaic::supernet {

/// What a teacher makes of a batch.
struct Taught {
  at::Tensor outputs;  ///< float32 [networks * batch, ...]; undefined: they are not learned
  /// Of its last self-attention, a row for each network of the trainee; undefined: not learned.
  Outputs::Attention attention;

  bool any() const { return outputs.defined() || attention.queries.defined(); }
  /// All that are defined.
  std::vector<at::Tensor*> tensors();
};

/// Sums over passes. Gradients are parallel to the trainee's parameters, undefined where a
/// parameter had no part.
struct PassResult {
  at::Tensor loss;  ///< float32 scalar, summed over the trainee's networks
  std::vector<at::Tensor> gradients;
  // Of the last pass:
  /// [networks * batch, ...], as the task takes them: float32 or bfloat16; undefined where nobody
  /// asked.
  at::Tensor outputs;
  at::Tensor norms;  ///< Findings::norms; undefined where nobody asked
  /// What others may learn relations from: of passes that nobody teaches, where such are learned.
  Outputs::Attention attention;

  /// `more`: others follow; `other` may be overwritten before they come.
  void add(const PassResult& other, bool more);
  /// Makes them the parameters' gradients.
  void give(const std::vector<Parameter>& parameters) const;
};

struct GradientSettings {
  double label_smoothing = 0;
  bool bfloat16 = false;  ///< forward passes in bfloat16 (GPU); weights and gradients are float32
  bool replay = true;
  /// All passes block by block (pieces.hpp), recorded or not: for tests, also on the CPU.
  bool blocks = false;
  double distill = 0;  ///< TrainSettings::distill, of passes that are given a teacher's outputs
  double temperature = 1;
  double relations = 0;  ///< TrainSettings::distill_relations, likewise
  RelationSettings relation = {};
};

/// Gradients of roots (undefined `given`: of scalars), parallel to the parameters; undefined where
/// none depends on one.
std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& roots,
                                     const std::vector<at::Tensor>& given,
                                     const std::vector<Parameter>& parameters);

/// Do forward passes run in bfloat16 on this device?
bool uses_bfloat16(const TrainSettings& settings, const std::string& device);
GradientSettings gradient_settings(const TrainSettings& settings, const std::string& device);

class RecordedPass;
class Pieces;
struct Judged;

/// Runs passes. On a GPU a pass whose key comes the second time is recorded and replayed from then
/// on, which spares the launch of its kernels one by one; those of a trainee with many
/// architectures are recorded block by block.
class Gradients {
 public:
  Gradients(Trainee& trainee, const tasks::Task& task, const GradientSettings& settings);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  /// What ops draw is a function of this number from now on.
  void seed(std::int64_t step);
  /// Gradients of `share` times the loss: the mean over a network's examples, and its auxiliary
  /// losses, summed over networks. `batch`: see training_batch(). What a replayed pass returned is
  /// overwritten by its next run. `taught`: by a teacher, where there is one. `outputs`: are
  /// PassResult::outputs asked for?
  PassResult run(const spaces::Genotype& genotype, const tasks::Batch& batch, double share,
                 const Taught& taught = {}, bool outputs = true);
  /// The passes of a step, one after the other; each is given what its teacher makes of the batch:
  /// the trainee's, or the pass of the largest network, which comes first.
  void run_all(const std::vector<spaces::Genotype>& architectures, const tasks::Batch& batch,
               double share, bool outputs,
               const std::function<void(const spaces::Genotype&)>& before,
               const std::function<void(const PassResult&)>& after);
  /// Forgets what was recorded, and gives its memory back.
  void forget();
  /// The same, and records nothing from now on. Returns false where nothing was recorded.
  bool stop_recording();

 private:
  /// All at once, or block by block where the trainee and the settings let it.
  PassResult compute(const spaces::Genotype& genotype, const tasks::Batch& batch, double share,
                     const Taught& taught, bool outputs, bool by_blocks);
  /// Do others learn the relations of a pass that this was taught?
  bool teaches(const Taught& taught) const;
  /// The loss of what a program gives.
  Judged judge(const Outputs& given, const NamedTensors& targets, double share,
               const Taught& taught, bool outputs) const;
  /// What the trainee's teacher says, as run() takes it.
  Taught teach(const Subnet& teacher, const tasks::Batch& batch) const;
  /// What the pass of the largest network says.
  Taught taught_by(const PassResult& pass) const;
  /// The losses of examples [networks * batch] as a teacher changes them.
  at::Tensor distilled(const at::Tensor& each, const at::Tensor& outputs,
                       const NamedTensors& targets, const std::vector<Outputs::Attention>& own,
                       const Taught& taught) const;

  Trainee& trainee_;
  const tasks::Task& task_;
  GradientSettings settings_;
  bool norms_ = false;  ///< does an observer ask for them?
  at::Generator random_;
  std::map<std::string, int> seen_;
  std::map<std::string, std::unique_ptr<RecordedPass>> recorded_;
  /// What recorded passes read of their teachers, by place and shape.
  std::map<std::pair<std::size_t, std::vector<std::int64_t>>, at::Tensor> taught_;
  Recording::Pool pool_{};
  std::unique_ptr<Pieces> pieces_;
};

/// Targets [networks, batch, ...] as [networks * batch, ...], parallel to PassResult::outputs.
NamedTensors flattened(const NamedTensors& targets);

/// A batch for all networks of a trainee, each in its own order: inputs and targets
/// [networks, batch, ...]. `tokens` above 0: of so many tokens instead of `batch_size` examples;
/// throws core::UsageError where an observer chooses examples.
tasks::Batch training_batch(const Trainee& trainee, const tasks::Task& task, std::int64_t epoch,
                            std::int64_t index, std::int64_t batch_size, std::int64_t tokens = 0);

}  // namespace mosaic::supernet
