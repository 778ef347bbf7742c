// What a space can say and is not run yet is refused, not left out.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/joint.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using Catch::Contains;

namespace {

/// A linear layer of two widths on an image's pixels; option `balance`: with an auxiliary loss.
void build(spaces::SpaceBuilder& b) {
  const auto& [input, classes] = b.task();
  const auto images = b.input("image", {input[0], input[1], input[2]});
  const auto x = b.conv("conv", images, {.out = b.choice("width", {2, 4}), .kernel = 3});
  const auto pooled = b.global_avg_pool("pool", x);
  b.entry("forward", {images}, {b.linear("classifier", pooled, {.out = classes})});
  if (b.option("balance", 0, 0, 1) == 1) b.auxiliary_loss("balance", pooled, 0.01);
  if (b.option("memory", 0, 0, 1) == 1) {
    const auto memory = b.state("memory", {4});
    b.entry("step", {memory}, {b.linear("next", memory, {.out = 4})});
    b.update_state("step", memory, memory);
  }
}

const core::Registered kEntry{spaces::space_types(), "test-runnable", "for the tests",
                              spaces::SpaceType{.build = build, .text = nullptr, .parse = nullptr}};

spaces::Space space_with(const std::string& option) {
  return spaces::Space::make("test-runnable", {{1, 8, 8}, 10}, {{option, "1"}});
}

}  // namespace

TEST_CASE("a space with an auxiliary loss is described, and its training is refused") {
  const auto space = space_with("balance");
  CHECK(spaces::count_parameters(space.bind(space.smallest())) > 0);
  const std::string refusal =
      "the space adds the auxiliary loss 'balance' to what is trained, and training does not add "
      "it yet: leave auxiliary_loss() out of the space, or train it elsewhere";
  CHECK_THROWS_WITH(Supernet(space, {.kind = "plain", .experts = 1}, 1), refusal);
  CHECK_THROWS_WITH(fresh_subnet(space, space.smallest(), 1), refusal);
  auto subnet = random_subnet(space.bind(space.smallest()), 1);
  CHECK_THROWS_WITH(subnet_trainee(subnet), refusal);
  Subnet* const members[] = {&subnet};
  CHECK_THROWS_WITH(joint_subnets(members, {0}), refusal);
  // What it computes is not touched by how it is trained.
  CHECK(subnet.forward(at::zeros({2, 1, 8, 8})).sizes() == at::IntArrayRef({2, 10}));
}

TEST_CASE("an entry point that keeps a state is described, and not run without it") {
  const auto space = space_with("memory");
  const std::string refusal =
      "entry point 'step' keeps the state 'memory' between calls, and the executor does not keep "
      "it yet: make the state an input and an output of the entry point";
  CHECK_THROWS_WITH(Supernet(space, {.kind = "plain", .experts = 1}, 1), refusal);
  const auto graph = space.bind(space.smallest());
  const auto subnet = random_subnet(graph, 1);
  const at::Tensor input = at::zeros({2, 4});
  const WeightSource weights = [&](const spaces::WeightRef& ref) {
    return subnet.weights().at(ref.slot);
  };
  CHECK_THROWS_WITH(execute(graph, "step", {&input, 1}, weights, NormMode::batch, nullptr),
                    refusal);
  CHECK(subnet.forward(at::zeros({2, 1, 8, 8})).sizes() == at::IntArrayRef({2, 10}));
}
