// Runs over every registered op: specification and kernel agree, and so do gradients and finite
// differences.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "mosaic/core/files.hpp"
#include "mosaic/spaces/builder.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"
#include "mosaic/supernet/engine/executor.hpp"

using namespace mosaic;
using spaces::SpaceBuilder;
using spaces::Value;

namespace {

/// Inputs that the uses below choose from: an image [2, 6, 6], and numbers of tokens [5] below 7.
struct Given {
  Value image, tokens;
  /// Four patches of the image as [4, 6].
  Value patches(SpaceBuilder& b) const {
    return b.node(
        "patches", "patch_embedding", {image}, {{"patch", 3}, {"out", 6}},
        {b.weight("weight", "patches.weight", {6, 2, 3, 3},
                  std::vector<spaces::Crop>(4, spaces::Crop::leading), spaces::Init::xavier, ""),
         b.weight("bias", "patches.bias", {6}, {spaces::Crop::leading}, spaces::Init::zeros, "")});
  }
};

/// A use of each op, built with the SpaceBuilder, and more of some ("op, what differs"). A new op
/// needs one line here.
const std::map<std::string, std::function<Value(SpaceBuilder&, const Given&)>>& uses() {
  const auto of_patches = [](const std::string& op,
                             const std::map<std::string, spaces::Extent>& attributes = {},
                             const std::map<std::string, double>& reals = {}) {
    return [=](SpaceBuilder& b, const Given& in) {
      return b.node("y", op, {in.patches(b)}, attributes, {}, reals);
    };
  };
  static const std::map<std::string, std::function<Value(SpaceBuilder&, const Given&)>> table = {
      {"input", [](SpaceBuilder&, const Given& in) { return in.image; }},
      {"select",
       [](SpaceBuilder& b, const Given& in) {
         return b.when(1, in.image, [&] { return b.relu("y", in.image); });
       }},
      {"zeros", [](SpaceBuilder& b, const Given& in) { return b.zeros("y", in.image); }},
      {"identity", [](SpaceBuilder& b, const Given& in) { return b.identity("y", in.image); }},
      {"relu", [](SpaceBuilder& b, const Given& in) { return b.relu("y", in.image); }},
      {"add",
       [](SpaceBuilder& b, const Given& in) {
         return b.add("y", {in.image, b.relu("r", in.image), in.image});
       }},
      {"batch_norm", [](SpaceBuilder& b, const Given& in) { return b.batch_norm("y", in.image); }},
      {"conv2d",
       [](SpaceBuilder& b, const Given& in) {
         return b.conv("y", in.image, {.out = 3, .kernel = 3, .stride = 2, .bias = true});
       }},
      {"conv2d, depthwise",
       [](SpaceBuilder& b, const Given& in) {
         return b.conv("y", in.image, {.out = 2, .kernel = 5, .stride = 2, .groups = 2});
       }},
      {"conv2d, grouped",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = b.conv("first", in.image, {.out = 4, .kernel = 1});
         return b.conv("y", x, {.out = 6, .kernel = 3, .groups = 2, .bias = true});
       }},
      {"linear",
       [](SpaceBuilder& b, const Given& in) {
         return b.linear("y", b.global_avg_pool("p", in.image), {.out = 3});
       }},
      {"avg_pool",
       [](SpaceBuilder& b, const Given& in) { return b.avg_pool("y", in.image, 3, 1, 1); }},
      {"max_pool",
       [](SpaceBuilder& b, const Given& in) { return b.max_pool("y", in.image, 2, 2, 0); }},
      {"global_avg_pool",
       [](SpaceBuilder& b, const Given& in) { return b.global_avg_pool("y", in.image); }},
      {"patch_embedding", [](SpaceBuilder& b, const Given& in) { return in.patches(b); }},
      {"embedding",
       [](SpaceBuilder& b, const Given& in) { return embedding(b, "y", in.tokens, 4, 7); }},
      {"token_mask",
       [](SpaceBuilder& b, const Given& in) { return b.node("y", "token_mask", {in.tokens}); }},
      {"positions",
       [](SpaceBuilder& b, const Given& in) { return positions(b, "y", in.patches(b), 9); }},
      {"sinusoid", of_patches("sinusoid", {{"width", 6}, {"first", 2}})},
      {"rotary", of_patches("rotary", {{"heads", 1}}, {{"base", 100}})},
      {"layer_norm",
       [](SpaceBuilder& b, const Given& in) { return layer_norm(b, "y", in.patches(b)); }},
      {"rms_norm",
       [](SpaceBuilder& b, const Given& in) { return rms_norm(b, "y", in.patches(b)); }},
      {"gelu", of_patches("gelu")},
      {"silu", of_patches("silu")},
      {"hard_swish",
       [](SpaceBuilder& b, const Given& in) { return b.node("y", "hard_swish", {in.image}); }},
      {"hard_sigmoid", of_patches("hard_sigmoid")},
      {"scale",
       [](SpaceBuilder& b, const Given& in) {
         return b.node("y", "scale", {in.image, b.global_avg_pool("p", in.image)});
       }},
      {"tanh", of_patches("tanh")},
      {"multiply",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = in.patches(b);
         return b.node("y", "multiply", {x, b.node("t", "tanh", {x})});
       }},
      {"dropout", of_patches("dropout", {}, {{"p", 0.5}})},
      {"attention",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = in.patches(b);
         const Value memory = embedding(b, "e", in.tokens, 6, 7);
         return attention(b, "y", x, memory, {.heads = 4, .head_size = 3, .kv_heads = 2},
                          b.node("mask", "token_mask", {in.tokens}));
       }},
      {"relative_attention",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = class_token(b, "token", in.patches(b));
         return attention(b, "y", x, x,
                          {.heads = 2,
                           .head_size = 3,
                           .grid = spaces::Grid{.rows = 2, .columns = 2, .class_token = true}});
       }},
      {"relative_attention, distances clamped",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = in.patches(b);
         return attention(
             b, "y", x, x,
             {.heads = 2,
              .head_size = 3,
              .grid = spaces::Grid{.rows = 4, .columns = 1, .distance = 1}});
       }},
      {"prepend_token",
       [](SpaceBuilder& b, const Given& in) { return class_token(b, "y", in.patches(b)); }},
      {"mean_tokens",
       [](SpaceBuilder& b, const Given& in) {
         return b.node(
             "y", "mean_tokens",
             {embedding(b, "e", in.tokens, 4, 7), b.node("mask", "token_mask", {in.tokens})});
       }},
      {"mean_tokens, but the first", of_patches("mean_tokens", {{"skip", 1}})},
      {"first_token", of_patches("first_token")},
      {"concatenate_length",
       [](SpaceBuilder& b, const Given& in) {
         const Value x = in.patches(b), y = b.node("t", "tanh", {x});
         return b.node("y", "concatenate_length", {x, y, y}, {{"count", 2}});
       }},
      {"append_length", [](SpaceBuilder& b, const Given& in) {
         const Value x = in.patches(b);
         return b.node("y", "append_length", {x, b.node("t", "tanh", {x})});
       }}};
  return table;
}

