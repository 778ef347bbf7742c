#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "mosaic/core/error.hpp"
#include "needs.hpp"
#include "random_growth.hpp"
#include "side_by_side.hpp"
#include "small_task.hpp"
#include "training/gradient.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using namespace mosaic::supernet::test;

namespace {

spaces::Space pooling_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "5"}, {"poolings", "1"}});
}

TrainSettings settings_of(const std::string& precision, double clip) {
  TrainSettings settings;
  settings.epochs = 2;
  settings.batch_size = 64;
  settings.learning_rate = 0.02;
  settings.precision = precision;
  settings.clip = clip;
  return settings;
}

}  // namespace

TEST_CASE("networks of different poolings train together as each would alone") {
  const auto space = pooling_space();
  const double clip = GENERATE(0.0, 0.5);
  auto settings = settings_of("float32", clip);
  settings.epochs = 1;  // rounding grows with every step, and with the rate
  settings.learning_rate = 0.01;
  const auto task = small_task();
  CHECK(joint_against_alone(space, *space.enumerate(), *task, settings) < 1e-2);
}

TEST_CASE("NAS-Bench-201 cells of different ops train together as each would alone") {
  const auto space = spaces::Space::make("nasbench201", spaces::image_task({1, 28, 28}, 10),
                                         {{"channels", "4"}, {"cells", "1"}});
  core::Stream stream(3, "cells");
  std::vector<spaces::Genotype> genotypes;
  for (int i = 0; i < 5; ++i) genotypes.push_back(space.random(stream));
  auto settings = settings_of("float32", 0.5);
  settings.epochs = 1;
  const auto task = small_task();
  CHECK(joint_against_alone(space, genotypes, *task, settings) < 1e-2);
}

TEST_CASE(
    "networks of depthwise and of elastic residual layers train together as each would alone") {
  const auto [name, options] = GENERATE(table<std::string, std::map<std::string, std::string>>(
      {{"mobilenetv3", {{"width_percent", "10"}, {"blocks", "3"}}},
       {"resnet50", {{"width_percent", "10"}, {"more_blocks", "1"}}}}));
  const auto space = spaces::Space::make(name, spaces::image_task({1, 28, 28}, 10), options);
  core::Stream stream(3, "networks");
  const auto genotype = space.random(stream);
  auto settings = settings_of("float32", 0.5);
  settings.epochs = 1;
  settings.learning_rate = 1e-3;  // at more, rounding grows from layer to layer
  const auto task = small_task();
  CHECK(joint_against_alone(space, {genotype, space.random(stream), genotype}, *task, settings) <
        1e-2);
}

TEST_CASE("supernets of several seeds train together as each would alone") {
  const auto task = small_task();
  const auto space = pooling_space();
  for (const std::string kind : {"plain", "layer-wise", "neuron-wise"}) {
    CAPTURE(kind);
    const SharingSettings sharing{.kind = kind, .copies = kind == "plain" ? 1 : 2, .hidden = 8};
    const auto settings = settings_of("float32", 0.0);
    Supernet a(space, sharing, 1), b(space, sharing, 2), a_alone(space, sharing, 1);
    const std::vector<Supernet*> members{&a, &b};
    train(*supernet_trainee(members, settings, 7, {0, 1}), *task, settings, {});
    train(*supernet_trainee(a_alone, settings, 7), *task, settings, {});
    CHECK(largest_difference(a.parameters(), a_alone.parameters()) < 1e-2);  // rounding grows
    // Another seed and another order of the data: another supernet.
    CHECK(largest_difference(b.parameters(), a_alone.parameters()) > 0.1);
  }
}

TEST_CASE("every way of sharing trains all of its parameters, alone and side by side") {
  const auto task = small_task();
  const auto space = pooling_space();
  core::Stream stream(1, "growth");
  const std::vector<SharingSettings> ways{
      {.kind = "plain", .copies = 1},
      {.kind = "layer-wise", .copies = 2, .hidden = 8},
      {.kind = "layer-wise", .copies = 2, .hidden = 8, .share = 0.6},
      {.kind = "neuron-wise", .copies = 2, .hidden = 8},
      {.kind = "partition", .copies = 2, .split = "random"},
      {.kind = "grown", .split = supernet::test::random_growth(space, 3, 1)}};
  for (const auto& way : ways)
    for (const bool joint : {false, true}) {
      CAPTURE(way.kind, way.share, joint);
      Supernet a(space, way, 1), b(space, way, 2);
      std::vector<at::Tensor> before;
      for (const auto& [name, tensor] : a.parameters()) before.push_back(tensor.detach().clone());
      const std::vector<Supernet*> members{&a, &b};
      const auto settings = settings_of("float32", 0);
      train(*(joint ? supernet_trainee(members, settings, 7, {0, 1})
                    : supernet_trainee(a, settings, 7)),
            *task, settings, {});
      const auto after = a.parameters();
      for (std::size_t i = 0; i < after.size(); ++i) {
        CAPTURE(after[i].first);
        CHECK_FALSE(at::equal(after[i].second, before[i]));
      }
    }
}

