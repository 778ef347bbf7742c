/// A task that needs no files: which way do the stripes of an image run?
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
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
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(tasks::Split split) const override { return sizes_[static_cast<int>(split)]; }
  void to(const std::string&) override {}

  tasks::Batch batch(const tasks::Selection& selection) const override {
    const auto split = static_cast<std::size_t>(selection.split);
    const std::int64_t begin = selection.begin;
    const std::int64_t count = std::min(selection.count, sizes_[split] - begin);
    at::Tensor examples = selection.examples;
    if (!examples.defined() && selection.epoch >= 0) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(sizes_[split]));
      std::iota(order.begin(), order.end(), 0);
      core::Stream(1, "stripes.order",
                   static_cast<std::uint64_t>(selection.order * 1'000'000 + selection.epoch))
          .shuffle(order);
      examples = at::tensor(order).narrow(0, begin, count);
    }
    if (!examples.defined()) examples = at::arange(begin, begin + count);
    return {{{"image", inputs_[split].index_select(0, examples)}},
            {{"class", targets_[split].index_select(0, examples)}}};
  }
  at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                    double label_smoothing) const override {
    return at::cross_entropy_loss(outputs, tasks::tensor(targets, "class"), {}, at::Reduction::None,
                                  -100, label_smoothing);
  }
  at::Tensor distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                 const tasks::NamedTensors&, double temperature) const override {
    return (at::softmax(teacher / temperature, 1) * at::log_softmax(outputs / temperature, 1))
               .sum(1) *
           (-temperature * temperature);
  }
  std::vector<tasks::MetricType> metrics() const override { return type_metrics(); }

  /// "accuracy".
  static std::vector<tasks::MetricType> type_metrics() {
    return {{"accuracy", "%", true, [] {
               return tasks::mean_metric(
                   [](const at::Tensor& outputs, const tasks::NamedTensors& targets) {
                     return outputs.argmax(1).eq(tasks::tensor(targets, "class"));
                   },
                   100);
             }}};
  }

 private:
  std::string name_ = "stripes";
  spaces::TaskShape shape_ = spaces::image_task({1, 12, 12}, 4);
  std::int64_t sizes_[3];
  std::vector<at::Tensor> inputs_, targets_;  // of each split
};

}  // namespace mosaic
