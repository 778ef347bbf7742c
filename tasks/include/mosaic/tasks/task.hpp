/// A task: data splits, batches, loss and metrics.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/registry.hpp"
#include "mosaic/core/settings.hpp"

namespace mosaic::tasks {

enum class Split { train, validation, test };
std::string to_string(Split split);

/// Inputs and targets of a step, on the task's device.
struct Batch {
  at::Tensor inputs;   ///< float32 [batch, channels, height, width], normalised
  at::Tensor targets;  ///< int64 [batch]
};

/// What was done to byte values: (x / 255 - mean) / standard_deviation, per channel. A deployed
/// network needs the same.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> standard_deviation;
};

/// The [task] section of a job file.
struct TaskSettings {
  std::string name = "fashion-mnist";
  std::string path = {};    ///< folder or file; empty: where the task's data usually lies
  std::uint64_t seed = 1;   ///< of the train/validation split and of augmentation
  double validation = 0.1;  ///< share of the training images held out for the search
  std::int64_t limit = 0;  ///< at most so many training+validation images (0: all); for quick tries
  bool augment = true;
  std::int64_t image_size = 32;  ///< image folders only: side to which images are resized

  /// The keys above but for `seed`, which is the job's.
  void visit(core::Visitor& v);
  /// Throws core::UsageError for an unknown name or a value out of range.
  static TaskSettings read(core::Section section, std::uint64_t seed);
};

/// Epochs k * kEpochsPerOrder + 0, 1, 2 ... are the k-th order of the same data (for networks that
/// are trained side by side).
constexpr std::int64_t kEpochsPerOrder = 1'000'000;

/// Registered tasks are made by name; data is loaded once, checked, and kept on the device.
/// Everything is a function of (settings, epoch, step): nothing drawn depends on earlier calls.
class Task {
 public:
  virtual ~Task() = default;

  virtual const std::string& name() const = 0;
  /// Hash of the data as loaded.
  virtual const std::string& checksum() const = 0;
  /// One example: {channels, height, width}.
  virtual std::vector<std::int64_t> input_shape() const = 0;
  virtual std::int64_t classes() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual std::int64_t size(Split split) const = 0;
  /// Empty where inputs are not normalised.
  virtual Normalisation normalisation() const { return {}; }
  /// How a file becomes an input, in words for those who deploy a network.
  virtual std::string preprocessing() const { return {}; }

  /// Moves the data ("cpu", "cuda"). Call once, before batches are asked for. Throws core::Error
  /// where there is no such device or the data does not fit.
  virtual void to(const std::string& device) = 0;

  /// Batches [0, size(train) / batch_size) of an epoch: a permutation drawn from (seed, epoch), the
  /// last incomplete batch dropped, augmented on the device. Throws core::Error for a batch larger
  /// than the split.
  virtual Batch training_batch(std::int64_t epoch, std::int64_t index,
                               std::int64_t batch_size) const = 0;
  /// Batch `index` of an epoch of chosen examples (int64 [batch] on the CPU, numbers below
  /// size(train)), augmented as the ordinary batch of that place would be.
  virtual Batch training_batch(std::int64_t epoch, std::int64_t index,
                               const at::Tensor& examples) const = 0;
  /// Examples [begin, begin + count) of a split in stored order, not augmented, clipped to its
  /// size. Throws core::Error where the split has no examples at all (validation = 0).
  virtual Batch batch(Split split, std::int64_t begin, std::int64_t count) const = 0;

  /// Mean loss (differentiable) of outputs [batch, classes].
  virtual at::Tensor loss(const at::Tensor& outputs, const at::Tensor& targets,
                          double label_smoothing) const = 0;
  /// Number of correct outputs (a scalar int64 tensor on the device, so that callers need not wait
  /// for it).
  virtual at::Tensor correct(const at::Tensor& outputs, const at::Tensor& targets) const = 0;
};

using TaskFactory = std::function<std::unique_ptr<Task>(const TaskSettings&)>;

/// `const core::Registered kEntry{tasks(), "fashion-mnist", "what it is", factory};`
core::Registry<TaskFactory>& tasks();

}  // namespace mosaic::tasks
