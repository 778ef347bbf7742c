// Layer norm and RMS norm with the addition before them.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/fusion.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "needs.hpp"
#include "poisoned.hpp"
#include "relative_error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using supernet::test::relative_error;

namespace {

/// The value, then the gradients of inputs and weights.
std::vector<at::Tensor> ask(const std::string& op, const std::vector<at::Tensor>& inputs,
                            const std::vector<at::Tensor>& weights, const at::Tensor& gradient,
                            const Mode& mode = {}) {
  spaces::GraphNode node;
  node.name = node.op = op;
  node.reals["epsilon"] = 1e-5;
  std::vector<at::Tensor> leaves, own;
  for (const auto& input : inputs) leaves.push_back(input.detach().requires_grad_());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    node.weights.push_back({i == 0 ? "weight" : "bias", "slot", {}, {}, {}});
    own.push_back(weights[i].detach().requires_grad_());
  }
  const at::Tensor y =
      op_kernels().at(op)({node, leaves, own, mode, leaves[0], leaves[0].size(0), {}});
  auto asked = leaves;
  asked.insert(asked.end(), own.begin(), own.end());
  auto result = torch::autograd::grad({y}, asked, {gradient.to(y.options())});
  result.insert(result.begin(), y);
  return result;
}

}  // namespace

TEST_CASE("a norm that adds first is that of the sum, gradients included") {
  const std::string op = GENERATE("layer_norm", "rms_norm");
  const int networks = GENERATE(1, 3);
  at::manual_seed(1);
  const at::Tensor x = at::randn({networks, 2, 5, 12}), added = at::randn(x.sizes());
  std::vector<at::Tensor> weights(op == "layer_norm" ? 2 : 1);
  for (auto& weight : weights) weight = at::randn({networks, 12});
  const at::Tensor gradient = at::randn(x.sizes());
  const auto found = ask(op, {x, added}, weights, gradient);
  const auto expected = ask(op, {x + added}, weights, gradient);
  CHECK(at::equal(found[0], expected[0]));
  for (std::size_t i = 1; i < found.size(); ++i)
    CHECK(at::equal(found[i], expected[i == 1 ? 1 : i - 1]));
}

TEST_CASE("in training norms take the addition before them, where nobody else reads it") {
  const std::string norm = GENERATE("post", "pre");
  const auto space =
      spaces::Space::make("bert", spaces::text_task(50), {{"layers", "2"}, {"norm", norm}});
  const auto graph = space.bind(space.largest());
  const auto smaller = fused(graph);
  const auto count = [](const spaces::Graph& of, const std::string& op, std::size_t inputs) {
    return std::count_if(of.nodes.begin(), of.nodes.end(), [&](const auto& node) {
      return node.op == op && node.inputs.size() == inputs;
    });
  };
  const auto additions = count(graph, "add", 2);
  CHECK(additions > 0);
  // Before a norm of the next layer the sum is read by its addition, too; not after the last.
  const auto taken = norm == "post" ? additions : 1;
  CHECK(count(smaller, "layer_norm", 2) == taken);
  CHECK(count(smaller, "add", 2) == additions - taken);
  const spaces::Graph* const one[] = {&graph};
  const auto program = Program::compile(one, "forward", false);
  const auto trained = Program::compile(one, "forward", true);
  const auto inputs = random_inputs(graph, "forward", 3, 1, "cpu", space.task().typical);
  NamedTensors leading;
  for (const auto& [name, tensor] : inputs) leading.emplace_back(name, tensor.unsqueeze(0));
  std::map<std::string, at::Tensor> slots;
  const auto answer = [&](const Program& of) {
    std::vector<at::Tensor> weights;
    for (const auto& weight : of.weights()) {
      auto& own = slots[weight.ref.slot];
      if (!own.defined()) own = at::randn(weight.ref.active).unsqueeze(0);
      weights.push_back(own);
    }
    return run(of, leading, weights, {}).values[0];
  };
  const at::Tensor expected = answer(program);
  CHECK(at::equal(answer(trained), expected));
}

TEST_CASE("norms of rows on the GPU are those of double precision", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const std::string op = GENERATE("layer_norm", "rms_norm");
  const auto [networks, rows, features] =
      GENERATE(table<int, int, int>({{1, 1, 8},
                                     {1, 333, 512},
                                     {3, 70, 640},
                                     {1, 4096, 640},
                                     {2, 37, 1024},
                                     {1, 300, 768},
                                     {2, 9, 1032},
                                     {1, 67, 2560},
                                     {1, 5, 4096},
                                     {1, 21, 30}}));  // 30: LibTorch's own
  const bool residual = GENERATE(false, true), bfloat16 = GENERATE(false, true);
  const auto type = GENERATE(at::kFloat, at::kBFloat16);
  CAPTURE(op, networks, rows, features, residual, bfloat16, type);
  at::manual_seed(1);
  const auto values = [&](at::ScalarType as, double shift) {
    return (at::randn({networks, rows, 1, features}) + shift).to(as);
  };
  std::vector<at::Tensor> inputs{values(type, 2)};
  if (residual) inputs.push_back(values(at::kBFloat16, 1));
  std::vector<at::Tensor> weights(op == "layer_norm" ? 2 : 1);
  for (auto& weight : weights) weight = at::randn({networks, features});
  const at::Tensor gradient = values(at::kBFloat16, 0);
  const auto as = [](std::vector<at::Tensor> all, const auto& change) {
    for (auto& one : all) one = change(one);
    return all;
  };
  const auto exact = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
  const auto on_device = [](const at::Tensor& tensor) { return tensor.cuda(); };
  const auto expected = ask(op, as(inputs, exact), as(weights, exact), gradient);
  const Poisoned poisoned;
  Mode mode;
  mode.bfloat16 = bfloat16;
  const auto found = ask(op, as(inputs, on_device), as(weights, on_device), gradient.cuda(), mode);
  if (features % 8 == 0) CHECK(found[0].scalar_type() == (bfloat16 ? at::kBFloat16 : at::kFloat));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    const bool rounded = found[i].scalar_type() == at::kBFloat16;
    CHECK(relative_error(found[i], expected[i]) < (rounded ? 4e-3 : 1e-5));
  }
}
