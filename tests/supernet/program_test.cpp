// States, auxiliary losses, random numbers and the training flag: what a space can say is run.
#include "mosaic/supernet/engine/program.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include "mosaic/spaces/ops.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "small_task.hpp"
#include "training/gradient.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

/// An op that drops values while training.
const core::Registered kDrops{spaces::ops(), "test-drops",
                              "half of the values, doubled; all of them outside of training",
                              spaces::ops().at("relu")};
const core::Registered kDropsKernel{
    op_kernels(), "test-drops", "at::bernoulli", OpKernel([](const OpCall& call) {
      if (!call.mode.training) return call.inputs[0];
      return call.inputs[0] *
             at::empty_like(call.inputs[0]).bernoulli_(0.5, *call.mode.random).mul_(2);
    })};

/// A convolution of two widths and a classifier. Options: `balance`, an auxiliary loss, the mean of
/// the convolution's values, times this many hundredths; `lost`, one of what "forward" does not
/// read; `memory`, an entry point "step" whose state is added to and passed through a linear layer;
/// `drops`, dropout before the classifier.
void build(spaces::SpaceBuilder& b) {
  const auto task = spaces::image_shape(b.task());
  const auto images = b.input("image", task.image());
  const auto x = b.conv("conv", images, {.out = b.choice("width", {2, 4}), .kernel = 3});
  auto pooled = b.global_avg_pool("pool", x);
  if (b.option("drops", 0, 0, 1) == 1) pooled = b.node("drops", "test-drops", {pooled});
  b.entry("forward", {images}, {b.linear("classifier", pooled, {.out = task.classes})});
  if (const auto weight = b.option("balance", 0, 0, 100); weight > 0)
    b.auxiliary_loss("balance", pooled, static_cast<double>(weight) / 100);
  if (b.option("lost", 0, 0, 1) == 1)
    b.auxiliary_loss("lost", b.relu("unfed", b.input("elsewhere", {4})), 1);
  if (b.option("memory", 0, 0, 1) == 1) {
    const auto word = b.input("word", {4});
    const auto memory = b.state("memory", {4});
    const auto next = b.linear("next", b.add("sum", {memory, word}), {.out = 4});
    b.entry("step", {word}, {b.relu("answer", next)});
    b.update_state("step", memory, next);
  }
}

const core::Registered kEntry{spaces::space_types(), "test-program", "for the tests",
                              spaces::SpaceType{.build = build, .text = nullptr, .parse = nullptr}};

spaces::Space space_with(std::map<std::string, std::string> options) {
  return spaces::Space::make("test-program", spaces::image_task({1, 28, 28}, 10),
                             std::move(options));
}

/// Gradients of a batch by parameter name, summed over networks.
std::map<std::string, at::Tensor> gradients(Trainee& trainee, const tasks::Task& task) {
  Gradients gradients(trainee, task, {});
  const auto batch = training_batch(trainee, task, 0, 0, 32);
  const auto found = gradients.run({1}, batch, 1);
  std::map<std::string, at::Tensor> result;
  for (std::size_t i = 0; i < trainee.parameters().size(); ++i)
    result[trainee.parameters()[i].name] = found.gradients[i];
  return result;
}

}  // namespace

TEST_CASE("training adds auxiliary losses, with their weight, of one network and of several") {
  const auto task = test::small_task();
  const SharingSettings plain{.kind = "plain", .copies = 1};
  const auto without = space_with({}), tenth = space_with({{"balance", "10"}}),
             whole = space_with({{"balance", "100"}});
  for (const int networks : {1, 3}) {
    CAPTURE(networks);
    const auto gradients_of = [&](const spaces::Space& space) {
      std::vector<std::unique_ptr<Supernet>> nets;
      std::vector<Supernet*> members;
      for (int i = 0; i < networks; ++i) {
        nets.push_back(std::make_unique<Supernet>(space, plain, i + 1));
        members.push_back(nets.back().get());
      }
      return gradients(*supernet_trainee(members, {}, 7), *task);
    };
    const auto none = gradients_of(without), some = gradients_of(tenth), all = gradients_of(whole);
    const auto& name = none.begin()->first;
    REQUIRE(name.find("classifier") != std::string::npos);
    for (const auto& [parameter, gradient] : none) {
      CAPTURE(parameter);
      const at::Tensor own = all.at(parameter) - gradient;
      CHECK(at::allclose(some.at(parameter), gradient + own * 0.1, 1e-4, 1e-6));
      const bool of_loss = parameter.find("conv") != std::string::npos;
      CHECK((own.abs().max().item<double>() > 1e-3) == of_loss);
    }
  }
}

