/// A task that needs no files: which way do the stripes of an image run?
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <numbers>
#include <string>
#include <vector>

#include "mosaic/core/random.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic {

/// Grey images of 12x12 with noisy stripes in one of four directions, drawn from a seed; kept in
/// float32 on the CPU.
class Stripes : public tasks::Task {
 public:
  explicit Stripes(std::int64_t train = 320, std::int64_t validation = 128, std::uint64_t seed = 1)
      : sizes_{train, validation, validation} {
    for (int split = 0; split < 3; ++split) {
      core::Stream stream(seed, "stripes", static_cast<std::uint64_t>(split));
      std::vector<float> pixels;
      std::vector<std::int64_t> labels;
      for (std::int64_t i = 0; i < sizes_[split]; ++i) {
        const auto label = static_cast<std::int64_t>(stream.below(4));
        labels.push_back(label);
        const double phase = stream.uniform() * 2 * std::numbers::pi;
        for (int y = 0; y < 12; ++y)
          for (int x = 0; x < 12; ++x) {
            const int along = label == 0 ? x : label == 1 ? y : label == 2 ? x + y : x - y;
            pixels.push_back(
                static_cast<float>(std::sin(1.3 * along + phase) + 0.7 * stream.normal()));
          }
      }
      inputs_.push_back(at::tensor(pixels).view({-1, 1, 12, 12}));
      targets_.push_back(at::tensor(labels));
    }
  }

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return name_; }
  std::vector<std::int64_t> input_shape() const override { return {1, 12, 12}; }
  std::int64_t classes() const override { return 4; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t size(tasks::Split split) const override { return sizes_[static_cast<int>(split)]; }
  void to(const std::string&) override {}

  tasks::Batch training_batch(std::int64_t epoch, std::int64_t index,
                              std::int64_t batch_size) const override {
    std::vector<std::int64_t> order(static_cast<std::size_t>(sizes_[0]));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    core::Stream(1, "stripes.order", static_cast<std::uint64_t>(epoch)).shuffle(order);
    return training_batch(epoch, index,
                          at::tensor(order).narrow(0, index * batch_size, batch_size));
  }
  tasks::Batch training_batch(std::int64_t, std::int64_t,
                              const at::Tensor& examples) const override {
    return {inputs_[0].index_select(0, examples), targets_[0].index_select(0, examples)};
  }
  tasks::Batch batch(tasks::Split split, std::int64_t begin, std::int64_t count) const override {
    const auto all = static_cast<std::size_t>(split);
    count = std::min(count, sizes_[all] - begin);
    return {inputs_[all].narrow(0, begin, count), targets_[all].narrow(0, begin, count)};
  }
  at::Tensor loss(const at::Tensor& outputs, const at::Tensor& targets,
                  double label_smoothing) const override {
    return at::cross_entropy_loss(outputs, targets, {}, at::Reduction::Mean, -100, label_smoothing);
  }
  at::Tensor correct(const at::Tensor& outputs, const at::Tensor& targets) const override {
    return outputs.argmax(1).eq(targets).sum();
  }

 private:
  std::string name_ = "stripes";
  std::vector<std::string> names_ = {"down", "across", "rising", "falling"};
  std::int64_t sizes_[3];
  std::vector<at::Tensor> inputs_, targets_;  // of each split
};

}  // namespace mosaic
