#include "engine/fusion.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/channels.hpp"
#include "engine/mixing.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "needs.hpp"
#include "poisoned.hpp"
#include "relative_error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using supernet::test::relative_error;

namespace {

spaces::GraphNode node_of(const std::string& op, std::map<std::string, std::int64_t> attributes) {
  spaces::GraphNode node;
  node.name = node.op = op;
  node.inputs = {0};
  node.attributes = std::move(attributes);
  return node;
}

/// Values and gradients of one call of an op, for one network or for several side by side: inputs
/// and value are folded, weights of several lead with them.
struct Answer {
  at::Tensor value;
  std::vector<at::Tensor> gradients;  ///< of inputs, then of weights
};

Answer ask(spaces::GraphNode node, std::vector<at::Tensor> inputs,
           const std::map<std::string, at::Tensor>& weights, const at::Tensor& gradient,
           std::int64_t networks = 1) {
  std::vector<at::Tensor> leaves, rows, own;
  for (const auto& input : inputs) {
    leaves.push_back(input.detach().requires_grad_());
    rows.push_back(unfolded(leaves.back(), networks));
  }
  for (const auto& [role, weight] : weights) {
    leaves.push_back(weight.detach().requires_grad_());
    own.push_back(networks == 1 ? leaves.back().unsqueeze(0) : leaves.back());
    node.weights.push_back(
        {role, role, own.back()[0].sizes().vec(), own.back()[0].sizes().vec(), {}});
  }
  Answer answer;
  const Mode mode;
  answer.value = folded(op_kernels().at(node.op)({node, rows, own, mode, rows[0], networks, {}}));
  answer.gradients = torch::autograd::grad({answer.value}, leaves, {gradient.to(answer.value)});
  return answer;
}

at::Tensor activations(at::IntArrayRef sizes) {
  return (at::randn(sizes) * 1.5 + 3).to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

TEST_CASE("a fused graph computes what the graph does, in fewer nodes") {
  at::NoGradGuard guard;
  const auto [name, options, fewer] =
      GENERATE(table<std::string, std::map<std::string, std::string>, std::size_t>(
          {{"resnet-pooling", {{"width", "4"}, {"layers", "5"}, {"poolings", "1"}}, 13},
           {"resnet-elastic", {}, 1},
           {"nasbench201", {{"channels", "4"}, {"cells", "1"}}, 1}}));
  const auto space = spaces::Space::make(name, spaces::image_task({3, 16, 16}, 10), options);
  const Supernet supernet(space, {.kind = "plain", .copies = 1}, 1);
  const at::Tensor images = at::randn({4, 3, 16, 16});
  core::Stream stream(1, "architectures");
  for (int i = 0; i < 5; ++i) {
    const auto genotype = space.random(stream);
    const auto graph = space.bind(genotype);
    const auto smaller = fused(graph);
    CHECK(smaller.nodes.size() <= graph.nodes.size());
    if (name != "nasbench201") CHECK(smaller.nodes.size() + fewer <= graph.nodes.size());
    for (std::size_t node = 0; node < smaller.nodes.size(); ++node)
      for (const int input : smaller.nodes[node].inputs) CHECK(input < static_cast<int>(node));
    NormStats stats, stats_of_smaller;
    for (const auto mode : {NormMode::batch, NormMode::calibrate, NormMode::stored})
      CHECK(at::equal(supernet.forward(smaller, genotype, images, mode, &stats_of_smaller),
                      supernet.forward(graph, genotype, images, mode, &stats)));
  }
}

TEST_CASE("batch norm with what follows it, on the GPU, is that of double precision", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto [batch, channels, side] = GENERATE(table<int, int, int>(
      {{4, 8, 3}, {128, 64, 32}, {7, 576, 5}, {2, 2304, 4}, {16, 88, 7}, {64, 16, 1}}));
  const bool relu = GENERATE(false, true), residual = GENERATE(false, true);
  CAPTURE(batch, channels, side, relu, residual);
  at::manual_seed(1);
  spaces::GraphNode node = node_of("batch_norm", {});
  node.reals["epsilon"] = 1e-5;
  if (relu) node.attributes["relu"] = 1;
  std::vector<at::Tensor> inputs{activations({batch, channels, side, side})};
  if (residual) inputs.push_back(activations({batch, channels, side, side}) - 3);
  const std::map<std::string, at::Tensor> weights{{"weight", at::randn({channels})},
                                                  {"bias", at::randn({channels})}};
  const at::Tensor gradient = activations({batch, channels, side, side}) - 3;
  auto on_device = inputs, exact = inputs;
  for (auto& input : on_device) input = input.cuda();
  for (auto& input : exact) input = input.to(at::kDouble);
  auto weights_on_device = weights, exact_weights = weights;
  for (auto& [role, weight] : weights_on_device) weight = weight.cuda();
  for (auto& [role, weight] : exact_weights) weight = weight.to(at::kDouble);
  const auto found = ask(node, on_device, weights_on_device, gradient.cuda());
  const auto expected = ask(node, exact, exact_weights, gradient);
  CHECK(found.value.scalar_type() == at::kBFloat16);
  CHECK(relative_error(found.value, expected.value) < 5e-3);
  for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_error(found.gradients[i], expected.gradients[i]) < 1e-2);
  }
}

