/// Sequences of tokens, one after the other on the device, and batches of them.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/tasks/batch.hpp"

namespace mosaic::tasks {

class TokenStore {
 public:
  void add(std::span<const std::int64_t> tokens);
  /// Call once, after the last add().
  void to(const at::Device& device);

  std::int64_t count() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
  std::int64_t length(std::int64_t sequence) const {
    const auto at = static_cast<std::size_t>(sequence);
    return begins_[at + 1] - begins_[at];
  }
  /// int64 [batch, longest of them] on the device, padded with kPadding. `sequences`: int64 [batch]
  /// on the CPU, none longer than `most`. On a GPU as long as rounded_length() says, and `extra`
  /// tokens that do not count.
  at::Tensor batch(const at::Tensor& sequences, std::int64_t most, std::int64_t extra = 0) const;

 private:
  std::vector<std::int64_t> tokens_;
  std::vector<std::int64_t> begins_{0};
  at::Tensor store_;          ///< int64 [tokens + 1]: the last is padding
  at::Tensor device_begins_;  ///< int64 [sequences + 1]
};

/// A length rounded up to a multiple of 8, to `most` at most: few different shapes, whose kernels
/// can be recorded, and rows that a GPU loads aligned.
std::int64_t rounded_length(std::int64_t length, std::int64_t most);

/// Numbers [0, count) in an order in which neighbours are about equally long: shuffled, sorted by
/// length in stretches of some batches, the batches shuffled. A function of its arguments.
std::vector<std::int64_t> bucketed_order(std::span<const std::int64_t> lengths,
                                         std::int64_t batch_size, std::uint64_t seed,
                                         std::uint64_t index);

/// Which sequences a batch of a task holds. Epochs have them in buckets of like length.
class TokenBatches {
 public:
  /// `task` and `examples` ("sentences") are for messages.
  TokenBatches(std::string task, std::string examples, std::uint64_t seed)
      : task_(std::move(task)), examples_(std::move(examples)), seed_(seed) {}

  /// Numbers of sequences of the selection's split, which has `count`; `lengths`: of the training
  /// examples. int64 [at most selection.count], on the CPU. Throws core::Error where the split has
  /// none, or fewer than an epoch is asked for.
  at::Tensor numbers(const Selection& selection, std::int64_t count,
                     std::span<const std::int64_t> lengths) const;

 private:
  struct Order {
    std::int64_t epoch = -1, batch_size = 0;
    at::Tensor numbers;
  };
  at::Tensor order(const Selection& selection, std::span<const std::int64_t> lengths) const;

  std::string task_, examples_;
  std::uint64_t seed_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, Order> orders_;  ///< by Selection::order
};

}  // namespace mosaic::tasks
