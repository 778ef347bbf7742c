#include "text/token_store.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "text/tokenizer.hpp"

namespace mosaic::tasks {

void TokenStore::add(std::span<const std::int64_t> tokens) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  begins_.push_back(static_cast<std::int64_t>(tokens_.size()));
}

void TokenStore::to(const at::Device& device) {
  if (!store_.defined()) {
    tokens_.push_back(kPadding);
    store_ = at::tensor(tokens_, at::kLong);
    device_begins_ = at::tensor(begins_, at::kLong);
    tokens_ = {};
  }
  store_ = store_.to(device);
  device_begins_ = device_begins_.to(device);
}

std::int64_t rounded_length(std::int64_t length, std::int64_t most) {
  constexpr std::int64_t kMultiple = 8;
  return std::max(length, std::min(most, (length + kMultiple - 1) / kMultiple * kMultiple));
}

at::Tensor TokenStore::batch(const at::Tensor& sequences, std::int64_t most,
                             std::int64_t extra) const {
  std::int64_t longest = 1 + extra;
  const auto numbers = sequences.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < numbers.size(0); ++i)
    longest = std::max(longest, length(numbers[i]));
  if (store_.is_cuda()) longest = rounded_length(longest - extra, most) + extra;
  const at::Tensor which = sequences.to(store_.device(), /*non_blocking=*/true);
  const at::Tensor begins = device_begins_.index_select(0, which).unsqueeze(1);
  const at::Tensor ends = device_begins_.index_select(0, which + 1).unsqueeze(1);
  const at::Tensor places = begins + at::arange(longest, begins.options());
  return store_.index_select(0, places.masked_fill(places.ge(ends), store_.numel() - 1).flatten())
      .view(places.sizes());
}

std::vector<std::int64_t> bucketed_order(std::span<const std::int64_t> lengths,
                                         std::int64_t batch_size, std::uint64_t seed,
                                         std::uint64_t index) {
  constexpr std::int64_t kBatchesAStretch = 50;
  core::Stream stream(seed, "epoch order", index);
  const auto count = static_cast<std::int64_t>(lengths.size());
  auto order = stream.permutation(count);
  const auto shorter = [&](std::int64_t a, std::int64_t b) {
    return lengths[static_cast<std::size_t>(a)] < lengths[static_cast<std::size_t>(b)];
  };
  for (std::int64_t begin = 0; begin < count; begin += kBatchesAStretch * batch_size)
    std::stable_sort(order.begin() + begin,
                     order.begin() + std::min(count, begin + kBatchesAStretch * batch_size),
                     shorter);
  // Whole batches change places; what is left over stays at the end.
  std::vector<std::int64_t> result;
  for (const auto batch : stream.permutation(count / batch_size))
    result.insert(result.end(), order.begin() + batch * batch_size,
                  order.begin() + (batch + 1) * batch_size);
  result.insert(result.end(), order.begin() + static_cast<std::ptrdiff_t>(result.size()),
                order.end());
  return result;
}

at::Tensor TokenBatches::order(const Selection& selection,
                               std::span<const std::int64_t> lengths) const {
  constexpr std::int64_t kEpochsPerOrder = 1'000'000;
  const std::lock_guard lock(mutex_);
  auto& known = orders_[selection.order];
  if (known.epoch == selection.epoch && known.batch_size == selection.count) return known.numbers;
  const auto index =
      static_cast<std::uint64_t>(selection.order * kEpochsPerOrder + selection.epoch);
  known = {selection.epoch, selection.count,
           at::tensor(bucketed_order(lengths, selection.count, seed_, index), at::kLong)};
  return known.numbers;
}

at::Tensor TokenBatches::numbers(const Selection& selection, std::int64_t count,
                                 std::span<const std::int64_t> lengths) const {
  if (selection.epoch < 0) {
    if (count == 0)
      throw core::Error(
          message("{}: the {} split has no sentences", task_, to_string(selection.split)),
          "set [task] validation above 0");
    const std::int64_t begin = std::min(selection.begin, count);
    return at::arange(begin, std::min(begin + selection.count, count), at::kLong);
  }
  const auto all = static_cast<std::int64_t>(lengths.size());
  if (selection.count < 1 || selection.count > all)
    throw core::Error(message("{}: a batch of {} does not fit into a training split of {} {}",
                              task_, selection.count, all, examples_),
                      "use a smaller batch, or raise [task] limit");
  if (selection.begin < 0 || selection.begin + selection.count > all)
    throw std::out_of_range("examples outside of an epoch");
  if (selection.examples.defined()) return selection.examples;
  return order(selection, lengths).narrow(0, selection.begin, selection.count);
}

}  // namespace mosaic::tasks
