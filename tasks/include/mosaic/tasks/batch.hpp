/// Examples by name: what networks are fed, and what they are held against.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace mosaic::tasks {

/// Tensors by name, in an order of their own.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
/// Throws std::logic_error, with the known names, where there is none of this name.
const at::Tensor& tensor(const NamedTensors& tensors, const std::string& name);

enum class Split { train, validation, test };
std::string to_string(Split split);

/// Inputs by the names of the task's ports and targets, on the task's device; examples lead in
/// each: [batch, ...].
struct Batch {
  NamedTensors inputs;
  NamedTensors targets;

  std::int64_t examples() const { return inputs.at(0).second.size(0); }
};

/// Which examples of a task, and how.
struct Selection {
  Split split = Split::train;
  /// Places [begin, begin + count) of the split as it is stored; or of an epoch.
  std::int64_t begin = 0;
  std::int64_t count = 0;
  /// Of the training split: in the order of this epoch, and varied as it varies them (crops,
  /// flips). Below 0: as stored.
  std::int64_t epoch = -1;
  /// Of an epoch: instead of places, all of the batch of number `begin` of those that
  /// Task::token_batches(tokens) counts. 0: places.
  std::int64_t tokens = 0;
  /// Networks that are trained side by side may each see the data in an order of their own.
  std::int64_t order = 0;
  /// int64 [count] on the CPU, numbers below size(train): these instead of the epoch's own, varied
  /// as the epoch varies the examples of those places.
  at::Tensor examples = {};
};

}  // namespace mosaic::tasks
