// CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images 32x32 in 10 classes, from its binary
// files or from a folder of images.
#include <filesystem>

#include "folders.hpp"
#include "images/image_classification.hpp"
#include "images/image_tree.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kRecord = 1 + 3 * kPlane;
constexpr std::size_t kRecordsPerFile = 10'000;
constexpr std::size_t kRecordOf100 = 1 + kRecord;  // CIFAR-100 has two labels an image
constexpr const char* kUseFolders =
    "write its images to train/<class>/*.png and test/ alike, and use the task image-folder";

const std::vector<std::string>& class_names() {
  static const std::vector<std::string> kNames{"airplane", "automobile", "bird",  "cat",  "deer",
                                               "dog",      "frog",       "horse", "ship", "truck"};
  return kNames;
}

/// Appends the records of a file: a label, then the red, the green and the blue plane.
void append(ImageSet& set, const std::string& path) {
  const std::string bytes = core::read_file(path);
  if (!bytes.empty() && bytes.size() % kRecord != 0 && bytes.size() % kRecordOf100 == 0)
    throw core::Error(
        message("{} is a file of CIFAR-100: it has records of {} bytes, CIFAR-10 of {}", path,
                kRecordOf100, kRecord),
        kUseFolders);
  const std::size_t records = bytes.size() / kRecord;
  if (bytes.empty() || bytes.size() % kRecord != 0)
    throw core::Error(
        message("{} is truncated or not a CIFAR-10 file: {} bytes are not whole records "
                "of {}",
                path, core::with_commas(static_cast<long long>(bytes.size())), kRecord),
        "fetch and unpack cifar-10-binary.tar.gz again");
  if (records != kRecordsPerFile)
    core::log_warning(
        message("{} holds {} images, the original file has {}", path, records, kRecordsPerFile));
  for (std::size_t record = 0; record < records; ++record) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + record * kRecord;
    if (data[0] >= class_names().size())
      throw core::Error(message("{}: label {} of image {} is not one of the 10 classes 0..9", path,
                                static_cast<int>(data[0]), record),
                        "fetch and unpack cifar-10-binary.tar.gz again");
    set.labels.push_back(data[0]);
    for (std::size_t pixel = 0; pixel < kPlane; ++pixel)
      for (std::size_t channel = 0; channel < 3; ++channel)
        set.pixels.push_back(data[1 + channel * kPlane + pixel]);
  }
  set.count += static_cast<std::int64_t>(records);
}

ImageSet read_files(const fs::path& folder, const std::vector<std::string>& names) {
  ImageSet set;
  set.height = set.width = static_cast<std::int64_t>(kSide);
  set.channels = 3;
  set.pixels.reserve(names.size() * kRecordsPerFile * 3 * kPlane);
  for (const std::string& name : names) append(set, (folder / name).string());
  return set;
}

ImageData read_binary(const fs::path& folder) {
  ImageData data;
  data.class_names = class_names();
  data.train = read_files(folder, {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                   "data_batch_4.bin", "data_batch_5.bin"});
  data.test = read_files(folder, {"test_batch.bin"});
  return data;
}

ImageData read_images(const fs::path& folder) {
  ImageData data = read_image_tree(folder.string(), static_cast<std::int64_t>(kSide));
  if (data.class_names != class_names())
    throw core::Error(message("{} is not CIFAR-10: its classes are {}", (folder / "train").string(),
                              core::join(data.class_names)),
                      "use the task image-folder for other images");
  return data;
}

[[noreturn]] void fail_not_found(const fs::path& path) {
  const std::string wanted = "data_batch_1.bin (CIFAR-10's binary files) or train/<class>/*.jpg";
  expect_folder(path.string(), wanted);
  const auto has = [&](const std::string& file) {
    std::error_code ignored;
    return fs::is_regular_file(path / file, ignored);
  };
  const std::string found = named(path.string()) + " holds ";
  for (const std::string below : {"", "cifar-10-batches-py/", "cifar-10-batches-mat/"})
    for (const auto& [file, version] :
         {std::pair{"data_batch_1", "Python"}, std::pair{"data_batch_1.mat", "MATLAB"}})
      if (has(below + file))
        throw core::Error(
            message("{}{}{}: this is the {} version of CIFAR-10", found, below, file, version),
            "get the binary version: cifar-10-binary.tar.gz");
  for (const std::string below : {"", "cifar-100-binary/", "cifar-100-python/"})
    if (has(below + "train.bin") || (has(below + "train") && has(below + "meta")))
      throw core::Error(message("{}{}train: this is CIFAR-100, not CIFAR-10", found, below),
                        kUseFolders);
  throw core::Error(
      message("{} has nothing of CIFAR-10: expected {}", named(path.string()), wanted),
      "set [task] path to the folder that does; an archive must be unpacked first "
      "(tar -xf)");
}

std::unique_ptr<Task> make(const TaskSettings& settings) {
  expect_default_image_size("cifar10", settings);
  if (settings.path.empty())
    throw core::UsageError("the task cifar10 needs a folder",
                           "set [task] path to one that holds data_batch_1.bin ... (unpacked from "
                           "cifar-10-binary.tar.gz) or train/<class>/*.jpg");
  std::error_code ignored;
  const fs::path path = settings.path, unpacked = path / "cifar-10-batches-bin";
  ImageData data;
  if (fs::exists(path / "data_batch_1.bin", ignored))
    data = read_binary(path);
  else if (fs::exists(unpacked / "data_batch_1.bin", ignored))
    data = read_binary(unpacked);
  else if (fs::is_directory(path / "train", ignored))
    data = read_images(path);
  else
    fail_not_found(path);
  return std::make_unique<ImageClassification>("cifar10", settings, std::move(data),
                                               Augmentation{.padding = 4, .flip = true});
}

const core::Registered kEntry{
    tasks(), "cifar10",
    "things: 50,000 + 10,000 colour images 32x32 in 10 classes (binary files or folders of images)",
    TaskType{make,
             classification_metrics(),
             "50,000 training and 10,000 test images, 32 x 32, RGB. path is a folder with\n"
             "data_batch_1.bin ... test_batch.bin, or with train/<class>/*.jpg and "
             "test/<class>/*.jpg.",
             {"augment"}}};

}  // namespace

}  // namespace mosaic::tasks
