#include "mosaic/tasks/metric.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace mosaic::tasks {
namespace {

class MeanMetric : public Metric {
 public:
  MeanMetric(std::function<at::Tensor(const at::Tensor&, const NamedTensors&)> of_examples,
             double scale, std::function<at::Tensor(const NamedTensors&)> weights)
      : of_examples_(std::move(of_examples)), scale_(scale), weights_of_(std::move(weights)) {}

  void add(const at::Tensor& outputs, const NamedTensors& targets) override {
    const at::NoGradGuard guard;
    numbers_.push_back(of_examples_(outputs, targets));
    if (!weights_of_) return;
    if (const at::Tensor weights = weights_of_(targets); weights.defined())
      weights_.push_back(weights);
  }

  Estimate result() const override {
    if (numbers_.empty()) return {};
    const at::Tensor all = at::cat(numbers_).to(at::kDouble);
    const auto count = static_cast<double>(all.numel());
    at::Tensor mean = all.mean();
    at::Tensor error = (all - mean).square().mean().div(count).sqrt();
    if (!weights_.empty()) {
      const at::Tensor weights = at::cat(weights_).to(at::kDouble), sum = weights.sum();
      mean = all.sum() / sum;
      error = (all - mean * weights).square().sum().sqrt() / sum;
    }
    const at::Tensor both = at::stack({mean, error}).mul(scale_).cpu();
    return {both[0].item<double>(), both[1].item<double>(), all.numel()};
  }

 private:
  std::function<at::Tensor(const at::Tensor&, const NamedTensors&)> of_examples_;
  double scale_;
  std::function<at::Tensor(const NamedTensors&)> weights_of_;
  std::vector<at::Tensor> numbers_, weights_;  ///< of each batch
};

}  // namespace

std::unique_ptr<Metric> mean_metric(
    std::function<at::Tensor(const at::Tensor& outputs, const NamedTensors& targets)> of_examples,
    double scale, std::function<at::Tensor(const NamedTensors& targets)> weights) {
  return std::make_unique<MeanMetric>(std::move(of_examples), scale, std::move(weights));
}

}  // namespace mosaic::tasks
