#include "classification.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "cross_entropy.hpp"
#include "soft_losses.hpp"

namespace mosaic::tasks {
namespace {

/// Counts who was taken for what: [true class, given class].
class Confusion : public Metric {
 public:
  /// Of a table of counts, float64 [classes, classes] on the CPU.
  using Score = double (*)(const at::Tensor& counts);
  explicit Confusion(Score score) : score_(score) {}

  /// A row a batch: its counts.
  at::Tensor measured(const at::Tensor& outputs, const NamedTensors& targets) const override {
    const auto classes = outputs.size(1);
    const at::Tensor pairs = tensor(targets, kClass) * classes + outputs.argmax(1);
    const auto numbers = pairs.options().dtype(at::kDouble);
    return at::zeros({1, classes * classes}, numbers)
        .scatter_add_(1, pairs.unsqueeze(0), at::ones({1, pairs.size(0)}, numbers));
  }

  Estimate estimate(const at::Tensor& rows) const override {
    const auto classes = static_cast<std::int64_t>(std::llround(std::sqrt(rows.size(1))));
    const at::Tensor counts = rows.sum(0).view({classes, classes});
    return {100 * score_(counts), 0, static_cast<std::int64_t>(counts.sum().item<double>())};
  }

 private:
  Score score_;
};

double f1(const at::Tensor& counts) {
  const at::Tensor right = counts.diagonal();
  // 2 TP / (2 TP + FP + FN); a class that neither occurs nor is given has none
  const at::Tensor seen = counts.sum(0) + counts.sum(1);
  const at::Tensor each = 2 * right / seen.clamp_min(1);
  if (counts.size(0) == 2) return each[1].item<double>();
  return (each.sum() / seen.gt(0).sum()).item<double>();
}

double matthews(const at::Tensor& counts) {
  const at::Tensor truth = counts.sum(1), given = counts.sum(0);
  const double all = counts.sum().item<double>();
  const auto product = [](const at::Tensor& a, const at::Tensor& b) {
    return a.dot(b).item<double>();
  };
  const double spread_of_truth = all * all - product(truth, truth);
  const double spread_of_given = all * all - product(given, given);
  if (spread_of_truth <= 0 || spread_of_given <= 0) return 0;  // all of one class
  return (counts.diagonal().sum().item<double>() * all - product(truth, given)) /
         std::sqrt(spread_of_truth * spread_of_given);
}

}  // namespace

at::Tensor class_losses(const at::Tensor& outputs, const NamedTensors& targets,
                        double label_smoothing) {
  return cross_entropies(outputs, tensor(targets, kClass), label_smoothing);
}

at::Tensor class_distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                     const NamedTensors& targets, double temperature) {
  return soft_losses(outputs, teacher, tensor(targets, kClass), temperature);
}

at::Tensor class_gradient_norms(const at::Tensor& outputs, const NamedTensors& targets) {
  const at::Tensor shares = at::softmax(outputs, 1);
  return (shares - at::one_hot(tensor(targets, kClass), shares.size(1))).norm(2, {1});
}

std::vector<MetricType> classification_metrics() {
  return {{"accuracy", "%", true, [] {
             return mean_metric(
                 [](const at::Tensor& outputs, const NamedTensors& targets) {
                   return outputs.argmax(1).eq(tensor(targets, kClass));
                 },
                 100);
           }}};
}

std::vector<MetricType> sentence_metrics() {
  auto result = classification_metrics();
  result.push_back({"f1", "%", true, [] { return std::make_unique<Confusion>(f1); }, "F1"});
  result.push_back({"matthews", "%", true, [] { return std::make_unique<Confusion>(matthews); },
                    "Matthews' correlation"});
  return result;
}

}  // namespace mosaic::tasks
