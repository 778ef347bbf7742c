// Networks that learn from the largest one of their step, or from one that is given.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/sampler.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "needs.hpp"
#include "side_by_side.hpp"
#include "small_task.hpp"
#include "stripes.hpp"
#include "training/gradient.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using Catch::Contains;
using mosaic::supernet::test::require_exact_resume;
using mosaic::supernet::test::Two;

namespace {

constexpr double kShare = 0.7, kTemperature = 2;

spaces::Space pooling_space(std::int64_t side = 12, std::int64_t classes = 4) {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, side, side}, classes),
                             {{"layers", "5"}, {"poolings", "2"}, {"width", "4"}});
}
/// Without statistics of batches.
spaces::Space transformer_space() {
  return spaces::Space::make("vit", spaces::image_task({1, 12, 12}, 4), {{"layers", "4"}});
}

TrainSettings distilling() {
  TrainSettings settings;
  settings.epochs = 1;
  settings.batch_size = 32;
  settings.learning_rate = 0.02;
  settings.sampler = "sandwich(random=1)";
  settings.distill = kShare;
  settings.distill_temperature = kTemperature;
  settings.precision = "float32";
  return settings;
}

/// Mean over examples of what a student has to say to a teacher, summed over networks: the
/// definition, as loops. Both [networks, batch, classes].
double soft_loss(const at::Tensor& student, const at::Tensor& teacher) {
  double sum = 0;
  for (std::int64_t network = 0; network < student.size(0); ++network)
    for (std::int64_t i = 0; i < student.size(1); ++i) {
      const auto exponentials = [&](const at::Tensor& logits) {
        std::vector<double> shares;
        double all = 0;
        for (std::int64_t c = 0; c < logits.size(0); ++c) {
          shares.push_back(std::exp(logits[c].item<double>() / kTemperature));
          all += shares.back();
        }
        for (auto& share : shares) share /= all;
        return shares;
      };
      const auto p = exponentials(teacher[network][i]), q = exponentials(student[network][i]);
      for (std::size_t c = 0; c < p.size(); ++c)
        sum -= kTemperature * kTemperature * p[c] * std::log(q[c]);
    }
  return sum / static_cast<double>(student.size(1));
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm().clamp_min(1e-3)).item<double>();
}

}  // namespace

TEST_CASE("the sandwich begins with the largest network, and is the sampler that has one") {
  const auto space = pooling_space();
  core::Stream stream(1, "draw");
  for (const auto& name : samplers().names()) {
    CAPTURE(name);
    const auto sampler = make_sampler(name, space);
    CHECK(sampler->largest_first() == (name == "sandwich"));
    if (sampler->largest_first()) CHECK(sampler->draw(stream).at(0) == space.largest());
  }
}

TEST_CASE("the networks of a step learn from the largest, and that one from the task alone") {
  const Stripes task;
  const auto space = pooling_space();
  Two nets(space);
  const auto settings = distilling();
  const auto trainee = supernet_trainee(nets.members, settings, 7, {0, 1});
  auto architectures = trainee->draw(0);
  REQUIRE(architectures.size() == 3);
  const auto batch = training_batch(*trainee, task, 0, 0, 32);
  const auto targets = flattened(batch.targets);
  at::Tensor taught;
  std::size_t passes = 0;
  Gradients gradients(*trainee, task, gradient_settings(settings, "cpu"));
  gradients.run_all(
      architectures, batch, 0.5, true, [](const auto&) {},
      [&](const PassResult& pass) {
        for (const auto& parameter : trainee->parameters())
          at::Tensor(parameter.value).mutable_grad().reset();
        const auto outputs =
            trainee->forward(architectures[passes], batch.inputs, {.training = true}).values[0];
        at::Tensor loss = task.losses(outputs.flatten(0, 1), targets, 0).sum() / 32;
        if (passes++ == 0) {
          taught = outputs.detach().clone();
        } else {
          const at::Tensor p = at::softmax(taught / kTemperature, 2);
          const at::Tensor soft = -kTemperature * kTemperature *
                                  (p * at::log_softmax(outputs / kTemperature, 2)).sum() / 32;
          CHECK(soft.item<double>() == Approx(soft_loss(outputs.detach(), taught)).epsilon(1e-4));
          loss = (1 - kShare) * loss + kShare * soft;
        }
        loss = 0.5 * loss;
        CHECK(pass.loss.item<double>() == Approx(loss.item<double>()).epsilon(1e-4));
        loss.backward();
        for (std::size_t i = 0; i < trainee->parameters().size(); ++i) {
          const at::Tensor expected = trainee->parameters()[i].value.grad();
          REQUIRE(expected.defined() == pass.gradients[i].defined());
          if (expected.defined()) CHECK(difference(pass.gradients[i], expected) < 1e-4);
        }
      });
  CHECK(passes == 3);
}

