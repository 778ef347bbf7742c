#include "text/token_metrics.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "cross_entropy.hpp"
#include "soft_losses.hpp"
#include "text/tokenizer.hpp"

namespace mosaic::tasks {
namespace {

/// exp of the mean loss over all tokens that are guessed, with the error of that ratio of sums.
class Perplexity : public Metric {
 public:
  /// Sum of the losses of an example, and how many there are.
  at::Tensor measured(const at::Tensor& outputs, const NamedTensors& targets) const override {
    const auto [loss, count] = token_losses(outputs, tensor(targets, kToken), 0);
    return at::stack({loss.to(at::kDouble), count.to(at::kDouble)}, 1);
  }
  Estimate estimate(const at::Tensor& rows) const override {
    const at::Tensor loss = rows.select(1, 0), count = rows.select(1, 1);
    const double all = count.sum().item<double>(), mean = loss.sum().item<double>() / all;
    const double error = std::sqrt((loss - mean * count).square().sum().item<double>()) / all;
    return {std::exp(mean), std::exp(mean) * error, loss.numel()};
  }
};

at::Tensor share_right(const at::Tensor& outputs, const NamedTensors& targets) {
  const at::Tensor& wanted = tensor(targets, kToken);
  const at::Tensor counts = wanted.gt(kPadding);
  const at::Tensor right = outputs.argmax(2).eq(wanted).logical_and(counts).sum(1);
  return right.to(at::kDouble) / counts.sum(1).clamp_min(1);
}

}  // namespace

at::Tensor asked(const at::Tensor& targets) {
  return targets.masked_fill(targets.eq(kPadding), kNotAsked);
}

std::pair<at::Tensor, at::Tensor> token_losses(const at::Tensor& outputs, const at::Tensor& targets,
                                               double label_smoothing) {
  const at::Tensor wanted = asked(targets);
  const bool narrow = outputs.scalar_type() == at::kBFloat16;
  const at::Tensor logits = (narrow ? outputs : outputs.to(at::kFloat)).flatten(0, 1);
  const at::Tensor each = cross_entropies(logits, wanted.flatten(), label_smoothing);
  return {each.view(targets.sizes()).sum(1), wanted.ne(kNotAsked).sum(1)};
}

std::vector<MetricType> token_metrics() {
  return {{"perplexity", "", false, [] { return std::make_unique<Perplexity>(); }},
          {"token_accuracy", "%", true, [] { return mean_metric(share_right, 100); },
           "accuracy of tokens"}};
}

}  // namespace mosaic::tasks
