/// Training of supernets and of extracted subnets, with exact resume.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mosaic/core/config.hpp"
#include "mosaic/supernet/supernet.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// The training keys of [supernet] (or of `mosaic finetune`).
struct TrainSettings {
  std::int64_t epochs = 4;
  std::int64_t batch_size = 128;
  std::string optimizer = "sgd";  ///< or "adamw"
  double learning_rate = 0.1;     ///< at batch_size; cosine to 0
  double momentum = 0.9;          ///< sgd, Nesterov
  double weight_decay = 5e-4;     ///< convolutions and linear layers only
  double warmup = 0.05;           ///< share of the steps with linearly rising rate
  double label_smoothing = 0.0;
  double clip = 5.0;               ///< largest global gradient norm; 0: off
  std::string precision = "auto";  ///< "float32", "bfloat16" (GPU); auto: bfloat16 on the GPU
  bool replay = true;  ///< GPU: record the kernels of passes that come again, and replay them
  /// GPU: time cuDNN's algorithms and take the fastest. Results may then differ from run to run.
  bool autotune = false;
  std::string sampler = "uniform";
  double checkpoint_minutes = 2;  ///< time between checkpoints (one at each epoch's end too)
  /// Reads and marks its keys of the section.
  static TrainSettings read(core::Section& section);
};

/// One forward pass of a training step.
struct Pass {
  /// Logits of a batch.
  std::function<at::Tensor(const at::Tensor& inputs)> forward;
  /// Passes of one key run the same kernels on the same tensors: a GPU records them once and
  /// replays them. Empty: nothing is known.
  std::string key = {};
};

/// What is trained: tensors, and the passes of one step.
struct Trainee {
  NamedTensors parameters;
  /// The passes of one step. The step's gradient is the mean over them.
  std::function<std::vector<Pass>(std::int64_t step)> passes;
  std::string device = "cpu";
  /// Where several networks are trained at the same time (joint.hpp), the order in which each sees
  /// the data: members of one number see the same batches. Inputs are then
  /// [batch, members * channels, ...], logits [members, batch, classes], and parameters named
  /// "joint.*" have a leading axis of members. Empty: one network.
  std::vector<std::int64_t> orders = {};
  /// Joint training: the network behind each row of each parameter (a parameter not named "joint.*"
  /// belongs to one).
  std::vector<std::vector<std::int64_t>> rows = {};
};

struct TrainProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  double epoch = 0;
  double loss = 0;      ///< mean since the last report
  double accuracy = 0;  ///< percent, of the training batches, since the last report
  double learning_rate = 0;
  double images_per_second = 0;
};

struct TrainHooks {
  std::string label = "training";
  std::string checkpoint;  ///< file; empty: none is written
  std::string
      identity;  ///< hash of what is trained and how; a checkpoint of another one is refused
  std::function<void(const TrainProgress&)> report;  ///< about twenty times an epoch
  std::function<void(std::int64_t step)> resumed;    ///< with the step of the checkpoint found
};

/// Trains to the end, from the checkpoint where there is one: the result is bit-identical to that
/// of an unbroken run on the same device and number of threads. A batch that does not fit in memory
/// is halved and accumulated, with a notice. Ctrl-C writes a checkpoint, then core::Interrupted
/// passes through. A loss that is not finite is a core::Error with advice. The last checkpoint
/// stays.
void train(const Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
           const TrainHooks& hooks);

/// What a training will cost, before it begins.
struct TrainEstimate {
  std::int64_t steps = 0;
  std::int64_t batch_size = 0;
  double seconds = 0;  ///< NaN where a batch does not fit in memory; from a few timed forward and
                       ///< backward passes; nothing is changed
  double bytes =
      0;  ///< parameters, gradients, optimiser state and the activations of the largest network
};
TrainEstimate estimate(const Trainee& trainee, const tasks::Task& task,
                       const TrainSettings& settings, const spaces::Space& space);

/// Trainee of a supernet: each step trains the architectures that the sampler draws.
Trainee supernet_trainee(Supernet& supernet, const TrainSettings& settings, std::uint64_t seed);
/// Trainee of an extracted subnet.
Trainee subnet_trainee(Subnet& subnet);

/// Reads the parameters of a finished or unfinished training into the trainee. Returns the number
/// of steps done.
std::int64_t load_checkpoint(const std::string& path, const NamedTensors& parameters,
                             const std::string& identity);
/// Is the training of this checkpoint complete? False where there is no file.
bool training_complete(const std::string& path);

/// Statistics of every normalisation layer from `images` training images, not augmented, in batches
/// of 256. Inherited weights see other activations in every architecture, so statistics accumulated
/// while training mean nothing for one of them: each architecture is calibrated before it is scored
/// or extracted (as in Yu & Huang 2019, "Universally slimmable networks", and Once-for-All).
NormStats calibrate(const std::function<at::Tensor(const at::Tensor&, NormStats*)>& forward,
                    const tasks::Task& task, std::int64_t images);

struct Score {
  double accuracy = 0;  ///< percent
  double loss = 0;      ///< cross-entropy
  std::int64_t images = 0;
};
/// Accuracy and loss over the first `images` of a split (0: all).
Score evaluate(const std::function<at::Tensor(const at::Tensor&)>& forward, const tasks::Task& task,
               tasks::Split split, std::int64_t images, std::int64_t batch_size = 500);

/// Sets the number of CPU threads of LibTorch, and says how many there are.
void set_threads(int threads);
int threads();
/// "cpu: AMD EPYC (2 threads)" or "cuda: NVIDIA H200".
std::string describe_device(const std::string& device);
/// "auto" -> "cuda" where LibTorch sees a GPU, else "cpu". "cuda" without one: core::UsageError
/// with advice.
std::string resolve_device(const std::string& wanted);
std::string torch_version();

}  // namespace mosaic::supernet
