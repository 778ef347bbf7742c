#include <cstdio>
#include <filesystem>
#include <fstream>

#include "mosaic/jobs/ranking.hpp"
#include "stripes.hpp"

#include "golden.hpp"

using namespace mosaic;

namespace {

const core::Registered kEntry{
    tasks::tasks(), "stripes", "for tests: needs no files",
    tasks::TaskType{[](const tasks::TaskSettings&) { return std::make_unique<Stripes>(); },
                    Stripes::type_metrics()}};

constexpr const char* kJob = R"([job]
name = "golden"
device = "cpu"
[space]
name = "resnet-pooling"
layers = 4
poolings = 1
width = 4
[task]
name = "stripes"
[supernet]
router = "plain"
epochs = 2
batch_size = 32
learning_rate = 0.05
[rank]
supernets = 2
[rank.truth]
seeds = 1
epochs = 2
batch_size = 32
learning_rate = 0.05
)";

}  // namespace

TEST_CASE("a ranking has the scores that it had before") {
  const auto folder = std::filesystem::temp_directory_path() / "mosaic_golden_rank";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "job.toml") << kJob;
  const auto result = jobs::run_rank({.job_file = (folder / "job.toml").string(),
                                      .db = (folder / "rank.db").string(),
                                      .page = (folder / "rank.html").string()});
  REQUIRE(result);
  const auto number = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "  %.3f", value);
    return std::string(text);
  };
  std::string text =
      "resnet-pooling(layers=4, poolings=1, width=4) on stripes: truth, and what "
      "each supernet says\n";
  for (std::size_t i = 0; i < result->networks.size(); ++i)
    text += result->networks[i].arch + number(result->networks[i].truth) + "\n";
  for (const auto& score : result->scores) {
    text += score.name + ", Kendall's tau" + number(score.over_seeds.kendall.mean) + "\n";
    for (std::size_t i = 0; i < result->networks.size(); ++i) {
      text += "  " + result->networks[i].arch;
      for (const auto& seed : score.values) text += number(seed[i]);
      text += "\n";
    }
  }
  std::filesystem::remove_all(folder);
  check_golden("rank.txt", text, 0.0015);
}
