/// A task: data splits, batches, losses and metrics.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "mosaic/core/registry.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/spaces/task_shape.hpp"
#include "mosaic/tasks/batch.hpp"
#include "mosaic/tasks/metric.hpp"

namespace mosaic::tasks {

/// The [task] section of a job file.
struct TaskSettings {
  std::string name = "fashion-mnist";
  std::string path = {};    ///< folder or file; empty: where the task's data usually lies
  std::uint64_t seed = 1;   ///< of the train/validation split and of augmentation
  double validation = 0.1;  ///< share of the training examples held out for the search
  /// At most so many training and validation examples (0: all); for quick tries.
  std::int64_t limit = 0;
  bool augment = true;
  std::int64_t image_size = 32;  ///< image folders only: side to which images are resized
  // Of text:
  std::int64_t vocabulary = 8000;   ///< tokens at most, learned from the training split
  std::string tokenizer = {};       ///< a SentencePiece model instead
  std::int64_t longest = 128;       ///< tokens of an example; longer ones are cut
  std::int64_t typical_length = 0;  ///< that costs are counted at; 0: the mean of the data
  // Of translation:
  std::string source = {}, target = {};  ///< endings of the files: "en", "de"
  std::int64_t beam = 4;                 ///< hypotheses kept while a translation is written
  double length_penalty = 1;             ///< 0: short translations win

  // Of trainings beside the job's own:
  bool hold_out = true;  ///< false: all but the test examples are trained on
  /// Task::files() of another task, which this one takes over where it would make its own.
  std::map<std::string, std::string> files = {};

  /// The keys above but for `seed`, which is the job's, and the last two.
  void visit(core::Visitor& v);
  /// What each key means, by key.
  static std::map<std::string, std::string> meanings();
  /// Throws core::UsageError for an unknown name or a value out of range.
  static TaskSettings read(core::Section section, std::uint64_t seed);
};

/// How a network writes one of its inputs, token by token, by beam search.
struct Writing {
  std::string input;  ///< what is written; the others are given
  std::int64_t begin = 2, end = 3;
  std::int64_t beam = 4;
  /// Of finished hypotheses that one wins whose sum of log-probabilities over length ^ penalty (the
  /// end counts) is greatest.
  double length_penalty = 1;
  /// At most so many tokens: per token of the other input that is no padding, and beside.
  double longest_ratio = 1.2;
  std::int64_t longest_more = 10;
  std::int64_t longest = std::numeric_limits<std::int64_t>::max();  ///< and never more

  /// ", beam=4, length penalty=1": what figures of what was written depend on.
  std::string text() const;
};

/// Of Task::files(): the vocabulary of a task over text.
inline constexpr const char* kTokenizerFile = "tokenizer.model";

/// Registered tasks are made by name; data is loaded once, checked, and kept on the device.
/// Everything is a function of (settings, selection): nothing drawn depends on earlier calls.
class Task {
 public:
  virtual ~Task() = default;

  virtual const std::string& name() const = 0;
  /// Hash of the data as loaded.
  virtual const std::string& checksum() const = 0;
  /// Inputs and output in names, types and shapes.
  virtual const spaces::TaskShape& shape() const = 0;
  virtual std::int64_t size(Split split) const = 0;
  /// What the data are, in a line: "2,500 images of 10 classes (250 of each)". Empty: nothing to
  /// say.
  virtual std::string summary() const { return {}; }

  /// Moves the data ("cpu", "cuda"). Call once, before batches are asked for. Throws core::Error
  /// where there is no such device or the data does not fit.
  virtual void to(const std::string& device) = 0;

  /// Clipped to the size of a split as it is stored. Throws core::Error where the split has no
  /// examples at all (validation = 0), or fewer than an epoch is asked for.
  virtual Batch batch(const Selection& selection) const = 0;
  /// Of texts: how many batches an epoch has, and every epoch alike, where a batch holds as many
  /// texts as have so many tokens together, padding counted (of a pair, the longer side). In all
  /// orders the batches of one number hold equally many. 0: its examples are no texts.
  virtual std::int64_t token_batches(std::int64_t /*tokens*/) const { return 0; }

  /// Of each example: float32 [batch], differentiable, from outputs [batch, ...]. Losses and
  /// metrics see the targets alone: what they need of the inputs (lengths, masks) is among those.
  virtual at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets,
                            double label_smoothing) const = 0;
  /// Do losses() take outputs in bfloat16, as networks give them on a GPU, and no worse for it?
  /// They are float32 else.
  virtual bool takes_bfloat16() const { return false; }
  /// How much each example's loss counts, float32 [batch], where that is not alike: the mean loss
  /// is the sum of the losses over that of these. Undefined: alike.
  virtual at::Tensor loss_weights(const NamedTensors& /*targets*/) const { return {}; }
  /// What the mean of the losses is called, and its unit.
  struct LossName {
    std::string title = "cross-entropy";
    std::string unit = "nats";
  };
  virtual LossName loss_name() const { return {}; }
  /// Norm of the gradient of each example's loss with respect to its outputs, float32 [batch], for
  /// samplers that weigh examples by it (PA&DA). Undefined: this task does not offer it.
  virtual at::Tensor output_gradient_norms(const at::Tensor& /*outputs*/,
                                           const NamedTensors& /*targets*/) const {
    return {};
  }
  /// How far outputs are from a teacher's, both [batch, ...], at a temperature T: T^2 times the
  /// cross-entropy of softmax(outputs / T) to softmax(teacher / T) (Hinton et al. 2015), of what
  /// the losses count; float32 [batch], differentiable in the outputs. Undefined: this task does
  /// not offer it.
  virtual at::Tensor distillation_losses(const at::Tensor& /*outputs*/,
                                         const at::Tensor& /*teacher*/,
                                         const NamedTensors& /*targets*/,
                                         double /*temperature*/) const {
    return {};
  }
  /// What it judges networks by, the one that counts most first; beside the loss. By default those
  /// that it is registered with.
  virtual std::vector<MetricType> metrics() const;
  /// Where networks write their answers: how; what its metrics `of_written` are computed from.
  virtual std::optional<Writing> writing() const { return {}; }
  /// How an example becomes inputs and what outputs mean, for those who deploy a network; an
  /// object.
  virtual nlohmann::json preprocessing() const;
  /// Files that networks need where they are deployed (a vocabulary), by name: stored beside each
  /// extracted one.
  virtual std::map<std::string, std::string> files() const { return {}; }
};

/// The task's own metrics, and "loss": the mean of its losses, as they count.
std::vector<MetricType> all_metrics(const Task& task);

using TaskFactory = std::function<std::unique_ptr<Task>(const TaskSettings&)>;

/// `const core::Registered kEntry{tasks(), "fashion-mnist", "what it is", TaskType{make,
/// metrics}};`
struct TaskType {
  TaskFactory make;
  std::vector<MetricType> metrics;  ///< known without the data
  std::string explanation = {};     ///< for `mosaic tasks NAME`: which files are read, and how
  /// Of [task], beside those that all tasks read. Empty: it may read any.
  std::vector<std::string> keys = {};

  bool reads(const std::string& key) const;
};
core::Registry<TaskType>& tasks();

/// Makes the task that the settings name.
std::unique_ptr<Task> make_task(const TaskSettings& settings);

}  // namespace mosaic::tasks
