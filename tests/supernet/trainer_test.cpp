#include "mosaic/supernet/training/trainer.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::small_task;

namespace {

spaces::Space small_space() {
  return spaces::Space::make("resnet-elastic", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "8"}, {"blocks", "2"}});
}

std::string temporary(const std::string& name) {
  const auto path = std::filesystem::temp_directory_path() / ("mosaic_trainer_" + name);
  std::filesystem::remove_all(path);
  return path.string();
}

struct Run {
  spaces::Space space = small_space();
  Supernet net{space, {.kind = "layer-wise", .copies = 2, .hidden = 16}, 1};
  TrainSettings settings;
  TrainHooks hooks;

  explicit Run(const std::string& optimizer) {
    settings.epochs = 2;
    settings.batch_size = 64;
    settings.optimizer = optimizer;
    settings.learning_rate = optimizer == "sgd" ? 0.05 : 0.002;
    settings.checkpoint_minutes = 0;  // after every step
    hooks.identity = "test";
  }
  void train(const tasks::Task& task) {
    const auto trainee = supernet_trainee(net, settings, 1);
    supernet::train(*trainee, task, settings, hooks);
  }
};

void require_equal(const Supernet& a, const Supernet& b) {
  const auto left = a.parameters();
  const auto right = b.parameters();
  REQUIRE(left.size() == right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    INFO(left[i].first);
    REQUIRE(at::equal(left[i].second, right[i].second));
  }
}

struct Stopped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

TEST_CASE(
    "training that is cut off and goes on from its checkpoint ends bit for bit where an unbroken "
    "one does") {
  const auto task = small_task();
  for (const std::string optimizer : {"sgd", "adamw"}) {
    INFO(optimizer);
    Run whole(optimizer);
    whole.train(*task);
    const auto path = temporary("resume.safetensors");
    {
      Run first(optimizer);
      first.hooks.checkpoint = path;
      first.hooks.report = [](const TrainProgress& progress) {
        if (progress.step == 4) throw Stopped("as if killed");
      };
      REQUIRE_THROWS_AS(first.train(*task), Stopped);
      REQUIRE_FALSE(training_complete(path));
    }
    Run second(optimizer);
    second.hooks.checkpoint = path;
    std::int64_t resumed = 0;
    second.hooks.resumed = [&](std::int64_t step) { resumed = step; };
    second.train(*task);
    REQUIRE(resumed == 3);
    REQUIRE(training_complete(path));
    require_equal(whole.net, second.net);
  }
}

TEST_CASE("training lowers the loss of real images, and calibrated inherited scores beat chance") {
  const auto task = small_task(3000);
  Run run("sgd");
  run.settings.epochs = 5;
  std::vector<double> losses;
  run.hooks.report = [&](const TrainProgress& progress) {
    losses.push_back(progress.metrics.at("loss"));
  };
  run.train(*task);
  REQUIRE(losses.back() < 0.7 * losses.front());
  const auto genotype = run.space.largest();
  const auto graph = run.space.bind(genotype);
  const auto weights = run.net.weights(genotype, graph);
  auto stats = calibrate(
      [&](const NamedTensors& x, NormStats* s) {
        execute(graph, "forward", x, weights, NormMode::calibrate, s);
      },
      graph, *task, 256);
  const auto score = evaluate(
      [&](const NamedTensors& x) {
        return execute(graph, "forward", x, weights, NormMode::stored, &stats)[0];
      },
      *task, tasks::Split::validation, 0);
  REQUIRE(score.at("accuracy").value > 40);
  REQUIRE(score.at("accuracy").examples == task->size(tasks::Split::validation));
}

TEST_CASE("a batch that does not fit in memory is halved and accumulated") {
  const auto task = small_task();
  Run run("sgd");
  run.settings.epochs = 1;
  std::int64_t largest = 0;
  test::OfLittleMemory trainee(
      supernet_trainee(run.net, run.settings, 1), 16,
      [&](const at::Tensor& logits) { largest = std::max(largest, logits.size(1)); });
  std::int64_t steps = 0;
  run.hooks.report = [&](const TrainProgress& progress) { steps = progress.step; };
  train(trainee, *task, run.settings, run.hooks);
  REQUIRE(largest == 16);
  REQUIRE(steps == task->size(tasks::Split::train) / 64);
}

TEST_CASE(
    "a loss that is not finite ends training with advice and leaves the last checkpoint intact") {
  const auto task = small_task();
  Run run("sgd");
  run.settings.learning_rate = 90;
  run.settings.clip = 0;
  run.settings.warmup = 0;
  run.settings.epochs = 20;
  run.hooks.checkpoint = temporary("diverged.safetensors");
  REQUIRE_THROWS_WITH(run.train(*task),
                      Catch::Contains("not finite") && Catch::Contains("lower learning_rate"));
  if (std::filesystem::exists(run.hooks.checkpoint))
    for (const auto& [name, tensor] : load_tensors(run.hooks.checkpoint).tensors)
      REQUIRE(tensor.isfinite().all().item<bool>());
}

TEST_CASE("foreign, truncated and damaged checkpoints are refused with advice") {
  const auto task = small_task();
  Run run("sgd");
  run.settings.epochs = 1;
  const auto path = temporary("checkpoint.safetensors");
  run.hooks.checkpoint = path;
  run.train(*task);
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "another"),
                      Catch::Contains("belongs to another training"));

  const std::string content = core::read_file(path);
  std::ofstream(path, std::ios::binary) << content.substr(0, content.size() / 2);
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "test"),
                      Catch::Contains("it ends within tensor"));
  std::ofstream(path, std::ios::binary) << content.substr(0, 5);
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "test"),
                      Catch::Contains("it has only 5 bytes"));
  std::string flipped = content;
  flipped[flipped.size() - 3] ^= 0x40;
  std::ofstream(path, std::ios::binary) << flipped;
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "test"),
                      Catch::Contains("does not match its checksum"));
  std::ofstream(path, std::ios::binary) << "this is no tensor file at all, is it? it is not.";
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "test"),
                      Catch::Contains("damaged or no safetensors file"));
  save_tensors(path, {{{"x", at::ones({2})}}, {}});
  REQUIRE_THROWS_WITH(load_checkpoint(path, run.net, "test"),
                      Catch::Contains("no checkpoint of Mosaic"));
}

TEST_CASE("learning rates follow their schedule after the warm-up") {
  const auto task = small_task();
  const auto rates = [&](const std::string& schedule) {
    Run run("adamw");
    run.settings.schedule = schedule;
    run.settings.warmup = 0.25;
    std::map<std::int64_t, double> result;  // of the step before
    run.hooks.report = [&](const TrainProgress& now) { result[now.step] = now.learning_rate; };
    run.train(*task);
    return std::pair(result, static_cast<double>(result.rbegin()->first));
  };
  const auto [cosine, steps] = rates("cosine");
  const auto constant = rates("constant").first, root = rates("inverse-sqrt").first;
  const double warm = std::ceil(0.25 * steps);
  for (const auto& [step, rate] : constant) {
    const auto at = static_cast<double>(step);
    CHECK(rate == Approx(0.002 * std::min(1.0, at / warm)));
    CHECK(root.at(step) == Approx(0.002 * std::min(at / warm, std::sqrt(warm / at))));
  }
  CHECK(cosine.rbegin()->second < 1e-4);
  CHECK(root.rbegin()->second == Approx(0.002 * std::sqrt(warm / steps)));
}
