#include <ATen/ATen.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "batches.hpp"
#include "files.hpp"
#include "images.hpp"
#include "images/image_tree.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/tasks/task.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

std::unique_ptr<Task> make(const TemporaryFolder& folder, double validation = 0.2) {
  return tasks::tasks()
      .at("image-folder")
      .make({.path = folder.path(), .validation = validation, .image_size = 8});
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
  CHECK(class_names(*task) == std::vector<std::string>{"cat", "dog"});
  CHECK(task->shape() == spaces::image_task({3, 8, 8}, 2));
  CHECK(task->size(Split::train) == 16);
  CHECK(task->size(Split::validation) == 4);
  CHECK(task->size(Split::test) == 6);
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const Batch batch = stored(*task, split, 0, 100);
    CHECK(image(batch).mean({1, 2, 3}).gt(0).to(at::kLong).equal(label(batch)));
  }
  CHECK(make(folder)->checksum() == task->checksum());
}

TEST_CASE("a folder of images says how many there are, of which classes, in which splits") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  write_pets(folder, "test", 3);
  CHECK(make(folder)->summary() ==
        "26 images of 2 classes (13 of each): 16 to train, 4 to validate, 6 to test");
  folder.write("train/cat/one_more.png", plain_png(8, 8, 1, 1, 1));
  CHECK_THAT(make(folder)->summary(), Contains("27 images of 2 classes (cat 14, dog 13)"));
  for (int i = 0; i < 11; ++i)
    folder.write("train/fish" + std::to_string(i) + "/0.png", plain_png(8, 8, 9, 9, 9));
  CHECK_THAT(make(folder)->summary(),
             Contains("38 images of 13 classes (fewest: fish0 1; most: cat 14)"));
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
    CHECK(refusal([] { tasks::tasks().at("image-folder").make({}); }) ==
          "the task image-folder needs a folder: set [task] path to one that holds "
          "train/<class>/*.jpg");
  }
  SECTION("no folder") {
    CHECK(refusal([] { tasks::tasks().at("image-folder").make({.path = "none/such"}); }) ==
          "none/such (" + std::filesystem::current_path().string() +
              "/none/such) does not exist: set [task] path to a folder with train/<class>/*.jpg");
  }
  SECTION("an archive") {
    const std::string archive = folder.write("pets.zip", "");
    CHECK_THAT(refusal([&] { tasks::tasks().at("image-folder").make({.path = archive}); }),
               Contains("pets.zip is a file, not a folder: unpack it"));
  }
  SECTION("Train with a capital") {
    write_pets(folder, "Train", 2);
    CHECK(message() == folder.path() +
                           " has no folder train, but Train: rename it: capital and small letters "
                           "are told apart");
  }
  SECTION("train one folder deeper") {
    write_pets(folder, "pets/train", 2);
    CHECK(message() == folder.path() + " has no folder train, but " + folder.path() +
                           "/pets has: set [task] path to " + folder.path() + "/pets");
  }
  SECTION("class folders without train") {
    write_pets(folder, ".", 2);
    CHECK(message() == folder.path() + " has no folder train, but images in " + folder.path() +
                           "/cat: move the class folders into a folder train, and set [task] path "
                           "to the folder above that");
  }
  SECTION("links to nothing") {
    write_pets(folder, "train", 2);
    SECTION("a class") {
      std::filesystem::create_symlink("/gone/bird", folder.path() + "/train/bird");
      CHECK(message() == folder.path() +
                             "/train/bird is a link to /gone/bird, which does not exist: mend the "
                             "link or remove it");
    }
    SECTION("a split") {
      std::filesystem::create_symlink("/gone/test", folder.path() + "/test");
      CHECK_THAT(message(), Contains("/test is a link to /gone/test, which does not exist"));
    }
    SECTION("an image") {
      std::filesystem::create_symlink("/gone/9.png", folder.path() + "/train/cat/9.png");
      CHECK_THAT(message(), Contains("/train/cat/9.png is a link to /gone/9.png, which does not"));
    }
  }
  SECTION("images one folder deeper") {
    write_pets(folder, "train", 2);
    folder.write("train/bird/small/0.png", plain_png(8, 8, 1, 2, 3));
    CHECK(message() == "the class folder " + folder.path() +
                           "/train/bird has no images: they lie one folder deeper, in " +
                           folder.path() +
                           "/train/bird/small: move them up: expected train/<class>/*.jpg");
  }
  SECTION("all classes one folder deeper") {
    write_pets(folder, "train/pets", 2);
    CHECK_THAT(message(),
               Contains("train has 1 class folders, at least 2 are needed; images lie one folder "
                        "deeper, in " +
                        folder.path() + "/train/pets/cat: expected train/<class>/*.jpg"));
  }
  SECTION("a class of other formats") {
    write_pets(folder, "train", 2);
    for (const char* file : {"0.webp", "1.webp", "2.WebP", "3.gif", "README"})
      folder.write(std::string("train/bird/") + file, "x");
    CHECK(message() == "the class folder " + folder.path() +
                           "/train/bird has no images but 3 .webp, 1 without an ending, 1 .gif: "
                           "Mosaic reads .jpg, .jpeg, .png: convert the files, or remove the "
                           "folder");
  }
  SECTION("names that are not UTF-8") {
    write_pets(folder, "train", 2);
    SECTION("of a class") {
      folder.write("train/caf\xe9/0.png", plain_png(8, 8, 1, 2, 3));
      CHECK(
          message() ==
          folder.path() +
              "/train has names that are not UTF-8: caf\uFFFD: rename them (convmv -r -f latin1 -t "
              "utf8 --notest does all below a folder that are Latin-1)");
    }
    SECTION("of images") {
      for (const char* name : {"\xe9",
                               "\xe9"
                               "1",
                               "\xe9"
                               "2",
                               "\xe9"
                               "3",
                               "\xe9"
                               "4",
                               "\xe9"
                               "5"})
        folder.write("train/cat/" + std::string(name) + ".png", plain_png(8, 8, 1, 2, 3));
      CHECK_THAT(message(),
                 Contains(folder.path() +
                          "/train/cat has names that are not UTF-8: \uFFFD.png, \uFFFD1.png, ") &&
                     Contains("\uFFFD4.png, and 1 more: rename them"));
    }
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
                           "/train/bird has no images but 1 .txt: Mosaic reads .jpg, .jpeg, .png: "
                           "convert the files, or remove the folder");
    std::filesystem::remove(folder.path() + "/train/bird/notes.txt");
    folder.write("train/bird/Thumbs.db", "");
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
  SECTION("a broken image") {
    write_pets(folder, "train", 20);
    folder.write("train/cat/5.png", "");
    CHECK(message() ==
          folder.path() + "/train/cat/5.png is empty (0 bytes): replace the file or remove it");
  }
  SECTION("broken images of all splits, at once") {
    write_pets(folder, "train", 10);
    write_pets(folder, "test", 3);
    for (const char* name : {"train/cat/5", "train/cat/6", "train/cat/7", "train/dog/1",
                             "test/cat/0", "test/cat/1", "test/dog/x"})
      folder.write(std::string(name) + ".png", std::string(name).ends_with('6') ? "GIF" : "");
    const std::string at = folder.path() + "/", empty = ".png is empty (0 bytes); ";
    CHECK(message() == "7 of 28 images cannot be read: " + at + "train/cat/5" + empty + at +
                           "train/cat/6.png is neither a JPEG nor a PNG image; " + at +
                           "train/cat/7" + empty + at + "train/dog/1" + empty + at + "test/cat/0" +
                           empty + "and 2 more: replace the files or remove them");
  }
  SECTION("fewer images than splits") {
    folder.write("train/cat/0.png", plain_png(8, 8, 1, 2, 3));
    folder.write("train/dog/0.png", plain_png(8, 8, 4, 5, 6));
    CHECK(message() ==
          "image-folder: 2 images are too few to take a test split from: add images, or a folder "
          "test/");
  }
}

