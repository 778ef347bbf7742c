/// Training of supernets and of extracted subnets, with exact resume.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/settings.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// One forward pass of a training step.
struct Pass {
  /// Logits of a batch.
  std::function<at::Tensor(const at::Tensor& inputs)> forward;
  /// Passes of one key run the same kernels on the same tensors: a GPU records them once and
  /// replays them. Empty: nothing is known.
  std::string key = {};
  /// What the pass reads beside parameters and inputs: a recording keeps it alive.
  std::shared_ptr<const void> held = {};
  /// Done before every run, recorded or not.
  std::function<void()> prepare = {};
};

struct Trainee;

/// A moment of training.
struct Turn {
  std::size_t index = 0;  ///< among the trainee's turns
  std::int64_t step = 0;  ///< next to be trained
  std::int64_t steps = 0;
  std::int64_t per_epoch = 1;
  std::int64_t batch_size = 0;
  const tasks::Task& task;
  const TrainSettings& settings;
};

/// What a step found, before it is taken: the parameters hold the gradients.
struct StepFindings {
  const Turn& now;
  const NamedTensors& parameters;
  /// ||softmax(z) - onehot(y)|| of every image: float32 [batch], joint [members, batch].
  at::Tensor errors;
};

/// How a trainee changes its structure while it is trained: growth, splits.
struct Turns {
  std::vector<double> at;  ///< shares of the steps, ascending
  /// Image passes that a network spends on choosing, all turns together: the training is that much
  /// shorter.
  double images = 0;
  bool restart = false;   ///< the learning rate starts anew after the last turn
  std::string structure;  ///< as text; checkpoints carry it
  /// Chooses the next structure; training goes on with the same where nothing is to change.
  std::function<std::string(const Trainee& trainee, const Turn& turn)> choose = {};
  /// Takes on a structure. Former parameters are replaced; the heritage says where the new
  /// trainee's come from.
  std::function<std::pair<Trainee, Heritage>(const std::string& structure)> take_on = {};
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
  /// Learning rate of each parameter as a share of the settings'; empty: all 1.
  std::vector<double> rates = {};
  /// The slot (of the SuperGraph) that each parameter holds experts of; -1: none. Of supernets.
  std::vector<int> slots = {};
  Turns turns = {};
  /// What training changes beside the parameters, for checkpoints; on the CPU. Asked for once,
  /// before the first step.
  std::function<NamedTensors(const tasks::Task&)> state = {};
  /// The experts that this step trains, as a mask of their axis ([m], joint: [members, m]); the
  /// others keep weights and optimiser state. Absent: all.
  std::function<at::Tensor()> trained = {};
  /// Looks at every step's gradients and errors.
  std::function<void(const StepFindings&)> look = {};
  /// Examples that an epoch trains in an order; see Sampler::examples(). Absent: each once.
  std::function<at::Tensor(std::int64_t epoch, std::int64_t order)> examples = {};
  /// Done after every step.
  std::function<void(const Turn& next)> after = {};
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
  std::string checkpoint = {};  ///< file; empty: none is written
  /// Hash of what is trained and how; a checkpoint of another one is refused.
  std::string identity = {};
  std::function<void(const TrainProgress&)> report = {};  ///< about twenty times an epoch
  std::function<void(std::int64_t step)> resumed = {};    ///< with the step of the checkpoint found
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

/// Trainee of a supernet: each step trains the architectures that the sampler draws. A router that
/// grows or splits does so on the way: the supernet is restructured.
Trainee supernet_trainee(Supernet& supernet, const TrainSettings& settings, std::uint64_t seed);
/// Trainee of an extracted subnet.
Trainee subnet_trainee(Subnet& subnet);

/// Reads a finished or unfinished training into the supernet, grown or split as it was. Returns the
/// number of steps done. Throws core::Error for a damaged file or that of another training.
std::int64_t load_checkpoint(const std::string& path, Supernet& supernet,
                             const std::string& identity);
/// Is the training of this checkpoint complete? False where there is no file.
bool training_complete(const std::string& path);

}  // namespace mosaic::supernet
