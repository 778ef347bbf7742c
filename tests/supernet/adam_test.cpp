#include "training/adam.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "needs.hpp"
#include "poisoned.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

struct Problem {
  std::vector<AdamTensor> tensors;

  Problem(const std::vector<std::vector<std::int64_t>>& shapes, at::ScalarType type) {
    at::manual_seed(1);
    for (const auto& shape : shapes) {
      const at::Tensor weight = at::randn(shape).to(type);
      const auto i = static_cast<double>(tensors.size());
      std::vector<int> networks;
      for (int row = 0; row < static_cast<int>(shape[0]) && shape[0] < 4; ++row)
        networks.push_back(row);
      if (networks.empty()) networks.push_back(1);
      tensors.push_back({weight, at::randn(shape).to(type), at::zeros_like(weight),
                         at::zeros_like(weight), at::zeros({}), 1e-2 / (1 + i), i / 10,
                         std::move(networks)});
    }
  }
  /// As many steps, of gradients that change.
  void step(int count, const AdamSettings& settings, const at::Tensor& factors) {
    for (int i = 0; i < count; ++i) {
      for (auto& tensor : tensors) tensor.gradient = tensor.gradient.roll(1) * 0.9;
      auto given = tensors;
      for (auto& tensor : given) tensor.gradient = tensor.gradient.clone();
      adam_step(given, settings, factors);
    }
  }
  void to(const at::Device& device) {
    for (auto& tensor : tensors)
      for (auto* part :
           {&tensor.weight, &tensor.gradient, &tensor.first, &tensor.second, &tensor.steps})
        *part = part->to(device);
  }
};

}  // namespace

TEST_CASE("factors of networks scale their gradients in a step of Adam") {
  const AdamSettings settings{.coupled = GENERATE(false, true)};
  const at::Tensor factors = at::tensor({0.5, 1.0, 2.0}, at::kFloat);
  Problem found({{3, 4}, {7}}, at::kFloat), expected({{3, 4}, {7}}, at::kFloat);
  expected.tensors[0].gradient.mul_(factors.unsqueeze(1));
  found.step(3, settings, factors);
  expected.step(3, settings, {});
  CHECK(at::allclose(found.tensors[1].weight, expected.tensors[1].weight));
  // A roll moves entries between rows: of the first tensor one step alone is alike.
  Problem once({{3, 4}, {7}}, at::kFloat), by_hand({{3, 4}, {7}}, at::kFloat);
  adam_step(once.tensors, settings, factors);
  by_hand.tensors[0].gradient.mul_(factors.unsqueeze(1));
  adam_step(by_hand.tensors, settings);
  CHECK(at::equal(once.tensors[0].weight, by_hand.tensors[0].weight));
  CHECK(once.tensors[0].steps.item<float>() == 1);
}

TEST_CASE("Adam's kernel on the GPU is LibTorch's, and that of double precision", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const AdamSettings settings{.coupled = GENERATE(false, true)};
  const bool scaled = GENERATE(false, true);
  const int repeats = GENERATE(1, 200);  // more tensors than one kernel takes
  CAPTURE(settings.coupled, scaled, repeats);
  std::vector<std::vector<std::int64_t>> shapes{{640, 512}, {2, 33, 7}, {1}, {5000}, {3, 2048}};
  if (repeats > 1) {
    shapes = {{3, 5}, {40}};
    for (int i = 1; i < repeats; ++i) shapes.insert(shapes.end(), {{3, 5}, {40}});
  }
  const at::Tensor factors = scaled ? at::tensor({0.5, 1.0, 2.0}, at::kFloat) : at::Tensor();
  Problem exact(shapes, at::kDouble), found(shapes, at::kFloat);
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (const auto part : {&AdamTensor::weight, &AdamTensor::gradient})
      exact.tensors[i].*part = (found.tensors[i].*part).to(at::kDouble);
  found.to(at::kCUDA);
  const Poisoned poisoned;
  found.step(5, settings, scaled ? factors.cuda() : factors);
  exact.step(5, settings, factors);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    CAPTURE(i);
    for (const auto part : {&AdamTensor::weight, &AdamTensor::first, &AdamTensor::second}) {
      const at::Tensor a = (found.tensors[i].*part).to(at::kCPU, at::kDouble);
      const at::Tensor& b = exact.tensors[i].*part;
      CHECK(((a - b).norm() / b.norm()).item<double>() < 1e-6);
    }
  }
}
