// Optimisers against their formulas, and how many steps are made at which rate.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "stripes.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using Catch::Contains;

namespace {

spaces::Space small_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 12, 12}, 4),
                             {{"layers", "5"}, {"poolings", "2"}, {"width", "4"}});
}

/// Adam as torch.optim.Adam (decay in the gradient) or AdamW (decay of the weight), in double
/// precision, of the gradients that a training has.
class Reference : public Observer {
 public:
  explicit Reference(const TrainSettings& settings) : settings_(settings) {}
  void found(const Trainee& trainee, const Findings&) override {
    ++step_;
    for (const auto& parameter : trainee.parameters()) {
      if (!weights.contains(parameter.name)) {
        weights[parameter.name] = parameter.value.detach().to(at::kDouble, false, true);
        first_[parameter.name] = at::zeros_like(weights[parameter.name]);
        second_[parameter.name] = at::zeros_like(weights[parameter.name]);
      }
      at::Tensor gradient = parameter.value.grad();
      REQUIRE(gradient.defined());
      gradient = gradient.to(at::kDouble);
      at::Tensor& weight = weights[parameter.name];
      const double decay = parameter.decays ? settings_.weight_decay : 0;
      if (settings_.optimizer == "adam")
        gradient = gradient + decay * weight;
      else
        weight = weight * (1 - settings_.learning_rate * decay);
      at::Tensor& m = first_[parameter.name];
      at::Tensor& v = second_[parameter.name];
      m = settings_.beta1 * m + (1 - settings_.beta1) * gradient;
      v = settings_.beta2 * v + (1 - settings_.beta2) * gradient.square();
      weight = weight - settings_.learning_rate * (m / (1 - std::pow(settings_.beta1, step_))) /
                            ((v / (1 - std::pow(settings_.beta2, step_))).sqrt() + 1e-8);
    }
  }
  std::map<std::string, at::Tensor> weights;

 private:
  const TrainSettings& settings_;
  std::map<std::string, at::Tensor> first_, second_;
  double step_ = 0;
};

TrainSettings read(const std::string& keys) {
  auto config = core::Config::from_text("[supernet]\n" + keys, "job.toml");
  return TrainSettings::read(config.root().section("supernet"));
}

/// Rate of every step, from 1.
std::map<std::int64_t, double> rates(const TrainSettings& settings) {
  const Stripes task;
  const auto space = small_space();
  Supernet net(space, {.kind = "plain", .copies = 1}, 1);
  std::map<std::int64_t, double> result;
  TrainHooks hooks;
  hooks.report = [&](const TrainProgress& now) {
    result[now.step] = now.learning_rate;
    CHECK(now.epoch == Approx(static_cast<double>(now.step) / 10));
  };
  const auto trainee = supernet_trainee(net, settings, 1);
  const auto estimated = estimate(*trainee, task, settings, space);
  train(*trainee, task, settings, hooks);
  CHECK(estimated.steps == result.rbegin()->first);
  return result;
}

}  // namespace

TEST_CASE("adam takes weight decay into its gradients, adamw off the weights") {
  const Stripes task;
  const auto space = small_space();
  for (const std::string optimizer : {"adam", "adamw"}) {
    CAPTURE(optimizer);
    TrainSettings settings;
    settings.epochs = 1;
    settings.batch_size = 32;
    settings.optimizer = optimizer;
    settings.learning_rate = 0.003;
    settings.weight_decay = 0.1;
    settings.beta1 = 0.8;
    settings.beta2 = 0.98;
    settings.clip = 0;
    settings.warmup = 0;
    settings.schedule = "constant";
    Subnet net = fresh_subnet(space, space.largest(), 1);
    const auto trainee = subnet_trainee(net);
    auto made = std::make_unique<Reference>(settings);
    const Reference& reference = *made;
    trainee->observe_by(std::move(made));
    train(*trainee, task, settings, {});
    REQUIRE_FALSE(reference.weights.empty());
    for (const auto& [name, weight] : net.weights()) {
      CAPTURE(name);
      CHECK(at::allclose(weight.detach().to(at::kDouble), reference.weights.at(name).squeeze(0),
                         1e-3, 1e-5));
    }
  }
  CHECK(read("optimizer = \"adam\"\n").learning_rate == 0.002);
}

TEST_CASE("a training is as long as steps says, and warms up as many as warmup_steps says") {
  TrainSettings settings;
  settings.batch_size = 32;  // 10 steps an epoch
  settings.steps = 23;
  settings.warmup_steps = 7;
  settings.learning_rate = 0.01;
  settings.schedule = "inverse-sqrt";
  const auto found = rates(settings);
  CHECK(found.rbegin()->first == 23);
  for (const auto& [step, rate] : found) {
    const auto at = static_cast<double>(step);
    CHECK(rate == Approx(0.01 * std::min(at / 7, std::sqrt(7 / at))));
  }
  // As many steps as epochs have are the same training.
  TrainSettings epochs, steps;
  epochs.batch_size = steps.batch_size = 32;
  epochs.epochs = 2;
  epochs.warmup = 0.25;
  steps.steps = 20;
  steps.warmup_steps = 5;
  CHECK(rates(epochs) == rates(steps));

  settings.warmup_steps = 24;
  CHECK_THROWS_WITH(rates(settings), Contains("warmup_steps = 24 are more than the 23 steps"));
}

TEST_CASE("what says the same thing twice is refused at its line") {
  CHECK(read("steps = 50\n").steps == 50);
  CHECK(read("steps = 50\n").epochs == TrainSettings().epochs);
  CHECK_THROWS_WITH(read("epochs = 2\nsteps = 50\n"),
                    Contains("job.toml:3: [supernet] steps") && Contains("remove steps or epochs"));
  CHECK_THROWS_WITH(read("warmup_steps = 9\nwarmup = 0.1\n"),
                    Contains("job.toml:2") && Contains("warmup_steps and warmup"));
  CHECK_THROWS_WITH(read("warmup_steps = 0\n"), Contains("warmup_steps"));
  CHECK_THROWS_WITH(read("distill_temperature = 2\n"), Contains("only a training with distill"));
  CHECK_THROWS_WITH(read("teacher = \"net\"\ndistill = 0\n"), Contains("nothing is learned"));
  CHECK(read("teacher = \"net\"\n").distill == 0.5);
  CHECK(read("teacher = \"net\"\ndistill = 0.2\n").distill == 0.2);
}
