/// Training of supernets and of extracted subnets, with exact resume.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

struct TrainProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  double epoch = 0;
  double learning_rate = 0;
  double examples_per_second = 0;
  /// Of the training batches since the last report: "loss", as it is trained, and the task's own.
  std::map<std::string, double> metrics;
};

struct TrainHooks {
  std::string label = "training";
  std::string checkpoint = {};  ///< file; empty: none is written
  /// Hash of what is trained and how; a checkpoint of another one is refused.
  std::string identity = {};
  std::function<void(const TrainProgress&)> report = {};  ///< about twenty times an epoch
  std::function<void(std::int64_t step)> resumed = {};    ///< with the step of the checkpoint found
};

/// How an epoch of these settings is cut.
struct Batches {
  std::int64_t per_epoch = 1;
  double examples = 0;  ///< of a batch, on average
};
/// Throws core::UsageError where the settings want what the task does not offer, or batches of less
/// than two examples.
Batches batches_of(const tasks::Task& task, const TrainSettings& settings);

/// Trains to the end, from the checkpoint where there is one: the result is bit-identical to that
/// of an unbroken run on the same device and number of threads (on a GPU, as far as its kernels add
/// in one order: those of attention may not). A batch that does not fit in memory is halved and
/// accumulated, with a notice. Ctrl-C writes a checkpoint, then core::Interrupted passes through. A
/// loss that is not finite is a core::Error with advice. The last checkpoint stays. Throws
/// core::UsageError for distillation without anyone who teaches, and for what check_relations()
/// refuses.
void train(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
           const TrainHooks& hooks);

/// Throws core::UsageError where a network cannot learn the relations of a teacher's last
/// self-attention (TrainSettings::distill_relations) in so many heads: there is none in one of
/// them, they are over other positions, or the heads do not divide their features.
void check_relations(const spaces::Graph& student, const spaces::Graph& teacher,
                     std::int64_t heads);

/// What a training will cost, before it begins. Throws what train() would for settings that
/// contradict each other.
struct TrainEstimate {
  std::int64_t steps = 0;
  Batches batches = {};
  double seconds = 0;  ///< NaN where a batch does not fit in memory; from a few timed forward and
                       ///< backward passes; nothing is changed
  double bytes =
      0;  ///< parameters, gradients, optimiser state and the activations of the largest network
  double disk = 0;  ///< bytes of a checkpoint, and of the one that takes its place
};
TrainEstimate estimate(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
                       const spaces::Space& space);

/// Reads a finished or unfinished training into the supernet, grown or split as it was. Returns the
/// number of steps done. Throws core::Error for a damaged file or that of another training.
std::int64_t load_checkpoint(const std::string& path, Supernet& supernet,
                             const std::string& identity);
/// Gives a fresh supernet the weights of another training's checkpoint, wherever it has tensors of
/// the same name and shape (averages where that training kept them); where it has several copies of
/// what the other had one of, their mean becomes that. Throws core::Error for a damaged file and
/// where nothing fits.
struct Begun {
  std::int64_t tensors = 0;  ///< that were given
  double share = 0;          ///< of the weights in all copies that were given
  std::string why = {};      ///< most of the others were not, in words; empty where all were
};
Begun begin_with(const std::string& path, Supernet& supernet);
/// Hash of a checkpoint's tensors.
std::string checkpoint_content(const std::string& path);

/// Steps that the training of this checkpoint has done; 0 where there is no file. Throws
/// core::Error for a damaged file or that of another training.
std::int64_t trained_steps(const std::string& path, const std::string& identity);
/// Is the training of this checkpoint complete? False where there is no file.
bool training_complete(const std::string& path);

}  // namespace mosaic::supernet