TEST_CASE("channels are parted and joined on the GPU as LibTorch does", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto type = GENERATE(at::kBFloat16, at::kFloat);
  const int channels = GENERATE(8, 16, 6);  // 6: no whole 16 bytes, LibTorch's own ops
  const auto a = activations({4, 5 * channels, 6, 6}).to(type),
             b = activations({4, 130 * channels, 6, 6}).to(type);
  std::vector<at::Tensor> values, gradients;
  for (const bool ours : {true, false}) {
    const at::Tensor x = a.cuda().requires_grad_(), y = b.cuda().requires_grad_();
    const auto of_x = ours ? split_channels(x, 5) : x.split(channels, 1);
    auto parts = ours ? split_channels(y, 130) : y.split(channels, 1);
    parts.insert(parts.begin() + 7, {of_x[4], of_x[1]});
    parts.erase(parts.begin() + 20, parts.begin() + 22);
    const at::Tensor joined = ours ? join_channels(parts) : at::cat(parts, 1);
    values.push_back(joined);
    const auto found = torch::autograd::grad({(joined * joined).sum() + of_x[0].sum()}, {x, y});
    gradients.insert(gradients.end(), found.begin(), found.end());
  }
  CHECK(at::equal(values[0], values[1]));
  CHECK(at::equal(gradients[0], gradients[2]));
  CHECK(at::equal(gradients[1], gradients[3]));
}

TEST_CASE("gradients of mixed weights are those of the formula, shared mixes and slices included") {
  // Slots of one mix: a weight, a slice of it, and a norm's; one more has a mix of its own.
  const bool by_neuron = GENERATE(false, true);
  const std::vector<spaces::Crop> crops(4, spaces::Crop::leading);
  const std::vector<spaces::WeightRef> refs{{"w", "a", {6, 5, 3, 3}, {6, 5, 3, 3}, crops},
                                            {"w", "b", {6, 5, 3, 3}, {4, 3, 3, 3}, crops},
                                            {"w", "c", {6}, {6}, {spaces::Crop::leading}},
                                            {"w", "d", {6, 300}, {6, 300}, {crops[0], crops[0]}}};
  const std::vector<int> mix_of{0, 0, 0, 1};
  std::vector<const spaces::WeightRef*> asked;
  std::vector<SlotCopies> slots;
  std::vector<at::Tensor> leaves, mixes;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    std::vector<std::int64_t> full{2, 3};
    full.insert(full.end(), refs[i].full.begin(), refs[i].full.end());
    leaves.push_back(at::randn(full, at::kDouble).requires_grad_());
    slots.push_back({leaves[i], mix_of[i]});
    asked.push_back(&refs[i]);
  }
  for (int i = 0; i < 2; ++i) {
    const at::Tensor logits =
        by_neuron ? at::randn({2, 6, 3}, at::kDouble) : at::randn({2, 3}, at::kDouble);
    mixes.push_back(at::softmax(logits, -1).requires_grad_());
    leaves.push_back(mixes.back());
  }
  const auto mixed = mixed_weights(slots, asked, mixes);
  // The last slot but one is not used: its copies have no gradient, and nothing for the mix.
  std::vector<at::Tensor> given;
  for (const auto& value : mixed) given.push_back(at::randn(value.sizes(), at::kDouble));
  const auto found =
      torch::autograd::grad({mixed[0], mixed[1], mixed[3]}, leaves, {given[0], given[1], given[3]},
                            std::nullopt, false, true);
  CHECK_FALSE(found[2].defined());
  std::vector<at::Tensor> of_mixes{at::zeros_like(mixes[0]), at::zeros_like(mixes[1])};
  for (const std::size_t slot : {0, 1, 3}) {
    const auto own = static_cast<std::size_t>(mix_of[slot]);
    at::Tensor expected = at::zeros_like(leaves[slot]);
    for (std::int64_t network = 0; network < 2; ++network)
      for (std::int64_t row = 0; row < refs[slot].active[0]; ++row) {
        const at::Tensor r = by_neuron ? mixes[own][network][row] : mixes[own][network];
        const at::Tensor gradient = given[slot][network][row];
        for (std::int64_t i = 0; i < 3; ++i) {
          at::Tensor part = leaves[slot][network][i][row], of_part = expected[network][i][row];
          for (std::int64_t axis = 0; axis < gradient.dim(); ++axis) {
            part = part.narrow(axis, 0, gradient.size(axis));
            of_part = of_part.narrow(axis, 0, gradient.size(axis));
          }
          of_part.copy_(gradient * r[i] / r.square().sum());
          const at::Tensor product = (gradient * part).sum();
          (by_neuron ? of_mixes[own][network][row][i] : of_mixes[own][network][i]) += product;
        }
      }
    CHECK(relative_error(found[slot], expected) < 1e-12);
  }
  for (std::size_t i = 0; i < 2; ++i) CHECK(relative_error(found[4 + i], of_mixes[i]) < 1e-12);
}

