// Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images 28x28 of clothes in 10 classes.
#include <cstdlib>
#include <filesystem>

#include "folders.hpp"
#include "images/idx.hpp"
#include "images/image_classification.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::tasks {

namespace {

constexpr const char* kDebianFolder = "/usr/share/datasets/fashion-mnist";

/// Where the data lies if the job does not say: Debian's folder, else
/// $MOSAIC_DATA_DIR/fashion-mnist.
std::string default_folder() {
  const char* data = std::getenv("MOSAIC_DATA_DIR");
  std::error_code ignored;
  if (!data || std::filesystem::exists(kDebianFolder, ignored)) return kDebianFolder;
  return std::string(data) + "/fashion-mnist";
}

/// `folder/name.gz`, or `folder/name` where only that is there. Unpacked on Windows the name has a
/// dot: train-images.idx3-ubyte.
std::string find(const std::string& folder, const std::string& name) {
  std::string dotted = name;
  dotted.replace(dotted.find("-idx"), 1, ".");
  std::error_code ignored;
  for (const std::string& file : {name + ".gz", name, dotted + ".gz", dotted})
    if (std::filesystem::exists(folder + "/" + file, ignored)) return folder + "/" + file;
  throw core::Error(message("Fashion-MNIST is not in {}: {}.gz is missing", named(folder), name),
                    "install the Debian package dataset-fashion-mnist, or set [task] path to the "
                    "folder with its four IDX files");
}

std::unique_ptr<Task> make(const TaskSettings& settings) {
  expect_default_image_size("fashion-mnist", settings);
  const std::string folder = settings.path.empty() ? default_folder() : settings.path;
  const std::string train_images = find(folder, "train-images-idx3-ubyte");
  const std::string train_labels = find(folder, "train-labels-idx1-ubyte");
  const std::string test_images = find(folder, "t10k-images-idx3-ubyte");
  const std::string test_labels = find(folder, "t10k-labels-idx1-ubyte");

  ImageData data;
  data.class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                      "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
  data.train = read_idx(train_images, train_labels, 10);
  data.test = read_idx(test_images, test_labels, 10);
  return std::make_unique<ImageClassification>("fashion-mnist", settings, std::move(data),
                                               Augmentation{.padding = 2, .flip = true});
}

const core::Registered kEntry{
    tasks(), "fashion-mnist",
    "clothes: 60,000 + 10,000 grey images 28x28 in 10 classes (IDX files)",
    TaskType{
        make,
        classification_metrics(),
        "60,000 training and 10,000 test images, 28 x 28, grey. path is a folder with the four\n"
        "train-images-idx3-ubyte.gz ..., packed or not; by default Debian's (package\n"
        "dataset-fashion-mnist), or $MOSAIC_DATA_DIR/fashion-mnist.",
        {"augment"}}};

}  // namespace

}  // namespace mosaic::tasks
