/// The metrics that networks are scored by, and what they measured on its way from the device.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/supernet/scoring/scoring.hpp"

namespace mosaic::supernet {

/// Rows of Metric::measured(), of a batch and of networks side by side.
struct Numbers {
  /// Those of a metric and a network: [rows, columns] of `all`, one behind the other.
  struct Part {
    std::size_t network = 0, metric = 0;
    std::int64_t rows = 0, columns = 0;
  };
  std::vector<Part> parts;
  at::Tensor all;  ///< float64, flat
};

class Measures {
 public:
  /// Of the task's metrics those of these names; of none: all but those of what networks write.
  Measures(const tasks::Task& task, const std::vector<std::string>& names);

  bool any_of_outputs() const { return of_written_ < metrics_.size(); }
  bool any_of_written() const { return of_written_ > 0; }
  /// Outputs [networks, batch, ...], targets of all alike. Does not wait for the device.
  Numbers of_outputs(const at::Tensor& outputs, const NamedTensors& targets) const;
  /// What each network has written.
  Numbers of_written(const std::vector<at::Tensor>& written, const NamedTensors& targets) const;
  /// Of so many networks, from the numbers of their batches, on the CPU.
  std::vector<Score> scores(std::span<const Numbers> batches, std::size_t networks) const;

 private:
  struct Named {
    tasks::MetricType type;
    std::unique_ptr<tasks::Metric> metric;
  };
  template <class Rows>
  Numbers numbers(std::size_t networks, bool of_written, const Rows& rows) const;

  const tasks::Task& task_;
  std::vector<Named> metrics_;
  std::size_t of_written_ = 0;
};

/// Brings them to the CPU, in one copy.
void fetch(const std::vector<Numbers*>& all);

}  // namespace mosaic::supernet