TEST_CASE("networks are scored together as each would be alone") {
  const auto task = small_task();
  const auto space = pooling_space();
  const auto genotypes = *space.enumerate();
  std::vector<Subnet> subnets;
  for (std::size_t i = 0; i < genotypes.size(); ++i)
    subnets.push_back(fresh_subnet(space, genotypes[i], i));
  std::vector<Subnet*> members;
  for (auto& subnet : subnets) members.push_back(&subnet);
  const Scoring scoring{.examples = 30, .calibration = 256};
  const auto scores = score_subnets(members, *task, scoring);
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    NormStats stats = calibrate(
        [&](const NamedTensors& inputs, NormStats* recorded) {
          subnets[i].forward(inputs, NormMode::calibrate, recorded);
        },
        subnets[i].graph(), *task, scoring.calibration);
    const auto alone = evaluate(
        [&](const NamedTensors& inputs) {
          return subnets[i].forward(inputs, NormMode::stored, &stats);
        },
        *task, scoring.split, scoring.examples);
    CHECK(scores[i].at("accuracy").value ==
          Approx(alone.at("accuracy").value).margin(3.5));  // at most one image
    CHECK(scores[i].at("loss").value == Approx(alone.at("loss").value).epsilon(1e-4));
    CHECK(scores[i].at("loss").examples == 30);
  }
}

TEST_CASE("a joint training resumes from its checkpoint bit for bit") {
  const auto task = small_task();
  const auto space = pooling_space();
  auto settings = settings_of("float32", 1.0);
  const auto path = (std::filesystem::temp_directory_path() / "mosaic_joint_checkpoint").string();
  std::filesystem::remove(path);
  std::vector<NamedTensors> results;
  for (const bool broken : {false, true}) {
    Supernet a(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
    Supernet b(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 2);
    const std::vector<Supernet*> members{&a, &b};
    TrainHooks hooks;
    hooks.identity = "test";
    if (broken) hooks.checkpoint = path;
    if (broken) {
      // As if killed after the first epoch: the checkpoint of a run that stops there.
      struct Stop {};
      hooks.report = [](const TrainProgress& p) {
        if (p.epoch > 1.2) throw Stop{};
      };
      CHECK_THROWS_AS(
          train(*supernet_trainee(members, settings, 7, {0, 1}), *task, settings, hooks), Stop);
      hooks.report = nullptr;
      Supernet c(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
      Supernet d(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 2);
      const std::vector<Supernet*> again{&c, &d};
      std::int64_t resumed = 0;
      hooks.resumed = [&](std::int64_t step) { resumed = step; };
      train(*supernet_trainee(again, settings, 7, {0, 1}), *task, settings, hooks);
      CHECK(resumed > 0);
      results.push_back(d.parameters());
    } else {
      train(*supernet_trainee(members, settings, 7, {0, 1}), *task, settings, hooks);
      results.push_back(b.parameters());
    }
  }
  for (std::size_t i = 0; i < results[0].size(); ++i)
    CHECK(at::equal(results[0][i].second, results[1][i].second));
}

TEST_CASE("replayed passes have the gradients of launched ones", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto task = small_task(360, "cuda");
  const auto space = pooling_space();
  const bool bfloat16 = GENERATE(false, true);
  Supernet a(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
  Supernet b(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 2);
  a.to("cuda");
  b.to("cuda");
  const std::vector<Supernet*> members{&a, &b};
  const auto trainee = supernet_trainee(members, settings_of("float32", 0), 7, {0, 1});
  Gradients launched(*trainee, *task, {0, bfloat16, false});
  Gradients replayed(*trainee, *task, {0, bfloat16, true});
  const auto pass = trainee->draw(0)[0];
  for (std::int64_t step = 0; step < 4; ++step) {  // launched, recorded, and replayed twice
    const auto batch = training_batch(*trainee, *task, 0, step, 64);
    const auto expected = launched.run(pass, batch, 1);
    const auto found = replayed.run(pass, batch, 1);
    CHECK(difference(found.loss, expected.loss) < 1e-4);
    CHECK(at::equal(found.outputs.argmax(1), expected.outputs.argmax(1)));
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      REQUIRE(found.gradients[i].defined() == expected.gradients[i].defined());
      if (found.gradients[i].defined())
        CHECK(difference(found.gradients[i], expected.gradients[i]) < (bfloat16 ? 2e-2 : 1e-3));
    }
  }
}

TEST_CASE("networks train together on the GPU as each would alone", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto space = pooling_space();
  auto settings = settings_of("float32", 0.5);
  settings.epochs = 1;
  settings.learning_rate = 0.002;  // the backward pass of pooling adds in any order
  const auto task = small_task(360, "cuda");
  CHECK(joint_against_alone(space, *space.enumerate(), *task, settings, "cuda") < 1e-2);
}

TEST_CASE("scores in TF32 are those in float32 but for the last digits", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto task = small_task(360, "cuda");
  const auto space = pooling_space();
  Supernet a(space, {}, 1), b(space, {}, 2);
  const std::vector<Supernet*> members{&a, &b};
  for (auto* member : members) member->to("cuda");
  const auto genotype = space.enumerate()->front();
  at::globalContext().setAllowTF32CuDNN(false);
  Scoring scoring{tasks::Split::validation, 0, 64};
  const auto exact = score_supernets(members, genotype, *task, scoring);
  scoring.precision = "tf32";
  const auto rounded = score_supernets(members, genotype, *task, scoring);
  CHECK_FALSE(at::globalContext().allowTF32CuDNN());
  for (std::size_t i = 0; i < members.size(); ++i)
    CHECK(std::abs(rounded[i].at("loss").value - exact[i].at("loss").value) <
          1e-2 * exact[i].at("loss").value);
}