TEST_CASE("what a folder of images leaves out is told in a line") {
  const TemporaryFolder folder;
  const auto log = [&] {
    core::set_log_level(core::LogLevel::info);
    return told([&] { make(folder); });
  };
  write_pets(folder, "train", 10);
  write_pets(folder, "test", 3);

  SECTION("nothing where nothing is, and stray files do not count") {
    for (const char* file : {"train/cat/.DS_Store", "train/cat/Thumbs.db", "train/dog/desktop.ini",
                             "train/dog/._0.jpg", "train/.ipynb_checkpoints/0.png", ".DS_Store"})
      folder.write(file, "x");
    CHECK(log() == "");
  }
  SECTION("other endings, counted over classes and splits") {
    for (const char* file : {"train/cat/a.webp", "train/cat/b.WEBP", "train/dog/c.webp",
                             "test/dog/d.webp", "test/cat/e.gif"})
      folder.write(file, "x");
    CHECK_THAT(log(),
               Contains("warning") &&
                   Contains(folder.path() +
                            ": left out: 4 .webp, 1 .gif: Mosaic reads .jpg, .jpeg, .png\n"));
  }
  SECTION("images outside of class folders") {
    for (const char* file : {"train/0.png", "train/1.jpg", "train/cat/more/0.png"})
      folder.write(file, plain_png(8, 8, 1, 2, 3));
    CHECK_THAT(log(), Contains("left out: images outside of <class>/: 2 in " + folder.path() +
                               "/train, 1 in " + folder.path() + "/train/cat/more\n"));
  }
  SECTION("a class that the test split lacks") {
    folder.write("train/bird/0.png", plain_png(8, 8, 1, 2, 3));
    CHECK_THAT(log(),
               Contains("warning") &&
                   Contains(folder.path() +
                            "/test lacks 1 of the 3 classes, scores on it tell nothing of them: "
                            "bird\n"));
  }
  SECTION("folders that look like splits") {
    write_pets(folder, "Valid", 1);
    CHECK_THAT(log(), Contains("info") &&
                          Contains(folder.path() + ": Valid/ is not read (test/ is the test "));
    std::filesystem::rename(folder.path() + "/test", folder.path() + "/Test");
    CHECK_THAT(log(), Contains("warning") &&
                          Contains(folder.path() +
                                   ": Test/, Valid/ is not read: the test split is called test/ or "
                                   "val/; now a tenth of train/ is taken for it"));
  }
}

