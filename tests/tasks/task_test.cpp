#include "mosaic/tasks/task.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

TaskSettings read(const std::string& text) {
  const core::Config config = core::Config::from_text(text, "job.toml");
  core::Config copy = config;
  const TaskSettings settings = TaskSettings::read(copy.root().section("task"), 5);
  copy.finish();
  return settings;
}

}  // namespace

TEST_CASE("task settings have defaults") {
  const TaskSettings settings = read("");
  CHECK(settings.name == "fashion-mnist");
  CHECK(settings.path.empty());
  CHECK(settings.seed == 5);
  CHECK(settings.validation == 0.1);
  CHECK(settings.limit == 0);
  CHECK(settings.augment);
  CHECK(settings.image_size == 32);
}

TEST_CASE("every key of [task] is explained") {
  const auto meanings = TaskSettings::meanings();
  for (const auto& setting : core::listed(TaskSettings()))
    CHECK_FALSE(meanings.at(setting.key).empty());
}

TEST_CASE("task settings are read from the section [task]") {
  const TaskSettings settings = read(R"([task]
name = "image-folder"
path = "photos"
validation = 0.25
limit = 500
augment = false
image_size = 64
)");
  CHECK(settings.name == "image-folder");
  CHECK(settings.path == "photos");
  CHECK(settings.validation == 0.25);
  CHECK(settings.limit == 500);
  CHECK_FALSE(settings.augment);
  CHECK(settings.image_size == 64);
}

TEST_CASE("task settings out of range are refused with file and line") {
  const auto message = [](const std::string& line) {
    return refusal([&] { read("[task]\n" + line + "\n"); });
  };
  CHECK_THAT(message("validation = 1.0"), Contains("job.toml:2") && Contains("validation"));
  CHECK_THAT(message("validation = -0.1"), Contains("job.toml:2") && Contains("validation"));
  CHECK_THAT(message("limit = -1"), Contains("job.toml:2") && Contains("limit"));
  CHECK_THAT(message("image_size = 0"), Contains("job.toml:2") && Contains("image_size"));
  CHECK_THAT(message("augment = 1"), Contains("job.toml:2") && Contains("augment"));
  CHECK_THAT(message("limits = 5"), Contains("job.toml:2") && Contains("limit"));
  CHECK_THAT(message("name = \"fashion-mnst\""),
             Contains("job.toml:2") && Contains("fashion-mnist") && Contains("image-folder"));
}

TEST_CASE("an unknown task lists the known ones") {
  CHECK_THAT(refusal([] { tasks::tasks().at("cifar-10"); }),
             Contains("unknown task 'cifar-10': did you mean 'cifar10'? known: causal-lm, "
                      "cifar10, fashion-mnist, image-folder, masked-lm, text-classification"));
}

TEST_CASE("splits have names") {
  CHECK(to_string(Split::train) == "train");
  CHECK(to_string(Split::validation) == "validation");
  CHECK(to_string(Split::test) == "test");
}