TEST_CASE("a given network teaches all of a step, each in its own order of the data") {
  const Stripes task;
  const auto space = pooling_space();
  auto settings = distilling();
  settings.sampler = "uniform";
  settings.teacher = "given";
  const auto teacher = std::make_shared<Subnet>(fresh_subnet(space, space.largest(), 5));
  for (const auto& [name, weight] : teacher->weights())
    if (weight.dim() == 1) {
      const auto node = name.substr(0, name.rfind('.'));
      teacher->stats().set(node, {at::zeros({weight.size(0)}), at::ones({weight.size(0)}), 1});
    }
  for (const auto& orders : {std::vector<std::int64_t>{0, 1}, {0, 0}}) {
    Two nets(space);
    const auto trainee = supernet_trainee(nets.members, settings, 7, orders);
    CHECK_THROWS_AS(train(*trainee, task, settings, {}), std::logic_error);
    trainee->learn_from(teacher);
    const auto architectures = trainee->draw(0);
    const auto batch = training_batch(*trainee, task, 0, 0, 32);
    const auto targets = flattened(batch.targets);
    Gradients gradients(*trainee, task, gradient_settings(settings, "cpu"));
    gradients.run_all(
        architectures, batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) {
          const at::Tensor outputs =
              trainee->forward(architectures[0], batch.inputs, {.training = true})
                  .values[0]
                  .detach();
          const auto answer = [&](std::int64_t network) {
            const NamedTensors inputs{{"image", batch.inputs[0].second[network]}};
            return teacher->forward(inputs);
          };
          const at::Tensor taught = at::stack({answer(0), answer(1)});
          const double hard =
              task.losses(outputs.flatten(0, 1), targets, 0).sum().item<double>() / 32;
          CHECK(pass.loss.item<double>() ==
                Approx((1 - kShare) * hard + kShare * soft_loss(outputs, taught)).epsilon(1e-4));
        });
  }
  // Extracted networks learn from it as well.
  Subnet student = fresh_subnet(space, space.smallest(), 3);
  const auto trainee = subnet_trainee(student);
  trainee->learn_from(teacher);
  std::vector<double> losses;
  TrainHooks hooks;
  hooks.report = [&](const TrainProgress& now) { losses.push_back(now.metrics.at("loss")); };
  train(*trainee, task, settings, hooks);
  CHECK(losses.size() == 10);
}

TEST_CASE("distillation without anyone who teaches is refused") {
  const Stripes task;
  const auto space = pooling_space();
  Two nets(space);
  auto settings = distilling();
  settings.sampler = "uniform";
  CHECK_THROWS_WITH(train(*supernet_trainee(nets.a, settings, 7), task, settings, {}),
                    Contains("have no largest network") && Contains("sandwich"));
  Subnet alone = fresh_subnet(space, space.smallest(), 3);
  CHECK_THROWS_AS(train(*subnet_trainee(alone), task, settings, {}), core::UsageError);
}

TEST_CASE("supernets that distil train together as each would alone, and in pieces as whole") {
  const Stripes task(128);
  const auto space = transformer_space();
  auto settings = distilling();
  settings.optimizer = "sgd";
  settings.learning_rate = 0.01;
  const SharingSettings plain{.kind = "plain", .copies = 1};
  Two together(space, plain), alone(space, plain), pieces(space, plain);
  train(*supernet_trainee(together.members, settings, 7, {0, 1}), task, settings, {});
  for (std::int64_t i = 0; i < 2; ++i) {
    Supernet* const one[] = {alone.members[static_cast<std::size_t>(i)]};
    train(*supernet_trainee(one, settings, 7, {i}), task, settings, {});
  }
  std::int64_t largest = 0;
  supernet::test::OfLittleMemory trainee(
      supernet_trainee(pieces.members, settings, 7, {0, 1}), 16,
      [&](const at::Tensor& logits) { largest = std::max(largest, logits.size(1)); });
  train(trainee, task, settings, {});
  CHECK(largest == 16);
  for (std::size_t net = 0; net < 2; ++net) {
    const auto expected = together.members[net]->parameters();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(expected[i].first);
      CHECK(difference(alone.members[net]->parameters()[i].second, expected[i].second) < 1e-3);
      CHECK(difference(pieces.members[net]->parameters()[i].second, expected[i].second) < 1e-3);
    }
  }
}

TEST_CASE("distillation that is cut off ends bit for bit where an unbroken one does") {
  const Stripes task;
  auto settings = distilling();
  settings.ema = 0.9;
  require_exact_resume(pooling_space(), task, settings, "distil");
}

TEST_CASE("replayed passes learn from the teacher of their own step", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto task = supernet::test::small_task(360, "cuda");
  const auto space = pooling_space(28, 10);
  const bool bfloat16 = GENERATE(false, true);
  Two nets(space);
  nets.a.to("cuda");
  nets.b.to("cuda");
  const auto trainee = supernet_trainee(nets.members, distilling(), 7, {0, 1});
  Gradients launched(*trainee, *task, {.bfloat16 = bfloat16, .replay = false, .distill = kShare});
  Gradients replayed(*trainee, *task, {.bfloat16 = bfloat16, .distill = kShare});
  auto architectures = trainee->draw(0);
  for (std::int64_t step = 0; step < 4; ++step) {  // launched, recorded, and replayed twice
    const auto batch = training_batch(*trainee, *task, 0, step, 64);
    std::vector<PassResult> expected;
    launched.run_all(
        architectures, batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) { expected.push_back(pass); });
    std::size_t i = 0;
    replayed.run_all(
        architectures, batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) {
          const auto& wanted = expected[i++];
          CHECK(difference(pass.loss, wanted.loss) < (bfloat16 ? 1e-2 : 1e-4));
          for (std::size_t p = 0; p < wanted.gradients.size(); ++p) {
            REQUIRE(pass.gradients[p].defined() == wanted.gradients[p].defined());
            if (pass.gradients[p].defined())
              CHECK(difference(pass.gradients[p], wanted.gradients[p]) < (bfloat16 ? 5e-2 : 1e-3));
          }
        });
  }
}