namespace {

/// What weights are asked for, of one bank.
struct Asked {
  std::vector<spaces::WeightRef> refs;
  std::vector<std::size_t> bank_of;  ///< by reference
  std::vector<int> mix_of;           ///< likewise
  std::vector<at::Tensor> banks, mixes, given;

  void add(std::vector<std::int64_t> full, std::vector<std::int64_t> active, int mix,
           spaces::Crop crop = spaces::Crop::leading) {
    std::vector<std::int64_t> sizes{3, mix < 0 && banks.size() % 2 == 0 ? 1 : mixes[0].size(-1)};
    sizes.insert(sizes.end(), full.begin(), full.end());
    banks.push_back(at::randn(sizes));
    again(std::move(full), std::move(active), mix, crop);
  }
  /// Another reader of the last bank.
  void again(std::vector<std::int64_t> full, std::vector<std::int64_t> active, int mix,
             spaces::Crop crop = spaces::Crop::leading) {
    std::vector<spaces::Crop> crops(full.size(), spaces::Crop::leading);
    if (full.size() == 4) crops[2] = crops[3] = crop;
    auto sizes = active;
    sizes.insert(sizes.begin(), 3);
    given.push_back(at::randn(sizes).to(at::kBFloat16).to(at::kFloat));
    refs.push_back({"weight", "slot", std::move(full), std::move(active), std::move(crops)});
    bank_of.push_back(banks.size() - 1);
    mix_of.push_back(mix);
  }

  /// Weights, then the gradients of banks and mixes.
  std::pair<std::vector<at::Tensor>, std::vector<at::Tensor>> on(const std::string& device,
                                                                 bool bfloat16) const {
    const auto leaf = [&](const at::Tensor& tensor) {
      return tensor.to(at::Device(device)).detach().requires_grad_();
    };
    std::vector<at::Tensor> leaves, on_mixes;
    for (const auto& bank : banks) leaves.push_back(leaf(bank));
    for (const auto& mix : mixes) on_mixes.push_back(leaf(mix));
    std::vector<SlotCopies> slots;
    std::vector<const spaces::WeightRef*> wanted;
    for (std::size_t i = 0; i < refs.size(); ++i) {
      slots.push_back({leaves[bank_of[i]], mix_of[i], bfloat16 && refs[i].full.size() > 1});
      wanted.push_back(&refs[i]);
    }
    leaves.insert(leaves.end(), on_mixes.begin(), on_mixes.end());
    const auto weights = mixed_weights(slots, wanted, on_mixes);
    std::vector<at::Tensor> gradients;
    for (std::size_t i = 0; i < weights.size(); ++i)
      gradients.push_back(given[i].to(weights[i].options()));
    return {weights, torch::autograd::grad(weights, leaves, gradients)};
  }
};

}  // namespace

