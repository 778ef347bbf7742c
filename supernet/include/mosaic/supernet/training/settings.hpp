/// How networks are trained. Free of torch.
#pragma once

#include <cstdint>
#include <string>

#include "mosaic/core/settings.hpp"

namespace mosaic::supernet {

/// The training keys of [supernet] (or of `mosaic finetune`).
struct TrainSettings {
  std::int64_t epochs = 4;
  std::int64_t steps = 0;  ///< instead of `epochs`; 0: as many as these have
  std::int64_t batch_size = 128;
  /// Texts: instead of `batch_size`, as many examples a batch as have so many tokens together,
  /// padding counted (tasks::Task::token_batches()). Each example still counts alike. 0: off.
  std::int64_t batch_tokens = 0;
  /// Or "adamw" (decay of the weights by themselves), "adam" (decay added to the gradients).
  std::string optimizer = "sgd";
  double learning_rate = 0.1;  ///< the highest
  /// After the warm-up: "cosine" to 0; "inverse-sqrt", as 1 / sqrt(step) (Vaswani et al. 2017);
  /// "constant".
  std::string schedule = "cosine";
  double momentum = 0.9;              ///< sgd, Nesterov
  double beta1 = 0.9, beta2 = 0.999;  ///< adamw, adam
  double weight_decay = 5e-4;         ///< convolutions and linear layers only
  double warmup = 0.05;               ///< share of the steps with linearly rising rate
  std::int64_t warmup_steps = 0;      ///< instead of that share: so many steps; 0: the share
  double label_smoothing = 0.0;
  double clip = 5.0;               ///< largest global gradient norm; 0: off
  std::string precision = "auto";  ///< "float32", "bfloat16" (GPU); auto: bfloat16 on the GPU
  bool replay = true;  ///< GPU: record the kernels of passes that come again, and replay them
  /// GPU: time cuDNN's algorithms and take the fastest. Results may then differ from run to run.
  bool autotune = false;
  std::string sampler = "uniform";
  /// Decay of the exponential moving average of the weights, which is what training ends with;
  /// before step t it is min(ema, (1 + t) / (10 + t)) at most. 0: off.
  double ema = 0;
  /// Share a of a teacher in the loss: (1 - a) times the task's and a times
  /// tasks::Task::distillation_losses(). The teacher is Trainee::teacher(); without one, the
  /// largest network of each step (Yu et al. 2020, "BigNAS"), which learns from the task alone.
  double distill = 0;
  double distill_temperature = 1;
  /// Share r of what the last self-attention of a teacher relates (relation_losses()), which is
  /// then taken off the task's own: (1 - a - r).
  double distill_relations = 0;
  std::int64_t relation_heads = 0;  ///< 0: of the teacher's, as many as divide both networks'
  /// "mse" (Xu et al. 2022, "AutoDistil"), "kl" (Wang et al. 2021, "MiniLMv2").
  std::string relation_loss = "mse";
  std::string teacher = {};       ///< folder of an extracted network; who trains loads it
  double checkpoint_minutes = 2;  ///< time between checkpoints (one at each epoch's end too)

  void visit(core::Visitor& v);
  /// Reads its keys of the section. The default rate of adamw and adam is another one, and
  /// with a teacher the default of `distill` is a half, unless relations are learned from it.
  static TrainSettings read(core::Section section);
  /// Is something learned from another network?
  bool distills() const { return distill > 0 || distill_relations > 0; }
  /// Throws core::UsageError where the shares of a teacher are more than the loss.
  void check_shares() const;
};

/// Steps that weights which many networks share are trained for where nobody says, and those of an
/// extracted network (docs/own-images.md shows what fewer and more bring).
inline constexpr std::int64_t kSupernetSteps = 1000, kSubnetSteps = 800;

/// Examples a step where nobody says: 128, or 64 or 32, so that an epoch has 20 steps if it can.
std::int64_t batch_size_for(std::int64_t examples);
/// The fewest epochs, and at least `least`, that make so many steps of `per_epoch` each.
std::int64_t epochs_for(std::int64_t steps, std::int64_t per_epoch, std::int64_t least = 1);

}  // namespace mosaic::supernet
