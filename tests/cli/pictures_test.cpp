// A job over a folder of pictures, as a user has it.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "program.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kJob = R"([job]
name = "pets"
threads = 1
[space]
name = "resnet-pooling"
layers = 5
poolings = 1
width = 2
[task]
name = "image-folder"
path = "pictures"
image_size = 8
[supernet]
sharing = "plain"
epochs = 1
batch_size = 4
[[objective]]
metric = "accuracy"
images = 2
calibration = 8
[[objective]]
metric = "loss"
images = 2
calibration = 8
[[objective]]
metric = "params"
[search]
algorithm = "random"
population = 4
evaluations = 4
)";

}  // namespace

TEST_CASE("pictures beside the job file are found, and the network says how they were read") {
  const Folder folder("pictures");
  const fs::path data = fs::path(std::getenv("MOSAIC_SOURCE_DIR")) / "tests/tasks/data";
  for (const auto& file : fs::directory_iterator(data)) {
    const std::string kind = file.path().extension() == ".jpg" ? "jpeg" : "png";
    if (file.path().extension() != ".jpg" && file.path().extension() != ".png") continue;
    const fs::path to = folder / "jobs/pictures/train" / kind;
    fs::create_directories(to);
    fs::copy_file(file.path(), to / file.path().filename());
  }
  folder.write("jobs/pictures/train/png/0.webp", "x");
  folder.write("jobs/job.toml", kJob);
  const auto run = folder.run({"run", "jobs/job.toml", "--db", "r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.errors,
             Contains("left out: 1 .webp: Mosaic reads .jpg, .jpeg, .png") &&
                 Contains("task image-folder: 59 images of 2 classes (jpeg ") &&
                 Contains(" to train, 5 to validate, 6 to test") &&
                 Contains("12 steps are few for weights that all networks share; 1,000 would be: "
                          "[supernet] epochs = 84"));
  CHECK_THAT(folder.run({"front", "--db", "r.db"}).errors,
             Contains("each loss has a standard error of ") &&
                 Contains("nats, from 2 validation examples"));

  REQUIRE(folder.run({"extract", "--db", "r.db", "--out", "net"}).status == 0);
  const auto config = nlohmann::json::parse(slurp(folder / "net/config.json"));
  CHECK_THAT(config.at("preprocessing").at("image").at("steps").get<std::string>(),
             Contains("ImageOps.exif_transpose(image).convert(\"RGB\")") &&
                 Contains("resize((8, 8), Image.Resampling.BILINEAR)"));
  CHECK_THAT(config.at("task").at("settings").get<std::string>(),
             Contains((folder / "jobs/pictures").string()));
  REQUIRE(folder.run({"finetune", "net", "--epochs", "1", "--batch-size", "4", "--out", "tuned"})
              .status == 0);
  const auto tuned = nlohmann::json::parse(slurp(folder / "tuned/config.json"));
  for (const char* part : {"data", "preprocessing"}) CHECK(tuned.at(part) == config.at(part));

  // A path need not be UTF-8.
  fs::create_directory_symlink("jobs", folder / "jobs\xe9");
  REQUIRE(folder.run({"run", "jobs\xe9/job.toml", "--db", "latin.db"}).status == 0);
  const auto extract = folder.run({"extract", "--db", "latin.db", "--out", "latin"});
  INFO(extract.errors);
  REQUIRE(extract.status == 0);
  CHECK_THAT(slurp(folder / "latin/config.json"), Contains("jobs\uFFFD/pictures"));
  REQUIRE(folder.run({"eval", "latin", "--path", "jobs/pictures"}).status == 0);

  const auto explained =
      folder.run({"tasks", "image-folder", "--path", "jobs/pictures", "--image-size", "8"});
  CHECK(explained.status == 0);
  CHECK_THAT(explained.output, Contains("path/train/<class>/*.jpg") &&
                                   Contains("59 images of 2 classes (jpeg ") &&
                                   Contains("share of the training examples held out"));

  // What cannot be read is said before anything is trained.
  folder.write("jobs/pictures/train/png/0.png", "");
  folder.write("jobs/pictures/train/png/1.png", "GIF89a");
  const auto broken = folder.run({"run", "jobs/job.toml", "--db", "other.db"});
  CHECK(broken.status == 1);
  CHECK_THAT(broken.errors, Contains("2 of 61 images cannot be read: ") &&
                                Contains("png/0.png is empty (0 bytes); ") &&
                                Contains("png/1.png is neither a JPEG nor a PNG image") &&
                                Contains("replace the files or remove them") &&
                                !Contains("training"));
}

TEST_CASE("training follows the number of pictures, and a job goes on with what it began with") {
  const Folder folder("few_pictures");
  const fs::path data = fs::path(std::getenv("MOSAIC_SOURCE_DIR")) / "tests/tasks/data";
  for (const auto& file : fs::directory_iterator(data)) {
    if (file.path().extension() != ".jpg" && file.path().extension() != ".png") continue;
    const fs::path to = folder / "pictures/train" / file.path().extension().string().substr(1);
    fs::create_directories(to);
    fs::copy_file(file.path(), to / file.path().filename());
  }
  std::string job = kJob;
  job.erase(job.find("epochs = 1\n"), 11);
  job.replace(job.find("layers = 5"), 10, "layers = 2");  // 1,800 steps follow
  job.replace(job.find("image_size = 8"), 14, "image_size = 4");
  folder.write("job.toml", job);
  const auto train = folder.run({"train", "job.toml", "--db", "r.db"});
  INFO(train.errors);
  REQUIRE(train.status == 0);
  CHECK_THAT(train.errors, Contains("training 1,008 steps of 4 examples") && !Contains("few"));
  REQUIRE(folder.run({"search", "job.toml", "--db", "r.db"}).status == 0);
  REQUIRE(folder.run({"extract", "--db", "r.db", "--out", "net"}).status == 0);
  REQUIRE(folder.run({"finetune", "net", "--batch-size", "4", "--out", "tuned"}).status == 0);
  CHECK_THAT(slurp(folder / "tuned/config.json"), Contains("finetune(67 epochs)"));
}
