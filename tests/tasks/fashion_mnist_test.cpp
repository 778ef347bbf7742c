#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <set>

#include "batches.hpp"
#include "files.hpp"
#include "mosaic/tasks/task.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

/// 40 + 10 images of 28x28 in Fashion-MNIST's files.
void write_small(const TemporaryFolder& folder) {
  const auto labels = [](std::size_t count) {
    std::string result(count, '\0');
    for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<char>(i % 10);
    return result;
  };
  folder.write("train-images-idx3-ubyte", idx_images(40, 28, 28, ramp(40 * 784, 11)));
  folder.write("train-labels-idx1-ubyte", idx_labels(labels(40)));
  folder.write("t10k-images-idx3-ubyte", idx_images(10, 28, 28, ramp(10 * 784, 13)));
  folder.write("t10k-labels-idx1-ubyte", idx_labels(labels(10)));
}

std::unique_ptr<Task> make(TaskSettings settings) {
  return tasks::tasks().at("fashion-mnist").make(settings);
}

}  // namespace

TEST_CASE("fashion-mnist without its files says which package to install") {
  const TemporaryFolder folder;
  CHECK(refusal([&] { make({.path = folder.path()}); }) ==
        "Fashion-MNIST is not in " + folder.path() +
            ": train-images-idx3-ubyte.gz is missing: install the Debian package "
            "dataset-fashion-mnist, or set [task] path to the folder with its four IDX files");
}

TEST_CASE("fashion-mnist without its files says which folder it looked into") {
  CHECK_THAT(refusal([] { make({.path = "none"}); }),
             Contains("Fashion-MNIST is not in none (" + std::filesystem::current_path().string() +
                      "/none): "));
}

TEST_CASE("fashion-mnist's files may have a dot in their names") {
  const TemporaryFolder folder;
  write_small(folder);
  for (const char* name : {"train-images-idx3", "train-labels-idx1", "t10k-images-idx3"}) {
    const std::string path = folder.path() + "/" + name + "-ubyte";
    std::string dotted = path;
    dotted.replace(dotted.find("-idx"), 1, ".");
    std::filesystem::rename(path, dotted);
  }
  const auto task = make({.path = folder.path()});
  CHECK(task->size(Split::train) == 36);
  CHECK(task->preprocessing().at("image").at("steps") ==
        "(pixel / 255 - mean) / deviation as [channels, height, width]");
}

TEST_CASE("fashion-mnist refuses an image size") {
  CHECK_THAT(
      refusal([] { make({.image_size = 64}); }),
      Contains("the images of fashion-mnist have a size of their own: leave image_size out"));
}

TEST_CASE("fashion-mnist refuses test images of another size than the training images") {
  const TemporaryFolder folder;
  write_small(folder);
  folder.write("t10k-images-idx3-ubyte", idx_images(10, 32, 32, ramp(10 * 1024)));
  CHECK_THAT(
      refusal([&] { make({.path = folder.path()}); }),
      Contains("training images are 1x28x28 (channels, height, width), test images 1x32x32"));
}

TEST_CASE("fashion-mnist reads small files of its own format") {
  const TemporaryFolder folder;
  write_small(folder);
  const auto task = make({.path = folder.path()});
  CHECK(task->name() == "fashion-mnist");
  CHECK(task->shape() == spaces::image_task({1, 28, 28}, 10));
  CHECK(class_names(*task)[9] == "ankle boot");
  CHECK(task->size(Split::train) == 36);
  CHECK(task->size(Split::validation) == 4);
  CHECK(task->size(Split::test) == 10);
}

TEST_CASE("the real Fashion-MNIST has the sizes, statistics and balance that its paper states") {
  need(std::filesystem::exists("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"),
       Need::kData, "the Debian package dataset-fashion-mnist is not installed");
  const auto task = make({.validation = 0});
  CHECK(task->size(Split::train) == 60000);
  CHECK(task->size(Split::test) == 10000);
  REQUIRE(normalisation(*task).mean.size() == 1);
  CHECK(normalisation(*task).mean[0] == Approx(0.2860).margin(1e-4));
  CHECK(normalisation(*task).standard_deviation[0] == Approx(0.3530).margin(1e-4));
  const Batch train = stored(*task, Split::train, 0, 60000);
  CHECK(image(train).sizes() == at::IntArrayRef({60000, 1, 28, 28}));
  CHECK(image(train).mean().item<double>() == Approx(0).margin(1e-4));
  CHECK(image(train).var().item<double>() == Approx(1).margin(1e-4));
  CHECK(label(train).bincount().eq(6000).all().item<bool>());
  const Batch test = stored(*task, Split::test, 0, 20000);
  CHECK(label(test).bincount().eq(1000).all().item<bool>());
  CHECK(label(test)[0].item<int>() == 9);  // the first test image is an ankle boot
}
