/// Steps of a program one by one: what the eager engine runs all of, and blocks.hpp some.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// Values of a run, by number.
class Values {
 public:
  explicit Values(std::size_t count) : values_(count), rows_(count) {}

  at::Tensor& operator[](int value) { return values_[static_cast<std::size_t>(value)]; }
  /// One row, as [1, ...]. All are taken apart at once: the backward pass puts them together once.
  const at::Tensor& row(int value, int row);
  void free(int value);

 private:
  std::vector<at::Tensor> values_;
  std::vector<std::vector<at::Tensor>> rows_;
};

/// The lengths that the symbols of a program's inputs stand for. Throws core::Error for an input
/// whose shape it does not take.
spaces::Symbols lengths_of(const Program& program, const std::vector<at::Tensor>& inputs);

/// Computes the values of steps [begin, end), and frees what none after them reads. `weights`:
/// parallel to program.weights(), of these steps at least; `entry_input`: OpCall::entry_input.
void run_steps(const Program& program, std::size_t begin, std::size_t end, Values& values,
               std::span<const at::Tensor> weights, const Mode& mode, const at::Tensor& entry_input,
               const spaces::Symbols& symbols);

/// What the program gives, out of its values.
Outputs outputs_of(const Program& program, Values& values);

}  // namespace mosaic::supernet
