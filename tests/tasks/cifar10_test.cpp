#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "batches.hpp"
#include "files.hpp"
#include "images.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/tasks/task.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

/// A record whose red, green and blue planes hold `red`, 2 red and 3 red, but for its first pixel
/// (1, 2, 3).
std::string record(int label, int red) {
  std::string bytes(1, static_cast<char>(label));
  for (int channel = 1; channel <= 3; ++channel) {
    bytes += static_cast<char>(channel);
    bytes += std::string(1023, static_cast<char>(channel * red));
  }
  return bytes;
}

void write_binary(const TemporaryFolder& folder, const std::string& below = "") {
  for (int file = 1; file <= 5; ++file) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += record((file + i) % 10, 10 * file + i);
    folder.write(below + "data_batch_" + std::to_string(file) + ".bin", bytes);
  }
  folder.write(below + "test_batch.bin", record(3, 70) + record(9, 80));
}

std::unique_ptr<Task> make(const std::string& path) {
  core::set_log_level(core::LogLevel::error);  // the files are smaller than the original ones
  return tasks::tasks().at("cifar10").make({.path = path});
}

const std::vector<std::string> kClasses{"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};

}  // namespace

TEST_CASE("CIFAR-10's binary files are read") {
  const TemporaryFolder folder;
  write_binary(folder);
  const auto task = make(folder.path());
  CHECK(task->name() == "cifar10");
  CHECK(class_names(*task) == kClasses);
  CHECK(task->shape() == spaces::image_task({3, 32, 32}, 10));
  CHECK(task->size(Split::train) == 18);
  CHECK(task->size(Split::validation) == 2);
  CHECK(task->size(Split::test) == 2);
  const Batch test = stored(*task, Split::test, 0, 2);
  CHECK(label(test).equal(at::tensor({3, 9}, at::kLong)));
  const Normalisation n = normalisation(*task);
  const auto byte = [&](int number, int channel, int y, int x) {
    const auto c = static_cast<std::size_t>(channel);
    const double value = image(test)[number][channel][y][x].item<double>();
    return std::lround(255 * (value * n.standard_deviation[c] + n.mean[c]));
  };
  for (int channel = 0; channel < 3; ++channel) {
    CHECK(byte(0, channel, 0, 0) == channel + 1);
    CHECK(byte(0, channel, 0, 1) == 70 * (channel + 1));
    CHECK(byte(1, channel, 31, 31) == 80 * (channel + 1));
  }
}

TEST_CASE("the folder that the archive unpacks to is found below the path") {
  const TemporaryFolder folder;
  write_binary(folder, "cifar-10-batches-bin/");
  CHECK(make(folder.path())->size(Split::test) == 2);
}

TEST_CASE("CIFAR-10 as a folder of images is read with the same classes") {
  const TemporaryFolder folder;
  for (const std::string& name : kClasses)
    for (const char* file : {"train/NAME/0.png", "train/NAME/1.jpg", "test/NAME/0.png"}) {
      std::string path = file;
      path.replace(path.find("NAME"), 4, name);
      folder.write(path, plain_png(32, 32, 9, 99, 199));
    }
  const auto task = make(folder.path());
  CHECK(class_names(*task) == kClasses);
  CHECK(task->size(Split::train) == 18);
  CHECK(task->size(Split::test) == 10);
}