TEST_CASE("weights out of copies on the GPU, and the gradients of these, are those of the CPU",
          "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const std::int64_t copies = GENERATE(2, 5);
  const bool by_neuron = GENERATE(false, true), bfloat16 = GENERATE(false, true);
  const int repeats = GENERATE(1, 60);  // more slots than one kernel takes
  CAPTURE(copies, by_neuron, bfloat16, repeats);
  at::manual_seed(1);
  Asked asked;
  for (int mix = 0; mix < repeats; ++mix)
    asked.mixes.push_back(
        at::softmax(by_neuron ? at::randn({3, 16, copies}) : at::randn({3, copies}), -1));
  for (int mix = 0; mix < repeats; ++mix) {
    asked.add({16, 8, 3, 3}, {16, 8, 3, 3}, mix);
    asked.add({16}, {16}, mix);
    asked.add({16, 300}, {10, 300}, mix);
    asked.add({16, 1, 1, 1}, {16, 1, 1, 1}, mix);
    asked.add({12, 37}, {11, 29}, mix);  // of fewer rows than the mix has
  }
  asked.add({16, 9, 5, 5}, {13, 7, 3, 3}, 0, spaces::Crop::centred);
  asked.add({16, 8, 7, 8}, {16, 8, 5, 4}, 0, spaces::Crop::centred);
  for (const int mix : {0, -1}) {  // a table of three widths
    asked.add({16, 640}, {16, 512}, mix);
    asked.again({16, 640}, {16, 640}, mix);
    asked.again({16, 640}, {7, 384}, mix);
  }
  for (int i = 0; i < 2; ++i) {  // of one copy, and of several
    asked.add({40, 24}, {33, 20}, -1);
    asked.add({40, 24}, {40, 24}, -1);
    asked.add({40}, {39}, -1);
  }
  const Poisoned poisoned;
  const auto [found, found_gradients] = asked.on("cuda", bfloat16);
  const auto [expected, expected_gradients] = asked.on("cpu", bfloat16);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool rounded = bfloat16 && asked.refs[i].full.size() > 1;
    CAPTURE(i);
    CHECK(found[i].scalar_type() == (rounded ? at::kBFloat16 : at::kFloat));
    CHECK(relative_error(found[i], expected[i]) < (rounded ? 4e-3 : 1e-6));
  }
  for (std::size_t i = 0; i < expected_gradients.size(); ++i) {
    CAPTURE(i);
    REQUIRE(found_gradients[i].sizes() == expected_gradients[i].sizes());
    CHECK(relative_error(found_gradients[i], expected_gradients[i]) < 1e-5);
  }
}

TEST_CASE("narrow convolutions of several networks are those of each", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const std::int64_t networks = GENERATE(2, 6, 8), inputs = GENERATE(3, 8);
  const spaces::GraphNode node = node_of("conv2d", {{"kernel", 3}, {"stride", 1}});
  const at::Tensor x = at::randn({2, networks * inputs, 7, 7}, at::kDouble);
  const at::Tensor weight = at::randn({networks, 5, inputs, 3, 3}, at::kDouble);
  const at::Tensor gradient = at::randn({2, networks * 5, 7, 7}, at::kDouble);
  const auto on_cpu = ask(node, {x}, {{"weight", weight}}, gradient, networks);
  {  // in bfloat16 the weights are packed by a kernel of their own
    const auto in = [](const at::Tensor& tensor, at::MemoryFormat layout) {
      return tensor.to(at::kCUDA, at::kFloat).contiguous(layout);
    };
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
    const auto packed = ask(node, {in(x, at::MemoryFormat::ChannelsLast)},
                            {{"weight", weight.to(at::kCUDA, at::kFloat)}},
                            in(gradient, at::MemoryFormat::Contiguous), networks);
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
    CHECK(packed.value.scalar_type() == at::kBFloat16);
    CHECK(relative_error(packed.value, on_cpu.value) < 1e-2);
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(relative_error(packed.gradients[i], on_cpu.gradients[i]) < 1e-2);
  }
  const auto on_device =
      ask(node, {x.cuda()}, {{"weight", weight.cuda()}}, gradient.cuda(), networks);
  CHECK(relative_error(on_device.value, on_cpu.value) < 1e-10);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(relative_error(on_device.gradients[i], on_cpu.gradients[i]) < 1e-10);
}

TEST_CASE("depthwise convolutions of several networks on the GPU are those of the CPU", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const std::int64_t networks = GENERATE(2, 6), stride = GENERATE(1, 2);
  const spaces::GraphNode node =
      node_of("conv2d", {{"kernel", 5}, {"stride", stride}, {"groups", 8}});
  const at::Tensor x = at::randn({2, networks * 8, 7, 7}, at::kDouble);
  const at::Tensor weight = at::randn({networks, 8, 1, 5, 5}, at::kDouble);
  const std::int64_t side = (7 + stride - 1) / stride;
  const at::Tensor gradient = at::randn({2, networks * 8, side, side}, at::kDouble);
  const auto on_cpu = ask(node, {x}, {{"weight", weight}}, gradient, networks);
  const auto on_device =
      ask(node, {x.cuda()}, {{"weight", weight.cuda()}}, gradient.cuda(), networks);
  CHECK(relative_error(on_device.value, on_cpu.value) < 1e-10);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(relative_error(on_device.gradients[i], on_cpu.gradients[i]) < 1e-10);
}
