#include "text/token_store.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
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

namespace {

constexpr std::int64_t kEpochsPerOrder = 1'000'000;

std::uint64_t stream_index(std::int64_t order, std::int64_t epoch) {
  return static_cast<std::uint64_t>(order * kEpochsPerOrder + epoch);
}

/// Numbers of sequences by their rounded length.
std::map<std::int64_t, std::vector<std::int64_t>> buckets(std::span<const std::int64_t> lengths,
                                                          std::int64_t most) {
  std::map<std::int64_t, std::vector<std::int64_t>> result;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    result[rounded_length(lengths[i], most)].push_back(static_cast<std::int64_t>(i));
  return result;
}

}  // namespace

Cut cut_by_tokens(std::span<const std::int64_t> lengths, std::int64_t most, std::int64_t tokens,
                  std::uint64_t seed, std::int64_t order, std::int64_t epoch) {
  core::Stream stream(seed, "order by tokens", stream_index(order, epoch));
  std::vector<std::vector<std::int64_t>> batches;
  for (auto& [length, numbers] : buckets(lengths, most)) {
    stream.shuffle(numbers);
    const auto size = static_cast<std::size_t>(std::max<std::int64_t>(1, tokens / length));
    for (std::size_t begin = 0; begin < numbers.size(); begin += size)
      batches.emplace_back(
          numbers.begin() + static_cast<std::ptrdiff_t>(begin),
          numbers.begin() + static_cast<std::ptrdiff_t>(std::min(numbers.size(), begin + size)));
  }
  Cut result;
  core::Stream of_batches(seed, "order of batches by tokens", static_cast<std::uint64_t>(epoch));
  for (const auto i : of_batches.permutation(static_cast<std::int64_t>(batches.size()))) {
    const auto& batch = batches[static_cast<std::size_t>(i)];
    result.begins.push_back(static_cast<std::int64_t>(result.numbers.size()));
    result.numbers.insert(result.numbers.end(), batch.begin(), batch.end());
  }
  result.begins.push_back(static_cast<std::int64_t>(result.numbers.size()));
  return result;
}

TokenBatches::TokenBatches(std::string task, std::string examples, const TaskSettings& settings)
    : task_(std::move(task)),
      examples_(std::move(examples)),
      seed_(settings.seed),
      longest_(settings.longest) {}

void TokenBatches::add(std::int64_t length, std::int64_t less) {
  constexpr std::int64_t kMost = 1 << 20;
  lengths_.push_back(length);
  keys_.push_back(kMost * length + less);
}

double TokenBatches::mean_length() const {
  return static_cast<double>(std::accumulate(lengths_.begin(), lengths_.end(), std::int64_t{0})) /
         static_cast<double>(lengths_.size());
}

std::int64_t TokenBatches::batches(std::int64_t tokens) const {
  std::int64_t result = 0;
  for (const auto& [length, numbers] : buckets(lengths_, longest_)) {
    const auto size = std::max<std::int64_t>(1, tokens / length);
    result += (static_cast<std::int64_t>(numbers.size()) + size - 1) / size;
  }
  return result;
}

at::Tensor TokenBatches::of_epoch(const Selection& selection) const {
  const std::lock_guard lock(mutex_);
  auto& known = orders_[selection.order];
  const std::int64_t batch_size = selection.tokens > 0 ? 0 : selection.count;
  if (known.epoch != selection.epoch || known.batch_size != batch_size ||
      known.tokens != selection.tokens) {
    known = {selection.epoch, batch_size, selection.tokens, {}, {}};
    if (selection.tokens > 0) {
      auto cut = cut_by_tokens(lengths_, longest_, selection.tokens, seed_, selection.order,
                               selection.epoch);
      known.numbers = at::tensor(cut.numbers, at::kLong);
      known.begins = std::move(cut.begins);
    } else {
      known.numbers = at::tensor(
          bucketed_order(keys_, batch_size, seed_, stream_index(selection.order, selection.epoch)),
          at::kLong);
    }
  }
  if (selection.tokens == 0) return known.numbers.narrow(0, selection.begin, selection.count);
  const auto batch = static_cast<std::size_t>(selection.begin);
  if (selection.begin < 0 || batch + 1 >= known.begins.size())
    throw std::out_of_range("a batch outside of an epoch");
  return known.numbers.narrow(0, known.begins[batch],
                              known.begins[batch + 1] - known.begins[batch]);
}

at::Tensor TokenBatches::numbers(const Selection& selection, std::int64_t count) const {
  if (selection.epoch < 0) {
    if (count == 0)
      throw core::Error(
          message("{}: the {} split has no sentences", task_, to_string(selection.split)),
          "set [task] validation above 0");
    const std::int64_t begin = std::min(selection.begin, count);
    return at::arange(begin, std::min(begin + selection.count, count), at::kLong);
  }
  const auto all = static_cast<std::int64_t>(lengths_.size());
  if (selection.tokens == 0) {
    if (selection.count < 1 || selection.count > all)
      throw core::Error(message("{}: a batch of {} does not fit into a training split of {} {}",
                                task_, selection.count, all, examples_),
                        "use a smaller batch, or raise [task] limit");
    if (selection.begin < 0 || selection.begin + selection.count > all)
      throw std::out_of_range("examples outside of an epoch");
    if (selection.examples.defined()) return selection.examples;
  }
  return of_epoch(selection);
}

}  // namespace mosaic::tasks
