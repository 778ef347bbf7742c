// What holds for every program of a space, over random ones: networks side by side compute what
// each computes alone, and a fused graph what the graph does.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include "mosaic/supernet/engine/program.hpp"
#include "mosaic/supernet/training/trainee.hpp"
#include "random_space.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

constexpr int kPrograms = 40;

/// Each of the networks alone, of inputs [networks, batch, ...].
template <class Network, class Make>
void check_alone(const at::Tensor& together, const std::vector<Network*>& networks,
                 const spaces::Genotype& genotype, const at::Tensor& images, const Mode& mode,
                 const Make& make) {
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const auto alone =
        make(*networks[i])->forward(genotype, images.narrow(0, row, 1), mode).values[0];
    CAPTURE(i);
    CHECK(at::allclose(together.narrow(0, row, 1), alone, 1e-3, 1e-4));
  }
}

}  // namespace

TEST_CASE("random programs: networks side by side compute what each computes alone") {
  const at::NoGradGuard guard;
  const Mode mode{.norm = NormMode::batch, .training = true};
  for (int seed = 0; seed < kPrograms; ++seed) {
    CAPTURE(seed);
    const auto space = random_space::make(seed);
    core::Stream stream(static_cast<std::uint64_t>(seed), "architectures");
    const at::Tensor images = at::randn({3, 4, 3, 8, 8});
    // Supernets of one architecture, with mixtures of their own.
    const SharingSettings sharing{
        .kind = seed % 2 == 0 ? "layer-wise" : "neuron-wise", .copies = 2, .hidden = 4};
    std::vector<std::unique_ptr<Supernet>> supernets;
    std::vector<Supernet*> members;
    for (std::uint64_t i = 0; i < 3; ++i) {
      supernets.push_back(std::make_unique<Supernet>(space, sharing, i));
      members.push_back(supernets.back().get());
    }
    const auto genotype = space.random(stream);
    check_alone(supernet_trainee(members, {}, 1)->forward(genotype, images, mode).values[0],
                members, genotype, images, mode,
                [](Supernet& alone) { return supernet_trainee(alone, {}, 1); });
    // Networks of architectures of their own.
    std::vector<Subnet> subnets;
    std::vector<Subnet*> networks;
    for (std::uint64_t i = 0; i < 3; ++i)
      subnets.push_back(fresh_subnet(space, space.random(stream), i));
    for (auto& subnet : subnets) networks.push_back(&subnet);
    check_alone(subnet_trainee(networks)->forward({}, images, mode).values[0], networks, {}, images,
                mode, [](Subnet& alone) { return subnet_trainee(alone); });
  }
}

TEST_CASE("random programs: a fused graph computes what the graph does") {
  const at::NoGradGuard guard;
  std::size_t fewer = 0;
  for (int seed = 0; seed < kPrograms; ++seed) {
    CAPTURE(seed);
    const auto space = random_space::make(seed);
    core::Stream stream(static_cast<std::uint64_t>(seed), "architectures");
    const auto graph = space.bind(space.random(stream));
    const auto subnet = random_subnet(graph, static_cast<std::uint64_t>(seed));
    const spaces::Graph* const one[] = {&graph};
    const at::Tensor images = at::randn({1, 4, 3, 8, 8});
    std::vector<at::Tensor> values;
    std::vector<std::size_t> steps;
    for (const bool fused : {false, true}) {
      const auto program = Program::compile(one, "forward", /*training=*/fused);
      std::vector<at::Tensor> weights;
      for (const auto& weight : program.weights())
        weights.push_back(subnet.weights().at(weight.ref.slot).unsqueeze(0));
      values.push_back(run(program, images, weights, {.norm = NormMode::batch}).values[0]);
      steps.push_back(program.steps().size());
    }
    CHECK(at::equal(values[0], values[1]));
    CHECK(steps[1] <= steps[0]);
    fewer += steps[0] - steps[1];
  }
  CHECK(fewer > 0);
}
