#include "image_tree.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <limits>
#include <mutex>
#include <thread>

#include "image_files.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLayout = "expected train/<class>/*.jpg (or .jpeg, .png), and test/ alike";

/// Names in a folder that are folders (or are not), sorted, without hidden ones.
std::vector<std::string> names_in(const fs::path& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with('.') && it->is_directory(ignored) == folders) names.push_back(name);
  }
  if (error)
    throw core::Error(message("cannot read the folder {}: {}", folder.string(), error.message()),
                      "check the path and its permissions");
  std::sort(names.begin(), names.end());
  return names;
}

bool is_image(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

struct Files {
  std::vector<std::string> paths;
  std::vector<std::int64_t> labels;
};

Files list(const fs::path& folder, const std::vector<std::string>& classes) {
  Files files;
  for (const std::string& name : names_in(folder, true)) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      throw core::Error(
          message("{} is a class that train/ does not have", (folder / name).string()),
          "train/ has " + core::join(classes));
    const std::size_t before = files.paths.size();
    for (const std::string& file : names_in(folder / name, false))
      if (is_image(file)) files.paths.push_back((folder / name / file).string());
    if (files.paths.size() == before)
      throw core::Error(message("the class folder {} has no images", (folder / name).string()),
                        "add .jpg, .jpeg or .png files, or remove the folder");
    files.labels.resize(files.paths.size(), found - classes.begin());
  }
  return files;
}

/// Calls work(i) for 0 .. count-1 on two threads. Of several failures the first in order is
/// rethrown.
template <class Work>
void on_two_threads(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::size_t failed_at = std::numeric_limits<std::size_t>::max();
  std::exception_ptr failure;
  const auto run = [&] {
    while (!failed) {
      const std::size_t i = next++;
      if (i >= count) return;
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
        failed = true;
      }
    }
  };
  std::thread other(run);
  run();
  other.join();
  if (failure) std::rethrow_exception(failure);
}

ImageSet decode(Files files, std::int64_t size) {
  ImageSet set;
  set.count = static_cast<std::int64_t>(files.paths.size());
  set.height = set.width = size;
  set.channels = 3;
  const auto bytes = static_cast<std::size_t>(set.bytes_per_image());
  const double needed = static_cast<double>(bytes) * static_cast<double>(files.paths.size());
  // Once as read and once as a tensor.
  if (2 * needed > core::available_memory())
    throw core::Error(
        message("{} images of {}x{} take {} twice while they are loaded, more than the "
                "{} of memory left",
                set.count, size, size, core::human_bytes(needed),
                core::human_bytes(core::available_memory())),
        "set a smaller image_size");
  set.pixels.resize(bytes * files.paths.size());
  on_two_threads(files.paths.size(), [&](std::size_t i) {
    core::check_interrupt();
    const Image image = resized(read_image(files.paths[i]), size);
    std::copy(image.pixels.begin(), image.pixels.end(), set.pixels.data() + i * bytes);
  });
  set.labels = std::move(files.labels);
  return set;
}

}  // namespace

ImageData read_image_tree(const std::string& folder, std::int64_t size) {
  std::error_code ignored;
  const fs::path train = fs::path(folder) / "train";
  if (!fs::is_directory(train, ignored))
    throw core::Error(message("{} has no folder train", folder), kLayout);
  ImageData data;
  data.class_names = names_in(train, true);
  if (data.class_names.size() < 2)
    throw core::Error(message("{} has {} class folders, at least 2 are needed", train.string(),
                              data.class_names.size()),
                      kLayout);
  const bool has_test = fs::is_directory(fs::path(folder) / "test", ignored);
  const bool has_val = fs::is_directory(fs::path(folder) / "val", ignored);
  if (has_test && has_val)
    core::log_info(
        message("{}: val/ is not read (test/ is the test split, and the validation split is "
                "taken from train/)",
                folder));
  const Files train_files = list(train, data.class_names);
  Files test_files;
  if (has_test || has_val) {
    const fs::path test = fs::path(folder) / (has_test ? "test" : "val");
    test_files = list(test, data.class_names);
    if (test_files.paths.empty())
      throw core::Error(message("{} has no class folders", test.string()),
                        "add them, or remove the folder: a test split is then taken from train/");
  }
  data.train = decode(train_files, size);
  if (!test_files.paths.empty()) data.test = decode(test_files, size);
  return data;
}

}  // namespace mosaic::tasks
