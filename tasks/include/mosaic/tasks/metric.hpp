/// What a task judges networks by.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "mosaic/tasks/batch.hpp"

namespace mosaic::tasks {

/// A figure over some examples.
struct Estimate {
  double value = std::numeric_limits<double>::quiet_NaN();
  double error = 0;  ///< standard error; 0 where it is not known
  std::int64_t examples = 0;
};

/// Collects a figure batch by batch.
class Metric {
 public:
  virtual ~Metric() = default;
  /// Outputs [batch, ...] without gradient; they may be overwritten afterwards. Does not wait for
  /// the device.
  virtual void add(const at::Tensor& outputs, const NamedTensors& targets) = 0;
  virtual Estimate result() const = 0;
};

struct MetricType {
  std::string name;  ///< "accuracy"
  std::string unit;  ///< "%"
  bool maximise = false;
  std::function<std::unique_ptr<Metric>()> make;
  std::string title = {};  ///< as people call it, where that is not the name
  /// Of what the network writes (Task::writing()): add() is given that, int64 [batch, length]
  /// padded with 0, instead of outputs. Costs many passes, so it is asked for by name.
  bool of_written = false;
};

/// The mean of a number an example, times `scale`, with its standard error. `weights`: how much
/// each example counts [batch], where it gives something: the sum of the numbers over that of
/// these.
std::unique_ptr<Metric> mean_metric(
    std::function<at::Tensor(const at::Tensor& outputs, const NamedTensors& targets)> of_examples,
    double scale = 1, std::function<at::Tensor(const NamedTensors& targets)> weights = {});

}  // namespace mosaic::tasks
