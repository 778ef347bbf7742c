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

  /// Numbers, and weights beside them where there are such.
  at::Tensor measured(const at::Tensor& outputs, const NamedTensors& targets) const override {
    std::vector<at::Tensor> columns{of_examples_(outputs, targets).to(at::kDouble)};
    if (weights_of_)
      if (const at::Tensor weights = weights_of_(targets); weights.defined())
        columns.push_back(weights.to(at::kDouble));
    return at::stack(columns, 1);
  }

  Estimate estimate(const at::Tensor& rows) const override {
    const at::Tensor all = rows.select(1, 0);
    const auto count = static_cast<double>(all.numel());
    at::Tensor mean = all.mean();
    at::Tensor error = (all - mean).square().mean().div(count).sqrt();
    if (rows.size(1) > 1) {
      const at::Tensor weights = rows.select(1, 1), sum = weights.sum();
      mean = all.sum() / sum;
      error = (all - mean * weights).square().sum().sqrt() / sum;
    }
    return {scale_ * mean.item<double>(), scale_ * error.item<double>(), all.numel()};
  }

 private:
  std::function<at::Tensor(const at::Tensor&, const NamedTensors&)> of_examples_;
  double scale_;
  std::function<at::Tensor(const NamedTensors&)> weights_of_;
};

}  // namespace

void Metric::add(const at::Tensor& outputs, const NamedTensors& targets) {
  const at::NoGradGuard guard;
  rows_.push_back(measured(outputs, targets));
}

Estimate Metric::result() const {
  return rows_.empty() ? Estimate() : estimate(at::cat(rows_).cpu());
}

std::unique_ptr<Metric> mean_metric(
    std::function<at::Tensor(const at::Tensor& outputs, const NamedTensors& targets)> of_examples,
    double scale, std::function<at::Tensor(const NamedTensors& targets)> weights) {
  return std::make_unique<MeanMetric>(std::move(of_examples), scale, std::move(weights));
}

}  // namespace mosaic::tasks