struct Use {
  spaces::Graph graph;
  std::map<std::string, at::Tensor> weights;

  explicit Use(const std::string& op) {
    SpaceBuilder b({}, {});
    const Given in{b.input("x", {2, 6, 6}), b.input("tokens", {5}, spaces::DataType::int64)};
    b.entry("forward", {in.image, in.tokens}, {uses().at(op)(b, in)});
    graph = spaces::bind(b.finish(), {});
    auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
    for (const auto& node : graph.nodes)
      for (const auto& ref : node.weights)
        weights[ref.slot] = at::randn(ref.active, generator, at::kDouble);
  }

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor tokens =
        at::tensor({3, 1, 6, 2, 4, 5, 5, 0, 0, 0, 1, 2, 3, 0, 0}, at::kLong).view({3, 5});
    return supernet::execute(
        graph, "forward", supernet::NamedTensors{{"x", x}, {"tokens", tokens}},
        [this](const spaces::WeightRef& ref) { return weights.at(ref.slot); },
        supernet::NormMode::batch, nullptr)[0];
  }
};

at::Tensor random_input() {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(9);
  return at::randn({3, 2, 6, 6}, generator, at::kDouble);
}

/// A fixed scalar function of an output, so that gradients can be compared.
at::Tensor scalar(const at::Tensor& y) {
  const at::Tensor weights = at::arange(1, y.numel() + 1, at::kDouble).view(y.sizes()).sin();
  return (y.to(at::kDouble) * weights).sum();
}

}  // namespace