TEST_CASE("what is not CIFAR-10 is refused with what to do") {
  const TemporaryFolder folder;
  const auto message = [&] { return refusal([&] { make(folder.path()); }); };

  SECTION("no path") {
    CHECK_THAT(refusal([] { make(""); }),
               Contains("the task cifar10 needs a folder: set [task] path to one that holds "
                        "data_batch_1.bin"));
  }
  SECTION("an image size") {
    CHECK_THAT(refusal([] { tasks::tasks().at("cifar10").make({.path = "x", .image_size = 64}); }),
               Contains("the images of cifar10 have a size of their own"));
  }
  SECTION("missing folder") {
    CHECK(refusal([&] { make(folder.path() + "/none"); }) ==
          folder.path() +
              "/none does not exist: set [task] path to a folder with data_batch_1.bin (CIFAR-10's "
              "binary files) or train/<class>/*.jpg");
  }
  SECTION("the archive itself") {
    const std::string archive = folder.write("cifar-10-binary.tar.gz", "");
    CHECK_THAT(refusal([&] { make(archive); }),
               Contains("cifar-10-binary.tar.gz is a file, not a folder: unpack it (tar -xf " +
                        archive + ")"));
  }
  SECTION("empty folder") {
    CHECK_THAT(message(), Contains("has nothing of CIFAR-10: expected data_batch_1.bin") &&
                              Contains("an archive must be unpacked first (tar -xf)"));
  }
  SECTION("a relative path") {
    CHECK_THAT(refusal([] { make("none"); }),
               Contains("none (" + std::filesystem::current_path().string() + "/none) does not"));
  }
  SECTION("the Python version") {
    folder.write("cifar-10-batches-py/data_batch_1", "x");
    CHECK(message() == folder.path() +
                           " holds cifar-10-batches-py/data_batch_1: this is the Python version of "
                           "CIFAR-10: get the binary version: cifar-10-binary.tar.gz");
    CHECK_THAT(refusal([&] { make(folder.path() + "/cifar-10-batches-py"); }),
               Contains("holds data_batch_1: this is the Python version of CIFAR-10"));
  }
  SECTION("the MATLAB version") {
    folder.write("data_batch_1.mat", "x");
    CHECK_THAT(message(), Contains("holds data_batch_1.mat: this is the MATLAB version"));
  }
  SECTION("CIFAR-100") {
    SECTION("in binary") { folder.write("cifar-100-binary/train.bin", "x"); }
    SECTION("in Python") {
      folder.write("cifar-100-python/train", "x");
      folder.write("cifar-100-python/meta", "x");
    }
    CHECK_THAT(message(), Contains("train: this is CIFAR-100, not CIFAR-10: write its images to "
                                   "train/<class>/*.png and test/ alike, and use the task "
                                   "image-folder"));
  }
  SECTION("CIFAR-100 under the names of CIFAR-10") {
    write_binary(folder);
    folder.write("data_batch_1.bin", std::string(2 * 3074, '\1'));
    CHECK_THAT(message(), Contains("data_batch_1.bin is a file of CIFAR-100: it has records of "
                                   "3074 bytes, CIFAR-10 of 3073: write its images to"));
  }
  SECTION("a missing file") {
    write_binary(folder);
    std::filesystem::remove(folder.path() + "/data_batch_4.bin");
    CHECK_THAT(message(), Contains("data_batch_4.bin"));
  }
  SECTION("a truncated file") {
    write_binary(folder);
    folder.write("data_batch_2.bin", record(1, 2) + record(3, 4).substr(0, 3000));
    CHECK_THAT(message(),
               Contains("data_batch_2.bin is truncated or not a CIFAR-10 file: 6,073 bytes are not "
                        "whole records of 3073: fetch and unpack cifar-10-binary.tar.gz again"));
  }
  SECTION("an empty file") {
    write_binary(folder);
    folder.write("test_batch.bin", "");
    CHECK_THAT(message(), Contains("test_batch.bin is truncated or not a CIFAR-10 file: 0 bytes"));
  }
  SECTION("a label out of range") {
    write_binary(folder);
    folder.write("data_batch_3.bin", record(1, 2) + record(10, 4));
    CHECK_THAT(message(),
               Contains("data_batch_3.bin: label 10 of image 1 is not one of the 10 classes 0..9"));
  }
  SECTION("other classes") {
    folder.write("train/cat/0.png", plain_png(32, 32, 1, 2, 3));
    folder.write("train/dog/0.png", plain_png(32, 32, 1, 2, 3));
    CHECK_THAT(message(), Contains("train is not CIFAR-10: its classes are cat, dog: use the task "
                                   "image-folder for other images"));
  }
}

TEST_CASE("a few images of the CIFAR-10 JPEG archive are read") {
  const char* data = std::getenv("MOSAIC_DATA_DIR");
  const std::string archive = data ? std::string(data) + "/cifar10-jpeg.tar.gz" : "";
  need(data && std::filesystem::exists(archive), Need::kOther,
       "set MOSAIC_DATA_DIR to a folder with cifar10-jpeg.tar.gz");
  const TemporaryFolder folder;
  const std::string command = "tar -xzf '" + archive + "' -C '" + folder.path() +
                              "' --wildcards '*/*/000?.jpg' 2>/dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
  const auto task = make(folder.path());
  CHECK(task->size(Split::train) + task->size(Split::validation) == 100);
  CHECK(task->size(Split::test) == 100);
  CHECK(label(stored(*task, Split::test, 0, 100)).bincount().eq(10).all().item<bool>());
  for (const double mean : normalisation(*task).mean) CHECK(mean == Approx(0.47).margin(0.06));
}