TEST_CASE("a task says how its files become inputs") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  CHECK(
      make(folder)->preprocessing().at("image").at("steps") ==
      "Pillow: ImageOps.exif_transpose(image).convert(\"RGB\") (alpha is dropped; 16-bit grey is "
      "to be divided by 257 before); resize((8, 8), Image.Resampling.BILINEAR); then (pixel / 255 "
      "- mean) / deviation as [channels, height, width]");
}

TEST_CASE("names in UTF-8 are kept as they are") {
  const TemporaryFolder folder;
  for (const char* name : {"größe", "猫", "big dog"})
    for (const char* file : {"0.png", "1.png", "ä.png", "3.png"})
      folder.write("train/" + std::string(name) + "/" + file, plain_png(8, 8, 1, 2, 3));
  CHECK(class_names(*make(folder)) == std::vector<std::string>{"big dog", "größe", "猫"});
}

TEST_CASE("images are read where no second thread may be started") {
  const TemporaryFolder folder;
  write_pets(folder, "train", 10);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit few{1, 1};  // holds for users, not for root
    if ((getuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &few) != 0) _exit(3);
    try {
      _exit(read_image_tree(folder.path(), 8).train.count == 20 ? 0 : 1);
    } catch (...) {
      _exit(2);
    }
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  need(WEXITSTATUS(status) != 3, Need::kOther, "no limit can be set here");
  CHECK(WEXITSTATUS(status) == 0);
}