TEST_CASE("every op has a use in this test, and a kernel unless bind resolves it") {
  for (const auto& name : spaces::ops().names()) {
    INFO("add one line for op '" << name << "' to uses() in " << __FILE__);
    REQUIRE(uses().count(name) == 1);
    if (name != "input" && name != "select") REQUIRE(supernet::op_kernels().contains(name));
  }
  for (const auto& name : supernet::op_kernels().names()) REQUIRE(spaces::ops().contains(name));
}

TEST_CASE("every op is known to the Python module that runs extracted networks") {
  const auto source = core::read_file(std::string(std::getenv("MOSAIC_SOURCE_DIR")) +
                                      "/python/mosaic_nas/subnet.py");
  for (const auto& name : spaces::ops().names())
    if (name != "input" && name != "select") {
      INFO(name);
      CHECK(source.find('"' + name + '"') != std::string::npos);
    }
}

TEST_CASE("every op: the kernel gives the shape that the specification infers") {
  for (const auto& [name, build] : uses()) {
    INFO(name);
    const Use use(name);
    const at::Tensor y = use(random_input());
    const auto& node = use.graph.nodes[static_cast<std::size_t>(use.graph.entry().outputs[0])];
    std::vector<std::int64_t> expected{3};
    for (const auto& dim : node.shape) expected.push_back(dim.value());
    REQUIRE(y.sizes() == at::IntArrayRef(expected));
  }
}

