// How training goes, in numbers that were kept: losses, and the ops of a step.
#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <functional>

#include "golden.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "stripes.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

spaces::Space small_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 12, 12}, 4),
                             {{"layers", "5"}, {"poolings", "2"}, {"width", "4"}});
}

/// Trains for 20 steps; `report` sees each of them.
void train_stripes(const SharingSettings& sharing,
                   const std::function<void(const TrainProgress&)>& report) {
  const Stripes task;
  const auto space = small_space();
  Supernet net(space, sharing, 1);
  TrainSettings settings;
  settings.epochs = 2;
  settings.batch_size = 32;
  settings.learning_rate = 0.05;
  TrainHooks hooks;
  hooks.report = report;
  const auto trainee = supernet_trainee(net, settings, 1);
  train(*trainee, task, settings, hooks);
}

std::atomic<std::int64_t> ops = 0;

std::unique_ptr<at::ObserverContext> count_op(const at::RecordFunction&) {
  ++ops;
  return nullptr;
}

/// The ops that LibTorch runs for a training step, forward and backward: the fewest of 20 steps,
/// since a step that draws a deeper network has more.
std::int64_t ops_of_a_step(const SharingSettings& sharing) {
  const auto handle = at::addGlobalCallback(
      at::RecordFunctionCallback(count_op).scopes({at::RecordScope::FUNCTION}));
  std::int64_t before = 0, fewest = 0;
  train_stripes(sharing, [&](const TrainProgress& now) {
    const std::int64_t count = ops;
    if (now.step > 2) fewest = fewest == 0 ? count - before : std::min(fewest, count - before);
    before = count;
  });
  at::removeCallback(handle);
  return fewest;
}

}  // namespace

TEST_CASE("every way of sharing trains as it did before") {
  const std::vector<SharingSettings> ways = {
      {.kind = "plain", .copies = 1},
      {.kind = "layer-wise", .copies = 2, .hidden = 8},
      {.kind = "neuron-wise", .copies = 2, .hidden = 8},
      {.kind = "partition", .copies = 2, .split = "random"},
      {.kind = "balanced", .copies = 2},
      {.kind = "grown",
       .split_at = {0.3},
       .growth = {.budget = 2, .slots = "random", .questions = "random"}}};
  std::string text =
      "the loss of each of 20 steps on stripes, resnet-pooling(layers=5, poolings=2, width=4)\n";
  for (const auto& way : ways) {
    text += way.kind + "\n";
    double early = 0, late = 0;
    train_stripes(way, [&](const TrainProgress& now) {
      char line[64];
      std::snprintf(line, sizeof line, "%3d  %.4f\n", static_cast<int>(now.step),
                    now.metrics.at("loss"));
      text += line;
      (now.step <= 10 ? early : late) += now.metrics.at("loss") / 10;
    });
    CHECK(late < early);
  }
  check_golden("training.txt", text, 0.0015);
}

TEST_CASE("a training step runs as many ops as it did") {
  // What a small network costs a GPU is mostly the host's time for these.
  std::string text = "ops of LibTorch in the shortest of 20 training steps\n";
  for (const SharingSettings& way :
       {SharingSettings{.kind = "plain", .copies = 1},
        SharingSettings{.kind = "layer-wise", .copies = 2, .hidden = 8}}) {
    const auto count = ops_of_a_step(way);
    CHECK(count > 0);
    text += way.kind + "  " + std::to_string(count) + "\n";
  }
  check_golden("ops.txt", text, 20);
}