TEST_CASE("what nobody adds costs nothing: programs for evaluation have no auxiliary losses") {
  const auto space = space_with({{"balance", "10"}});
  const auto graph = space.bind(space.smallest());
  const spaces::Graph* const one[] = {&graph};
  CHECK(Program::compile(one, "forward", true).losses().size() == 1);
  CHECK(Program::compile(one, "forward", false).losses().empty());
}

TEST_CASE("an auxiliary loss that training cannot add is refused") {
  const auto space = space_with({{"lost", "1"}});
  const auto graph = space.bind(space.smallest());
  const spaces::Graph* const one[] = {&graph};
  CHECK_THROWS_WITH(Program::compile(one, "forward", true),
                    "entry point 'forward', which is trained, does not compute what the auxiliary "
                    "loss 'lost' needs: compute the loss from the inputs of 'forward'");
}

TEST_CASE("an entry point's state is what the former call left, side by side as alone") {
  const auto space = space_with({{"memory", "1"}});
  std::vector<Subnet> subnets;
  std::vector<spaces::Graph> graphs;
  for (int i = 0; i < 2; ++i) {
    graphs.push_back(space.bind({i}));
    subnets.push_back(random_subnet(graphs.back(), static_cast<std::uint64_t>(i)));
  }
  const auto weights_of = [&](const Program& program, std::vector<int> of) {
    std::vector<at::Tensor> result;
    for (const auto& weight : program.weights()) {
      std::vector<at::Tensor> rows;
      for (const int network : weight.networks)
        rows.push_back(
            subnets[static_cast<std::size_t>(of[static_cast<std::size_t>(network)])].weights().at(
                weight.ref.slot));
      result.push_back(at::stack(rows));
    }
    return result;
  };
  const at::Tensor words = at::randn({3, 5, 4});  // three calls, a batch of five
  std::vector<at::Tensor> alone;
  for (int i = 0; i < 2; ++i) {
    const spaces::Graph* const one[] = {&graphs[static_cast<std::size_t>(i)]};
    const auto program = Program::compile(one, "step", false);
    const auto& weights = subnets[static_cast<std::size_t>(i)].weights();
    std::vector<std::pair<std::string, at::Tensor>> states;
    at::Tensor memory = at::zeros({5, 4}), answer;
    for (int call = 0; call < 3; ++call) {
      const at::Tensor word = words[call].unsqueeze(0);
      const auto outputs = run(program, word, weights_of(program, {i}), {}, states);
      states = outputs.states;
      memory = at::linear(memory + words[call], weights.at("next.weight"), weights.at("next.bias"));
      answer = outputs.values[0];
      CHECK(at::allclose(states.at(0).second[0], memory, 1e-5, 1e-6));
      CHECK(at::allclose(answer[0], memory.relu(), 1e-5, 1e-6));
    }
    alone.push_back(answer);
  }
  const spaces::Graph* const both[] = {&graphs[0], &graphs[1]};
  const auto program = Program::compile(both, "step", false);
  std::vector<std::pair<std::string, at::Tensor>> states;
  Outputs outputs;
  for (int call = 0; call < 3; ++call) {
    const at::Tensor word = at::stack({words[call], words[call]});
    outputs = run(program, word, weights_of(program, {0, 1}), {}, states);
    states = outputs.states;
  }
  CHECK(states.at(0).first == "memory");
  for (int i = 0; i < 2; ++i)
    CHECK(at::allclose(outputs.values[0][i], alone[static_cast<std::size_t>(i)][0], 1e-5, 1e-6));
}

TEST_CASE("ops know whether they train, and draw what the seed and the step say") {
  const auto task = test::small_task();
  const auto space = space_with({{"drops", "1"}});
  Supernet net(space, {.kind = "plain", .copies = 1}, 1);
  const auto trainee = supernet_trainee(net, {}, 7);
  const auto batch = training_batch(*trainee, *task, 0, 0, 32);
  Gradients gradients(*trainee, *task, {});
  const auto loss = [&](std::int64_t step) {
    gradients.seed(step);
    return gradients.run({1}, batch, 1).loss.item<double>();
  };
  const double first = loss(1);
  CHECK(loss(2) != first);
  CHECK(loss(1) == first);
  // Outside of training nothing is dropped.
  const at::NoGradGuard guard;
  const auto a = trainee->forward({1}, batch.inputs, {}).values[0];
  CHECK(at::equal(a, trainee->forward({1}, batch.inputs, {}).values[0]));
}
