#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "needs.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

spaces::Space pooling_space() {  // 4 placements
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "5"}, {"poolings", "1"}});
}

SharingSettings balanced(std::int64_t models) { return {.kind = "balanced", .copies = models}; }

std::unique_ptr<tasks::Task> task_with_validation(double share = 0.5) {
  tasks::TaskSettings settings;
  settings.limit = 600;
  settings.validation = share;
  try {
    return tasks::tasks().at("fashion-mnist").make(settings);
  } catch (const core::Error& error) {
    skip(Need::kData, error.what());
  }
}

TrainSettings training(std::int64_t epochs) {
  TrainSettings settings;
  settings.epochs = epochs;
  settings.batch_size = 50;
  settings.learning_rate = 0.05;
  settings.precision = "float32";
  return settings;
}

std::map<std::string, at::Tensor> copy_of(const NamedTensors& tensors) {
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.detach().clone();
  return result;
}

}  // namespace

TEST_CASE(
    "a balanced mixture keeps its supernets equally busy, and each architecture with its own") {
  const auto space = pooling_space();
  Supernet net(space, balanced(2), 1);
  auto& sharing = net.sharing();
  core::Stream stream(1, "test");
  const auto shares = [&](int option) {
    double first = 0;
    for (int i = 0; i < 2000; ++i) {
      sharing.draw({option}, stream);
      first += sharing.drawn("cpu")[0].item<double>() / 2000;
    }
    return first;
  };
  REQUIRE(shares(0) == Approx(0.5).margin(0.05));  // nothing is known
  // The first model is better with options 0, 1 and 2, most with 0; the second never.
  const double lead[] = {0.3, 0.2, 0.1, 0.0};
  for (int round = 0; round < 200; ++round)
    for (int option = 0; option < 4; ++option) {
      sharing.draw({option}, stream);
      const bool first = sharing.drawn("cpu")[0].item<double>() == 1;
      sharing.observe({option}, 0.5 + (first ? lead[option] : 0.0));
    }
  sharing.end_epoch(0.5);
  // Unbalanced, the first model would take three of the four; balanced, it takes two.
  const double p[] = {shares(0), shares(1), shares(2), shares(3)};
  REQUIRE(p[0] + p[1] + p[2] + p[3] == Approx(2).margin(0.15));
  REQUIRE(p[0] > 0.9);
  REQUIRE(p[3] < 0.1);
  REQUIRE(p[0] >= p[1]);
  REQUIRE(p[1] > p[2]);
  REQUIRE(net.mixes({0})[0][0].item<double>() == 1);  // what evaluation takes
  REQUIRE(net.mixes({3})[0][1].item<double>() == 1);
}

TEST_CASE("one supernet in a balanced mixture trains bit for bit as plain") {
  const auto task = task_with_validation();
  const auto space = pooling_space();
  const auto settings = training(2);
  Supernet plain(space, {.kind = "plain", .copies = 1}, 3), net(space, balanced(1), 3);
  train(*supernet_trainee(plain, settings, 7), *task, settings, {});
  train(*supernet_trainee(net, settings, 7), *task, settings, {});
  for (const auto& [name, tensor] : net.parameters())
    REQUIRE(at::equal(tensor, copy_of(plain.parameters()).at(name)));
}

TEST_CASE("a step of a balanced mixture trains the supernet that was drawn, and no other") {
  const auto task = task_with_validation();
  const auto space = pooling_space();
  auto settings = training(1);
  Supernet net(space, balanced(3), 3);
  auto trainee = supernet_trainee(net, settings, 7);
  auto before = copy_of(net.parameters());
  std::set<int> models;
  struct Check : Observer {
    explicit Check(std::function<void()> run) : run_(std::move(run)) {}
    void after_step(Trainee&, const Moment&, std::span<const spaces::Genotype>) override { run_(); }
    std::function<void()> run_;
  };
  trainee->observe_by(std::make_unique<Check>([&] {
    const at::Tensor drawn = net.sharing().drawn("cpu");
    const auto model = drawn.argmax().item<std::int64_t>();
    models.insert(static_cast<int>(model));
    auto now = copy_of(net.parameters());
    for (const auto& [name, tensor] : now)
      for (std::int64_t m = 0; m < 3; ++m) {
        INFO(name << " of " << m << ", drawn " << model);
        REQUIRE(at::equal(tensor[m], before.at(name)[m]) == (m != model));
      }
    before = std::move(now);
  }));
  train(*trainee, *task, settings, {});
  REQUIRE(models.size() > 1);
}

