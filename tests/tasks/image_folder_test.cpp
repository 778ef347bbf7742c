#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "files.hpp"
#include "images.hpp"
#include "mosaic/tasks/task.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

std::unique_ptr<Task> make(const TemporaryFolder& folder, double validation = 0.2) {
  return tasks::tasks().at("image-folder")(
      {.path = folder.path(), .validation = validation, .image_size = 8});
}

/// `count` plain images a class, PNG and JPEG by turns, dark for cats and bright for dogs.
void write_pets(const TemporaryFolder& folder, const std::string& part, int count) {
  for (int i = 0; i < count; ++i) {
    const auto level = static_cast<std::uint8_t>(10 + i);
    const auto bright = static_cast<std::uint8_t>(200 + i);
    const std::string number = std::to_string(i);
    folder.write(part + "/cat/" + number + ".png", plain_png(8, 8, level, level, level));
    folder.write(part + "/dog/" + number + ".JPG",
                 jpeg(12, 10, 3, std::vector<std::uint8_t>(360, bright)));
  }
}

}  // namespace

TEST_CASE("a folder of images becomes a task") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  write_pets(folder, "test", 3);
  folder.write("train/cat/.hidden.png", "");
  folder.write("train/dog/notes.txt", "not an image");
  const auto task = make(folder);
  CHECK(task->name() == "image-folder");
  CHECK(task->class_names() == std::vector<std::string>{"cat", "dog"});
  CHECK(task->input_shape() == std::vector<std::int64_t>{3, 8, 8});
  CHECK(task->size(Split::train) == 16);
  CHECK(task->size(Split::validation) == 4);
  CHECK(task->size(Split::test) == 6);
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const Batch batch = task->batch(split, 0, 100);
    CHECK(batch.inputs.mean({1, 2, 3}).gt(0).to(at::kLong).equal(batch.targets));
  }
  CHECK(make(folder)->checksum() == task->checksum());
}

TEST_CASE("val/ is the test split where there is no test/") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  write_pets(folder, "val", 2);
  CHECK(make(folder)->size(Split::test) == 4);
}

TEST_CASE("without test/ and val/ a tenth of the images is the test split") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  const auto task = make(folder);
  CHECK(task->size(Split::test) == 2);
  CHECK(task->size(Split::train) + task->size(Split::validation) == 18);
}

TEST_CASE("folders that are no data set are refused with what is missing") {
  const TemporaryFolder folder;
  const auto message = [&] { return refusal([&] { make(folder); }); };

  SECTION("no path") {
    CHECK(refusal([] { tasks::tasks().at("image-folder")({}); }) ==
          "the task image-folder needs a folder: set [task] path to one that holds "
          "train/<class>/*.jpg");
  }
  SECTION("no train folder") {
    CHECK(message() == folder.path() +
                           " has no folder train: expected train/<class>/*.jpg (or .jpeg, .png), "
                           "and test/ alike");
  }
  SECTION("one class") {
    folder.write("train/cat/0.png", plain_png(8, 8, 1, 2, 3));
    CHECK_THAT(message(), Contains("train has 1 class folders, at least 2 are needed"));
  }
  SECTION("an empty class") {
    write_pets(folder, "train", 2);
    folder.write("train/bird/notes.txt", "");
    CHECK(message() == "the class folder " + folder.path() +
                           "/train/bird has no images: add .jpg, .jpeg or .png files, or remove "
                           "the folder");
  }
  SECTION("a class of the test split only") {
    write_pets(folder, "train", 2);
    folder.write("test/bird/0.png", plain_png(8, 8, 1, 2, 3));
    CHECK_THAT(message(),
               Contains("test/bird is a class that train/ does not have: train/ has cat, dog"));
  }
  SECTION("an empty test folder") {
    write_pets(folder, "train", 2);
    std::filesystem::create_directories(folder.path() + "/test");
    CHECK_THAT(message(), Contains("test has no class folders"));
  }
  SECTION("a broken image, the first of several") {
    write_pets(folder, "train", 20);
    for (const char* name : {"5", "6", "7", "8"})
      folder.write(std::string("train/cat/") + name + ".png", "");
    CHECK_THAT(message(), Contains("train/cat/5.png is empty (0 bytes): replace the file"));
  }
  SECTION("fewer images than splits") {
    folder.write("train/cat/0.png", plain_png(8, 8, 1, 2, 3));
    folder.write("train/dog/0.png", plain_png(8, 8, 4, 5, 6));
    CHECK(message() ==
          "image-folder: 2 images are too few to take a test split from: add images, or a folder "
          "test/");
  }
}
