// Linear maps with the activation behind them.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/fusion.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "needs.hpp"
#include "poisoned.hpp"
#include "relative_error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using supernet::test::relative_error;

namespace {

/// The value, then the gradients of x, weight and bias (where there is one).
std::vector<at::Tensor> ask(const std::string& activation, std::vector<at::Tensor> leaves,
                            const at::Tensor& gradient, const Mode& mode = {}) {
  spaces::GraphNode node;
  node.name = node.op = "linear";
  if (!activation.empty()) node.attributes[activation] = 1;
  node.weights = {{"weight", "w", {}, {}, {}}, {"bias", "b", {}, {}, {}}};
  node.weights.resize(leaves.size() - 1);
  for (auto& leaf : leaves) leaf = leaf.detach().requires_grad_();
  const std::vector<at::Tensor> inputs{leaves[0]}, weights(leaves.begin() + 1, leaves.end());
  const at::Tensor y =
      op_kernels().at("linear")({node, inputs, weights, mode, leaves[0], leaves[0].size(0), {}});
  auto result = torch::autograd::grad({y}, leaves, {gradient.to(y.options())});
  result.insert(result.begin(), y);
  return result;
}

}  // namespace

TEST_CASE("a linear map with an activation is that of both, gradients included") {
  const std::string activation = GENERATE("relu", "gelu");
  const int networks = GENERATE(1, 3);
  at::manual_seed(1);
  const std::vector<at::Tensor> leaves{at::randn({networks, 2, 5, 6}), at::randn({networks, 4, 6}),
                                       at::randn({networks, 4})};
  const at::Tensor gradient = at::randn({networks, 2, 5, 4});
  const auto plain = ask("", leaves, gradient);
  const at::Tensor z = plain[0].detach().requires_grad_();
  const at::Tensor y = activation == "relu" ? at::relu(z) : at::gelu(z);
  const auto behind = torch::autograd::grad({y}, {z}, {gradient})[0];
  auto expected = ask("", leaves, behind);
  expected[0] = y;
  const auto found = ask(activation, leaves, gradient);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(at::equal(found[i], expected[i]));
}

TEST_CASE("in training linear maps take the activation behind them") {
  const std::string name = GENERATE("gpt", "hat-translation");
  const auto space = spaces::Space::make(
      name, name == "gpt" ? spaces::language_task(40) : spaces::translation_task(40), {});
  const auto graph = space.bind(space.smallest());
  const auto smaller = fused(graph);
  const std::string op = name == "gpt" ? "gelu" : "relu";
  std::size_t activations = 0, taken = 0;
  for (const auto& node : graph.nodes) activations += node.op == op;
  for (const auto& node : smaller.nodes) {
    CHECK(node.op != op);
    taken += node.op == "linear" && node.attributes.contains(op);
  }
  CHECK(activations > 0);
  CHECK(taken == activations);
}

TEST_CASE("linear maps in bfloat16 on the GPU are those of double precision", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const std::string activation = GENERATE("", "relu", "gelu");
  const auto [networks, rows, in, out] = GENERATE(table<int, int, int, int>({{1, 1, 16, 8},
                                                                             {1, 333, 64, 88},
                                                                             {3, 70, 40, 2056},
                                                                             {1, 2048, 512, 3072},
                                                                             {2, 515, 24, 640},
                                                                             {1, 9, 16, 30}}));
  const std::string bias = GENERATE("none", "float32", "bfloat16");
  const auto type = GENERATE(at::kFloat, at::kBFloat16);
  CAPTURE(activation, networks, rows, in, out, bias, type);
  at::manual_seed(1);
  std::vector<at::Tensor> leaves{at::randn({networks, rows, 1, in}).to(at::kBFloat16).to(type),
                                 (at::randn({networks, out, in}) / 8).to(at::kBFloat16)};
  if (bias != "none") leaves.push_back(at::randn({networks, out}).to(at::kBFloat16));
  if (bias == "float32") leaves.back() = leaves.back().to(at::kFloat);
  if (out % 8 != 0 && bias == "float32") return;  // LibTorch's own, which wants autocast
  if (out % 8 != 0 && type == at::kFloat) return;
  const at::Tensor gradient = at::randn({networks, rows, 1, out}).to(at::kBFloat16);
  auto on_device = leaves, exact = leaves;
  for (auto& leaf : on_device) leaf = leaf.cuda();
  for (auto& leaf : exact) leaf = leaf.to(at::kDouble);
  auto expected = ask(activation, exact, gradient);
  const Poisoned poisoned;
  Mode mode;
  mode.bfloat16 = true;
  const auto found = ask(activation, on_device, gradient.cuda(), mode);
  if (activation == "relu") {  // which side of 0 a sum falls on is the rounding's
    const auto behind = ask("", exact, gradient * found[0].cpu().gt(0));
    std::copy(behind.begin() + 1, behind.end(), expected.begin() + 1);
  }
  CHECK(found[0].scalar_type() == at::kBFloat16);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    if (i > 0) CHECK(found[i].scalar_type() == leaves[i - 1].scalar_type());
    CHECK(relative_error(found[i], expected[i]) < 1e-2);
  }
}