TEST_CASE("training of a balanced mixture goes on bit for bit, accuracies too, alone and jointly") {
  const auto task = task_with_validation();
  const auto space = pooling_space();
  auto settings = training(4);
  settings.checkpoint_minutes = 0;
  const auto path =
      (std::filesystem::temp_directory_path() / "mosaic_balanced.safetensors").string();
  for (const bool joint : {false, true}) {
    INFO((joint ? "joint" : "alone"));
    const auto run = [&](Supernet& a, Supernet& b, const TrainHooks& hooks) {
      const std::vector<Supernet*> members{&a, &b};
      train(*(joint ? supernet_trainee(members, settings, 7, {0, 1})
                    : supernet_trainee(a, settings, 7)),
            *task, settings, hooks);
    };
    Supernet a(space, balanced(2), 1), b(space, balanced(2), 2);
    run(a, b, {});
    std::filesystem::remove(path);
    TrainHooks hooks{.checkpoint = path, .identity = "balanced"};
    hooks.report = [](const TrainProgress& progress) {
      if (progress.step == 15) throw std::runtime_error("as if killed");
    };
    Supernet c(space, balanced(2), 1), d(space, balanced(2), 2);
    REQUIRE_THROWS(run(c, d, hooks));
    hooks.report = nullptr;
    Supernet e(space, balanced(2), 1), f(space, balanced(2), 2);
    run(e, f, hooks);
    for (const auto& [name, tensor] : a.parameters())
      REQUIRE(at::equal(tensor, copy_of(e.parameters()).at(name)));
    for (const auto& [name, tensor] : a.state())
      REQUIRE(at::equal(tensor, copy_of(e.state()).at(name)));
    REQUIRE_FALSE(at::equal(a.state()[0].second, at::ones_like(a.state()[0].second)));
    if (!joint) {
      Supernet loaded(space, balanced(2), 1);
      load_checkpoint(path, loaded, "balanced");
      const auto all = *space.enumerate();
      for (const auto& genotype : all)
        REQUIRE(at::equal(loaded.mixes(genotype)[0], a.mixes(genotype)[0]));
    }
  }
  std::filesystem::remove(path);
}

TEST_CASE("recorded passes of a balanced mixture train what was drawn", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto task = task_with_validation();
  task->to("cuda");
  const auto space = pooling_space();
  std::vector<NamedTensors> results;
  for (const bool replay : {false, true}) {
    Supernet a(space, balanced(3), 1), b(space, balanced(3), 2);
    const std::vector<Supernet*> members{&a, &b};
    for (auto* member : members) member->to("cuda");
    auto settings = training(6);
    settings.learning_rate = 0.002;  // the backward pass of pooling adds in any order
    settings.replay = replay;
    train(*supernet_trainee(members, settings, 7, {0, 1}), *task, settings, {});
    results.push_back(b.parameters());
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    INFO(results[0][i].first);
    const at::Tensor gap = results[1][i].second - results[0][i].second;
    REQUIRE(gap.norm().item<double>() <
            2e-2 * std::max(0.1, results[0][i].second.norm().item<double>()));
  }
}

TEST_CASE("a balanced mixture says what it needs") {
  const auto big =
      spaces::Space::make("resnet-elastic", spaces::image_task({1, 28, 28}, 10), {{"blocks", "4"}});
  REQUIRE_THROWS_WITH(
      Supernet(big, balanced(2), 1),
      Catch::Contains("use another way of sharing for spaces of more than 100,000"));
  const auto task = task_with_validation(0);
  const auto space = pooling_space();
  const auto settings = training(1);
  Supernet net(space, balanced(2), 1);
  REQUIRE_THROWS_WITH(train(*supernet_trainee(net, settings, 7), *task, settings, {}),
                      Catch::Contains("set [task] validation"));
  auto sandwich = settings;
  sandwich.sampler = "sandwich";
  REQUIRE_THROWS_WITH(supernet_trainee(net, sandwich, 7),
                      Catch::Contains("trains one architecture a step"));
}
