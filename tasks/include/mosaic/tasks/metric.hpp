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

/// A figure over examples: numbers of each batch, and what it is of those of all.
class Metric {
 public:
  virtual ~Metric() = default;
  /// Rows of numbers, float64 [rows, numbers], on the device of the outputs: [batch, ...], without
  /// gradient, overwritten afterwards. Does not wait for the device, and may be recorded.
  virtual at::Tensor measured(const at::Tensor& outputs, const NamedTensors& targets) const = 0;
  /// The figure, of the rows of all batches, one below the other, on the CPU: one at least.
  virtual Estimate estimate(const at::Tensor& rows) const = 0;

  /// Collects batches, for those who score one network: result() is the figure over them.
  void add(const at::Tensor& outputs, const NamedTensors& targets);
  Estimate result() const;

 private:
  std::vector<at::Tensor> rows_;  ///< of each batch
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
