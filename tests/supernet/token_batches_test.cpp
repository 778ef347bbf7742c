// Training on batches of so many tokens.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/tasks/task.hpp"
#include "side_by_side.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using namespace mosaic::supernet::test;

namespace {

/// Sentences of 1 to 30 words, of which the first one is the label.
std::unique_ptr<tasks::Task> sentences() {
  const auto folder = std::filesystem::temp_directory_path() / "mosaic_token_batches";
  std::filesystem::create_directories(folder);
  {
    std::ofstream file(folder / "train.tsv");
    file << "label\tsentence\n";
    core::Stream stream(1, "sentences");
    const std::vector<std::string> words{"good", "bad", "film", "plot", "cast", "tale"};
    for (int line = 0; line < 400; ++line) {
      const auto label = stream.below(2);
      file << label << "\t" << words[label];
      for (std::uint64_t left = stream.below(30); left > 0; --left)
        file << " " << words[2 + stream.below(4)];
      file << "\n";
    }
  }
  tasks::TaskSettings settings;
  settings.path = folder.string();
  settings.vocabulary = 40;
  settings.longest = 32;
  ::setenv("MOSAIC_CACHE", (folder / "cache").c_str(), 1);
  auto task = tasks::tasks().at("text-classification").make(settings);
  ::unsetenv("MOSAIC_CACHE");
  return task;
}

spaces::Space small_bert(const tasks::Task& task) {
  return spaces::Space::make("bert", task.shape(), {{"layers", "2"}, {"dropout_percent", "0"}});
}

TrainSettings of_tokens(std::int64_t tokens) {
  TrainSettings settings;
  settings.batch_tokens = tokens;
  settings.epochs = 2;
  settings.optimizer = "adamw";
  settings.learning_rate = 1e-3;
  settings.precision = "float32";
  settings.checkpoint_minutes = 0;  // after every step
  return settings;
}

}  // namespace

TEST_CASE("a training on batches of tokens ends bit for bit where an unbroken one does") {
  const auto task = sentences();
  const auto space = small_bert(*task);
  const auto settings = of_tokens(256);
  const auto batches = batches_of(*task, settings);
  CHECK(batches.per_epoch == task->token_batches(256));
  CHECK(batches.examples == Approx(static_cast<double>(task->size(tasks::Split::train)) /
                                   static_cast<double>(batches.per_epoch)));
  const auto path = std::filesystem::temp_directory_path() / "mosaic_token_batches.safetensors";
  std::filesystem::remove(path);
  TrainHooks hooks;
  hooks.identity = "test";
  const auto net = [&] { return Supernet(space, {.kind = "plain"}, 1); };
  Supernet whole = net(), broken = net(), resumed = net();
  double last = 0;
  hooks.report = [&](const TrainProgress& progress) { last = progress.metrics.at("loss"); };
  train(*supernet_trainee(whole, settings, 1), *task, settings, hooks);
  CHECK(last < 0.6);  // it learns: chance is ln 2

  struct Stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  hooks.checkpoint = path.string();
  hooks.report = [](const TrainProgress& progress) {
    if (progress.step > 20) throw Stopped("stopped");
  };
  CHECK_THROWS_AS(train(*supernet_trainee(broken, settings, 1), *task, settings, hooks), Stopped);
  hooks.report = {};
  std::int64_t at = 0;
  hooks.resumed = [&](std::int64_t step) { at = step; };
  train(*supernet_trainee(resumed, settings, 1), *task, settings, hooks);
  CHECK(at >= 20);
  const auto a = whole.parameters(), b = resumed.parameters();
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].first);
    CHECK(at::equal(a[i].second, b[i].second));
  }
}

TEST_CASE("networks side by side, each in its order of batches of tokens, train as each alone") {
  const auto task = sentences();
  const auto space = small_bert(*task);
  auto settings = of_tokens(200);
  settings.optimizer = "sgd";
  settings.learning_rate = 0.02;
  settings.epochs = 1;
  settings.clip = 0;
  Supernet a(space, {.kind = "plain"}, 1), b(space, {.kind = "plain"}, 2),
      alone(space, {.kind = "plain"}, 1);
  const std::vector<Supernet*> members{&a, &b};
  train(*supernet_trainee(members, settings, 7, {0, 1}), *task, settings, {});
  train(*supernet_trainee(alone, settings, 7), *task, settings, {});
  CHECK(largest_difference(a.parameters(), alone.parameters()) < 1e-2);
}

TEST_CASE("batches of tokens are refused where they mean nothing") {
  const auto images = small_task();
  const auto space = spaces::Space::make("resnet-elastic", spaces::image_task({1, 28, 28}, 10),
                                         {{"width", "8"}, {"blocks", "2"}});
  const auto settings = of_tokens(256);
  Supernet net(space, {.kind = "plain"}, 1);
  CHECK_THROWS_WITH(train(*supernet_trainee(net, settings, 1), *images, settings, {}),
                    Catch::Contains("is of no texts"));

  const auto task = sentences();
  auto importance = of_tokens(256);
  importance.sampler = "importance";
  const auto bert = small_bert(*task);
  Supernet text(bert, {.kind = "plain"}, 1);
  CHECK_THROWS_WITH(train(*supernet_trainee(text, importance, 1), *task, importance, {}),
                    Catch::Contains("cannot fill it with batch_tokens"));
}