TEST_CASE("every op: gradients agree with finite differences") {
  constexpr double kStep = 1e-6;
  for (const auto& [name, build] : uses()) {
    INFO(name);
    Use use(name);
    at::Tensor x = random_input();
    std::vector<at::Tensor> leaves{x};
    for (auto& [slot, weight] : use.weights) leaves.push_back(weight);
    for (auto& leaf : leaves) leaf.requires_grad_();
    const at::Tensor y = use(x);
    if (!y.requires_grad()) continue;  // zeros, masks
    scalar(y).backward();
    at::NoGradGuard guard;
    for (auto& leaf : leaves) {
      if (!leaf.grad().defined()) continue;  // an image that this op does not see
      const at::Tensor gradient = leaf.grad().contiguous().view(-1);
      at::Tensor flat = leaf.view(-1);
      for (std::int64_t i = 0; i < flat.numel();
           i += std::max<std::int64_t>(1, flat.numel() / 23)) {
        const double kept = flat[i].item<double>();
        flat[i] = kept + kStep;
        const double above = scalar(use(x)).item<double>();
        flat[i] = kept - kStep;
        const double below = scalar(use(x)).item<double>();
        flat[i] = kept;
        REQUIRE(gradient[i].item<double>() ==
                Approx((above - below) / (2 * kStep)).margin(1e-5).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("hard activations and scale agree with their definitions") {
  const at::Tensor x = random_input() * 3;  // beyond both kinks too
  const auto gate = [](double value) { return std::min(std::max(value + 3, 0.0), 6.0) / 6; };
  const auto given = x.accessor<double, 4>();
  const at::Tensor swish = Use("hard_swish")(x), scaled = Use("scale")(x);
  for (int n = 0; n < 3; ++n)
    for (int c = 0; c < 2; ++c) {
      double mean = 0;
      for (int i = 0; i < 36; ++i) mean += given[n][c][i / 6][i % 6] / 36;
      for (int i = 0; i < 36; ++i) {
        const double value = given[n][c][i / 6][i % 6];
        REQUIRE(swish[n][c][i / 6][i % 6].item<double>() == Approx(value * gate(value)));
        REQUIRE(scaled[n][c][i / 6][i % 6].item<double>() == Approx(value * mean));
      }
    }
  const Use patches("patch_embedding"), sigmoid("hard_sigmoid");
  const at::Tensor before = patches(x), after = sigmoid(x);
  for (int i = 0; i < before.numel(); ++i)
    REQUIRE(after.flatten()[i].item<double>() == Approx(gate(before.flatten()[i].item<double>())));
}

TEST_CASE("convolution, pooling and normalisation agree with naive loops") {
  const at::Tensor x = random_input();
  const auto v = x.accessor<double, 4>();
  SECTION("convolution, stride 2, with bias") {
    const Use use("conv2d");
    const at::Tensor y = use(x);
    const auto w = use.weights.at("y.weight").accessor<double, 4>();
    const auto bias = use.weights.at("y.bias").accessor<double, 1>();
    for (int n = 0; n < 3; ++n)
      for (int o = 0; o < 3; ++o)
        for (int r = 0; r < 3; ++r)
          for (int c = 0; c < 3; ++c) {
            double sum = bias[o];
            for (int i = 0; i < 2; ++i)
              for (int kr = 0; kr < 3; ++kr)
                for (int kc = 0; kc < 3; ++kc) {
                  const int row = 2 * r + kr - 1;
                  const int column = 2 * c + kc - 1;
                  if (row >= 0 && row < 6 && column >= 0 && column < 6)
                    sum += w[o][i][kr][kc] * v[n][i][row][column];
                }
            REQUIRE(y[n][o][r][c].item<double>() == Approx(sum).margin(1e-12));
          }
  }
  SECTION("depthwise convolution, stride 2") {
    const Use use("conv2d, depthwise");
    const at::Tensor y = use(x);
    const auto w = use.weights.at("y.weight").accessor<double, 4>();
    REQUIRE(use.weights.at("y.weight").sizes() == at::IntArrayRef({2, 1, 5, 5}));
    for (int channel = 0; channel < 2; ++channel)
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 3; ++c) {
          double sum = 0;
          for (int kr = 0; kr < 5; ++kr)
            for (int kc = 0; kc < 5; ++kc) {
              const int row = 2 * r + kr - 2;
              const int column = 2 * c + kc - 2;
              if (row >= 0 && row < 6 && column >= 0 && column < 6)
                sum += w[channel][0][kr][kc] * v[1][channel][row][column];
            }
          REQUIRE(y[1][channel][r][c].item<double>() == Approx(sum).margin(1e-12));
        }
  }
  SECTION("average pooling does not count padding") {
    const at::Tensor y = Use("avg_pool")(x);
    const double corner = (v[0][0][0][0] + v[0][0][0][1] + v[0][0][1][0] + v[0][0][1][1]) / 4;
    REQUIRE(y[0][0][0][0].item<double>() == Approx(corner));
  }
  SECTION("maximum pooling") {
    const at::Tensor y = Use("max_pool")(x);
    const double largest = std::max({v[1][1][2][4], v[1][1][2][5], v[1][1][3][4], v[1][1][3][5]});
    REQUIRE(y[1][1][1][2].item<double>() == largest);
  }
  SECTION("batch normalisation over batch and space") {
    const Use use("batch_norm");
    const at::Tensor y = use(x);
    double mean = 0;
    double square = 0;
    for (int n = 0; n < 3; ++n)
      for (int r = 0; r < 6; ++r)
        for (int c = 0; c < 6; ++c) {
          mean += v[n][1][r][c] / 108;
          square += v[n][1][r][c] * v[n][1][r][c] / 108;
        }
    const double scale =
        use.weights.at("y.weight")[1].item<double>() / std::sqrt(square - mean * mean + 1e-5);
    REQUIRE(y[2][1][3][3].item<double>() ==
            Approx((v[2][1][3][3] - mean) * scale + use.weights.at("y.bias")[1].item<double>()));
  }
}
