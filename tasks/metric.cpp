#include "mosaic/tasks/metric.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace mosaic::tasks {
namespace {

class MeanMetric : public Metric {
 public:
  MeanMetric(std::function<at::Tensor(const at::Tensor&, const NamedTensors&)> of_examples,
             double scale)
      : of_examples_(std::move(of_examples)), scale_(scale) {}

  void add(const at::Tensor& outputs, const NamedTensors& targets) override {
    const at::NoGradGuard guard;
    numbers_.push_back(of_examples_(outputs, targets));
  }

  Estimate result() const override {
    if (numbers_.empty()) return {};
    const at::Tensor all = at::cat(numbers_).to(at::kDouble);
    const auto count = static_cast<double>(all.numel());
    const at::Tensor mean = all.mean();
    const at::Tensor error = (all - mean).square().mean().div(count).sqrt();
    const at::Tensor both = at::stack({mean, error}).mul(scale_).cpu();
    return {both[0].item<double>(), both[1].item<double>(), all.numel()};
  }

 private:
  std::function<at::Tensor(const at::Tensor&, const NamedTensors&)> of_examples_;
  double scale_;
  std::vector<at::Tensor> numbers_;  ///< of each batch
};

}  // namespace

std::unique_ptr<Metric> mean_metric(
    std::function<at::Tensor(const at::Tensor& outputs, const NamedTensors& targets)> of_examples,
    double scale) {
  return std::make_unique<MeanMetric>(std::move(of_examples), scale);
}

}  // namespace mosaic::tasks
