// Ops of image networks: several networks side by side against one by one, values and gradients.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/executor.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using spaces::SpaceBuilder;
using spaces::Value;

namespace {

constexpr int kNetworks = 3;

using Build = std::function<Value(SpaceBuilder&, Value)>;

/// A piece of network over images [8, 7, 7].
spaces::Graph bound(const Build& build) {
  SpaceBuilder b({}, {});
  const Value x = b.input("x", {8, 7, 7});
  b.entry("forward", {x}, {build(b, x)});
  return spaces::bind(b.finish(), {});
}

/// The value, then gradients of a fixed function of it: of the images, and of the weights.
std::vector<at::Tensor> answers(const Program& program, const at::Tensor& x,
                                std::vector<at::Tensor> weights) {
  std::vector<at::Tensor> leaves{x.detach().requires_grad_()};
  for (auto& weight : weights) leaves.push_back(weight = weight.detach().requires_grad_());
  const at::Tensor y = run(program, NamedTensors{{"x", leaves[0]}}, weights, {}).values[0];
  const at::Tensor loss =
      (y * at::arange(y[0].numel(), y.options()).view(y[0].sizes()).sin()).sum();
  std::vector<at::Tensor> result{y.detach()};
  for (auto& gradient : torch::autograd::grad({loss}, leaves)) result.push_back(gradient);
  return result;
}

void check_side_by_side(const Build& build, at::ScalarType type) {
  const spaces::Graph graph = bound(build);
  const auto compiled = [&](std::size_t networks) {
    return Program::compile(std::vector<const spaces::Graph*>(networks, &graph), "forward", true);
  };
  const Program all = compiled(kNetworks), one = compiled(1);
  at::manual_seed(3);
  const at::Tensor x = at::randn({kNetworks, 4, 8, 7, 7}, type);
  std::vector<at::Tensor> weights;
  for (const auto& weight : all.weights()) {
    std::vector<std::int64_t> sizes{kNetworks};
    sizes.insert(sizes.end(), weight.ref.active.begin(), weight.ref.active.end());
    weights.push_back(at::randn(sizes, type));
  }
  const auto together = answers(all, x, weights);
  const double tolerance = type == at::kDouble ? 1e-10 : 1e-4;
  for (int network = 0; network < kNetworks; ++network) {
    std::vector<at::Tensor> own;
    for (const auto& weight : weights) own.push_back(weight.narrow(0, network, 1));
    const auto alone = answers(one, x.narrow(0, network, 1), own);
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CAPTURE(network, i);
      const at::Tensor part = together[i].narrow(0, network, 1);
      CHECK((part - alone[i]).abs().max().item<double>() <=
            tolerance * alone[i].abs().max().item<double>());
    }
  }
}

}  // namespace

TEST_CASE("several networks side by side compute what each computes alone: image ops") {
  const auto type = GENERATE(at::kDouble, at::kFloat);
  for (const std::int64_t stride : {1, 2})
    for (const std::int64_t kernel : {3, 7})
      check_side_by_side(
          [&](SpaceBuilder& b, Value x) {
            return b.conv("y", x, {.out = 8, .kernel = kernel, .stride = stride, .groups = 8});
          },
          type);
  check_side_by_side(
      [](SpaceBuilder& b, Value x) {
        return b.conv("y", x, {.out = 12, .stride = 2, .groups = 4, .bias = true});
      },
      type);
  // An inverted residual with squeeze-and-excitation.
  check_side_by_side(
      [](SpaceBuilder& b, Value x) {
        Value y = b.batch_norm("bn1", b.conv("conv1", x, {.out = 24, .kernel = 1}));
        y = b.node("act1", "hard_swish", {y});
        y = b.batch_norm("bn2", b.conv("conv2", y, {.out = 24, .kernel = 5, .groups = 24}));
        y = b.node("act2", "hard_swish", {y});
        Value z = b.relu("relu", b.linear("reduce", b.global_avg_pool("pool", y), {.out = 8}));
        z = b.node("gate", "hard_sigmoid", {b.linear("expand", z, {.out = 24})});
        y = b.conv("conv3", b.node("se", "scale", {y, z}), {.out = 8, .kernel = 1});
        return b.add("add", {x, b.batch_norm("bn3", y)});
      },
      type);
}

TEST_CASE("groups must divide the channels, in every architecture") {
  const auto refusal = [](const std::function<void(SpaceBuilder&, Value)>& build) {
    SpaceBuilder b({}, {});
    try {
      build(b, b.input("x", {8, 7, 7}));
    } catch (const std::logic_error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  CHECK_THAT(refusal([](auto& b, Value x) { b.conv("y", x, {.out = 8, .groups = 3}); }),
             Catch::Contains("node 'y' (conv2d): groups must divide the channels in and out"));
  CHECK_THAT(refusal([](auto& b, Value x) { b.conv("y", x, {.out = 6, .groups = 8}); }),
             Catch::Contains("groups must divide the channels in and out"));
  CHECK_THAT(refusal([](auto& b, Value x) {
               b.conv("y", x, {.out = 8, .groups = b.choice("groups", {1, 2, 3})});
             }),
             Catch::Contains("in every architecture"));
  CHECK(refusal([](auto& b, Value x) {
          b.conv("y", x, {.out = 8, .groups = b.choice("groups", {1, 2, 4})});
        }) == "none");
}
