#include "cross_entropy.hpp"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "needs.hpp"
#include "poisoned.hpp"
#include "soft_losses.hpp"

using namespace mosaic;
using namespace mosaic::tasks;

namespace {

/// Cross-entropies and the gradient of their sum with these weights, in double precision.
std::pair<at::Tensor, at::Tensor> by_formula(const at::Tensor& logits, const at::Tensor& targets,
                                             double smoothing, const at::Tensor& weights) {
  const at::Tensor x = logits.to(at::kCPU, at::kDouble), asked = targets.cpu().ne(kNotAsked);
  const at::Tensor z = at::logsumexp(x, {1});
  at::Tensor wanted = at::zeros_like(x);
  wanted.scatter_(1, targets.cpu().clamp_min(0).unsqueeze(1), 1 - smoothing);
  wanted += smoothing / static_cast<double>(x.size(1));
  const at::Tensor losses = z - (wanted * x).sum(1);
  const at::Tensor gradient = (x.softmax(1) - wanted) * weights.to(at::kDouble).unsqueeze(1);
  return {at::where(asked, losses, 0.0), at::where(asked.unsqueeze(1), gradient, 0.0)};
}

double difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor a = found.detach().to(at::kCPU, at::kDouble);
  return ((a - expected).norm() / expected.norm().clamp_min(1e-12)).item<double>();
}

at::Tensor drawn_targets(std::int64_t rows, std::int64_t classes) {
  at::Tensor targets = at::randint(classes, {rows}, at::kLong);
  for (std::int64_t i = 2; i < rows; i += 5) targets[i] = kNotAsked;
  targets[0] = classes - 1;
  return targets;
}

}  // namespace

TEST_CASE("cross-entropies and their gradients are those of the formula") {
  const auto type = GENERATE(at::kDouble, at::kFloat, at::kBFloat16);
  const double smoothing = GENERATE(0.0, 0.1);
  at::manual_seed(1);
  const at::Tensor targets = drawn_targets(9, 7), weights = at::randn({9}, at::kFloat);
  const at::Tensor logits = (3 * at::randn({9, 7})).to(type).requires_grad_();
  const auto [losses, gradient] = by_formula(logits, targets, smoothing, weights);
  const at::Tensor found = cross_entropies(logits, targets, smoothing);
  CHECK(found.scalar_type() == (type == at::kDouble ? at::kDouble : at::kFloat));
  CHECK(difference(found, losses) < 1e-6);
  (found * weights).sum().backward();
  CHECK(logits.grad().scalar_type() == type);
  CHECK(difference(logits.grad(), gradient) < (type == at::kBFloat16 ? 5e-3 : 1e-6));
}

TEST_CASE("cross-entropies on the GPU are those of the formula", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto [rows, classes] = GENERATE(table<int, int>({{5, 7},
                                                         {1, 2},
                                                         {300, 10},
                                                         {33, 1024},
                                                         {33, 1031},
                                                         {17, 32'003},
                                                         {64, 32'768},
                                                         {3, 131'072}}));
  const auto type = GENERATE(at::kFloat, at::kBFloat16);
  const double smoothing = GENERATE(0.0, 0.1);
  const int apart = GENERATE(0, 1);  // logits that begin between 16 bytes
  CAPTURE(rows, classes, smoothing, apart);
  at::manual_seed(1);
  const at::Tensor targets = drawn_targets(rows, classes), weights = at::randn({rows});
  at::Tensor logits = (4 * at::randn({rows, classes}) + 20).to(type);
  logits[rows - 1] -= 1000;  // far from 0
  logits[rows / 2][0] = 300;
  const auto [losses, gradient] = by_formula(logits, targets, smoothing, weights);
  const Poisoned poisoned;
  const at::Tensor base =
      at::cat({at::zeros({apart}, type), logits.flatten()}).cuda().requires_grad_();
  const at::Tensor found = cross_entropies(
      base.narrow(0, apart, logits.numel()).view({rows, classes}), targets.cuda(), smoothing);
  CHECK(found.scalar_type() == at::kFloat);
  CHECK(difference(found, losses) < 1e-5);
  (found * weights.cuda()).sum().backward();
  CHECK(base.grad().scalar_type() == type);
  CHECK(difference(base.grad().narrow(0, apart, logits.numel()).view({rows, classes}), gradient) <
        (type == at::kBFloat16 ? 5e-3 : 5e-5));
}
