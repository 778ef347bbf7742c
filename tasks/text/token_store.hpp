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
#include "mosaic/tasks/task.hpp"

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

/// An epoch, cut into batches.
struct Cut {
  std::vector<std::int64_t> numbers;  ///< of sequences
  std::vector<std::int64_t> begins;   ///< of each batch among them, and the end
};

/// The sequences of these lengths in batches of at most so many tokens, padding counted (one that
/// has more is a batch of its own): those whose rounded_length() is the same are shuffled and cut
/// (the last batch of such a length may hold fewer), and the batches shuffled. A function of its
/// arguments; how many sequences a batch has, and how long they are, of all but `order`.
Cut cut_by_tokens(std::span<const std::int64_t> lengths, std::int64_t most, std::int64_t tokens,
                  std::uint64_t seed, std::int64_t order, std::int64_t epoch);

/// Which sequences a batch of a task holds. Epochs have them in buckets of like length.
class TokenBatches {
 public:
  /// `task` and `examples` ("sentences") are for messages.
  TokenBatches(std::string task, std::string examples, const TaskSettings& settings);

  /// Adds a training example: its length in tokens; `less`: orders those of one length.
  void add(std::int64_t length, std::int64_t less = 0);

  /// Numbers of sequences of the selection's split, which has `count`. int64 [at most
  /// selection.count, unless it is of tokens], on the CPU. Throws core::Error where the split has
  /// none, or fewer than an epoch is asked for.
  at::Tensor numbers(const Selection& selection, std::int64_t count) const;
  /// Task::token_batches().
  std::int64_t batches(std::int64_t tokens) const;
  double mean_length() const;

 private:
  struct Order {
    std::int64_t epoch = -1, batch_size = 0, tokens = 0;
    at::Tensor numbers;
    std::vector<std::int64_t> begins;  ///< of batches of tokens
  };
  at::Tensor of_epoch(const Selection& selection) const;

  std::string task_, examples_;
  std::uint64_t seed_;
  std::int64_t longest_;
  std::vector<std::int64_t> lengths_;
  std::vector<std::int64_t> keys_;  ///< what epochs of so many examples a batch are sorted by
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, Order> orders_;  ///< by Selection::order
};

}  // namespace mosaic::tasks
