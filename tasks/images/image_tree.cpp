#include "images/image_tree.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <utility>

#include "folders.hpp"
#include "images/image_files.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/parallel.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLayout = "expected train/<class>/*.jpg (or .jpeg, .png), and test/ alike";
constexpr const char* kEndings = "Mosaic reads .jpg, .jpeg, .png";

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string ending(const std::string& name) { return lower(fs::path(name).extension().string()); }

bool is_image(const std::string& name) {
  const std::string end = ending(name);
  return end == ".jpg" || end == ".jpeg" || end == ".png";
}

/// What nobody put there on purpose.
bool is_stray(const std::string& name) {
  const std::string small = lower(name);
  return name.starts_with('.') || small == "thumbs.db" || small == "desktop.ini";
}

/// Names in a folder, sorted, without stray ones. A link is what it leads to, or else a file.
struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> files;

  std::int64_t images() const { return std::count_if(files.begin(), files.end(), is_image); }
};

Listing entries(const fs::path& folder, std::error_code& error) {
  Listing listing;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (is_stray(name)) continue;
    std::error_code ignored;
    auto& names = it->is_directory(ignored) ? listing.folders : listing.files;
    names.push_back(std::move(name));
  }
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

Listing entries(const fs::path& folder) {
  std::error_code error;
  Listing listing = entries(folder, error);
  if (error)
    throw core::Error(message("cannot read the folder {}: {}", folder.string(), error.message()),
                      "check the path and its permissions");
  return listing;
}

/// How many images lie in a folder that need not be readable.
std::int64_t images_in(const fs::path& folder) {
  std::error_code ignored;
  return entries(folder, ignored).images();
}

/// What lies beside or in the class folders: a link that leads nowhere may be a class.
Listing class_folders(const fs::path& folder) {
  Listing listing = entries(folder);
  for (const std::string& name : listing.files)
    if (const std::string broken = broken_link(folder / name); !broken.empty())
      throw core::Error(broken, "mend the link or remove it");
  return listing;
}

/// The first of `all`, and how many more there are.
std::string some(const std::vector<std::string>& all, const char* separator = ", ") {
  constexpr std::size_t kNamed = 5;
  std::string text = core::join(std::span(all).first(std::min(kNamed, all.size())), separator);
  if (all.size() > kNamed) text += message("{}and {} more", separator, all.size() - kNamed);
  return text;
}

/// The first folder below those of `folder` that has images itself; empty where there is none.
fs::path deeper_images(const fs::path& folder) {
  std::error_code ignored;
  for (const std::string& name : entries(folder, ignored).folders)
    if (images_in(folder / name) > 0) return folder / name;
  return {};
}

using Endings = std::map<std::string, std::int64_t>;

/// "4 .webp, 1 .gif", the most frequent first.
std::string counts(const Endings& endings) {
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [end, count] : endings) order.emplace_back(-count, end);
  std::sort(order.begin(), order.end());
  std::vector<std::string> texts;
  for (const auto& [count, end] : order)
    texts.push_back(message("{} {}", -count, end.empty() ? "without an ending" : end));
  return some(texts);
}

/// What lies in the folders and is not read.
struct LeftOut {
  Endings endings;
  std::vector<std::string> images;  ///< "3 in train", where no class folder is

  void tell(const std::string& folder) const {
    if (!endings.empty())
      core::log_warning(message("{}: left out: {}: {}", folder, counts(endings), kEndings));
    if (!images.empty())
      core::log_warning(
          message("{}: left out: images outside of <class>/: {}", folder, some(images)));
  }
};

struct Files {
  std::vector<std::string> paths;
  std::vector<std::int64_t> labels;
};

void expect_utf8(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<std::string> foreign;
  for (const std::string& name : names)
    if (!core::is_utf8(name)) foreign.push_back(core::printable(name));
  if (!foreign.empty())
    throw core::Error(
        message("{} has names that are not UTF-8: {}", folder.string(), some(foreign)),
        "rename them (convmv -r -f latin1 -t utf8 --notest does all below a folder that are "
        "Latin-1)");
}

/// The images of a class folder, and what else lies in it.
std::vector<std::string> images_of(const fs::path& folder, LeftOut& left) {
  const Listing listing = entries(folder);
  std::vector<std::string> images;
  Endings others;
  for (const std::string& file : listing.files)
    if (is_image(file))
      images.push_back(file);
    else
      ++others[ending(file)];
  if (images.empty()) {
    const std::string has_none = message("the class folder {} has no images", folder.string());
    if (const fs::path deeper = deeper_images(folder); !deeper.empty())
      throw core::Error(message("{}: they lie one folder deeper, in {}", has_none, deeper.string()),
                        "move them up: expected train/<class>/*.jpg");
    if (!others.empty())
      throw core::Error(message("{} but {}", has_none, counts(others)),
                        message("{}: convert the files, or remove the folder", kEndings));
    throw core::Error(has_none, "add .jpg, .jpeg or .png files, or remove the folder");
  }
  expect_utf8(folder, images);
  for (const auto& [end, count] : others) left.endings[end] += count;
  for (const std::string& name : listing.folders)
    if (const auto count = images_in(folder / name); count > 0)
      left.images.push_back(message("{} in {}", count, (folder / name).string()));
  return images;
}

Files list(const fs::path& folder, const std::vector<std::string>& classes, LeftOut& left) {
  const Listing listing = class_folders(folder);
  if (const auto count = listing.images(); count > 0)
    left.images.push_back(message("{} in {}", count, folder.string()));
  Files files;
  for (const std::string& name : listing.folders) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      throw core::Error(
          message("{} is a class that train/ does not have", (folder / name).string()),
          "train/ has " + core::join(classes));
    for (const std::string& file : images_of(folder / name, left))
      files.paths.push_back((folder / name / file).string());
    files.labels.resize(files.paths.size(), found - classes.begin());
  }
  return files;
}

/// Images that cannot be read.
class Broken {
 public:
  void add(std::size_t place, const core::Error& error) {
    const std::lock_guard lock(mutex_);
    errors_.emplace(place, error);
  }
  void expect_none(std::size_t images) const {
    if (errors_.empty()) return;
    if (errors_.size() == 1) throw core::Error(errors_.begin()->second);
    std::vector<std::string> texts;
    for (const auto& [place, error] : errors_) texts.push_back(error.message());
    throw core::Error(
        message("{} of {} images cannot be read: {}", texts.size(), images, some(texts, "; ")),
        "replace the files or remove them");
  }

 private:
  std::mutex mutex_;
  std::map<std::size_t, core::Error> errors_;  ///< by place, for their order
};

/// `place` is that of the first file among those of all splits.
ImageSet decode(Files files, std::int64_t size, std::size_t place, Broken& broken) {
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
  core::parallel_for(files.paths.size(), 2, [&](std::size_t i) {
    core::check_interrupt();
    try {
      const Image image = resized(read_image(files.paths[i]), size);
      std::copy(image.pixels.begin(), image.pixels.end(), set.pixels.data() + i * bytes);
    } catch (const core::Error& error) {
      broken.add(place + i, error);
    }
  });
  set.labels = std::move(files.labels);
  return set;
}

[[noreturn]] void fail_no_train(const fs::path& root) {
  const std::string problem = named(root.string()) + " has no folder train";
  const Listing listing = entries(root);
  for (const std::string& name : listing.folders) {
    if (lower(name) == "train")
      throw core::Error(message("{}, but {}", problem, name),
                        "rename it: capital and small letters are told apart");
    std::error_code ignored;
    if (fs::is_directory(root / name / "train", ignored))
      throw core::Error(message("{}, but {} has", problem, (root / name).string()),
                        message("set [task] path to {}", (root / name).string()));
  }
  if (const fs::path images = deeper_images(root); !images.empty())
    throw core::Error(message("{}, but images in {}", problem, images.string()),
                      "move the class folders into a folder train, and set [task] path to the "
                      "folder above that");
  throw core::Error(problem, kLayout);
}

/// The folder of the test split; empty where there is none. Says which folders look like splits and
/// are not read.
fs::path test_folder(const fs::path& root) {
  for (const char* name : {"test", "val"})
    if (const std::string broken = broken_link(root / name); !broken.empty())
      throw core::Error(broken, "mend the link or remove it");
  fs::path test;
  std::vector<std::string> unread;
  const Listing listing = entries(root);
  for (const char* name : {"test", "val"})
    if (test.empty() &&
        std::find(listing.folders.begin(), listing.folders.end(), name) != listing.folders.end())
      test = root / name;
  const std::set<std::string> likely{"train", "training", "test",      "testing",
                                     "val",   "valid",    "validation"};
  for (const std::string& name : listing.folders)
    if (name != "train" && name != test.filename() && likely.contains(lower(name)))
      unread.push_back(name + "/");
  if (!unread.empty() && test.empty())
    core::log_warning(
        message("{}: {} is not read: the test split is called test/ or val/; now a tenth of train/ "
                "is taken for it",
                root.string(), some(unread)));
  else if (!unread.empty())
    core::log_info(
        message("{}: {} is not read ({}/ is the test split, and the validation split is "
                "taken from train/)",
                root.string(), some(unread), test.filename().string()));
  return test;
}

}  // namespace

ImageData read_image_tree(const std::string& folder, std::int64_t size) {
  const fs::path root = folder, train = root / "train";
  expect_folder(folder, "train/<class>/*.jpg");
  if (const std::string broken = broken_link(train); !broken.empty())
    throw core::Error(broken, "mend the link, or set [task] path to another folder");
  std::error_code ignored;
  if (!fs::is_directory(train, ignored)) fail_no_train(root);

  ImageData data;
  data.class_names = class_folders(train).folders;
  if (data.class_names.size() < 2) {
    const fs::path deeper =
        data.class_names.empty() ? fs::path() : deeper_images(train / data.class_names.front());
    throw core::Error(
        message("{} has {} class folders, at least 2 are needed{}", train.string(),
                data.class_names.size(),
                deeper.empty() ? "" : "; images lie one folder deeper, in " + deeper.string()),
        kLayout);
  }
  expect_utf8(train, data.class_names);
  const fs::path test = test_folder(root);
  LeftOut left;
  const Files train_files = list(train, data.class_names, left);
  Files test_files;
  if (!test.empty()) {
    test_files = list(test, data.class_names, left);
    if (test_files.paths.empty())
      throw core::Error(message("{} has no class folders", test.string()),
                        "add them, or remove the folder: a test split is then taken from train/");
    std::vector<std::string> missing;
    for (std::size_t label = 0; label < data.class_names.size(); ++label)
      if (!std::binary_search(test_files.labels.begin(), test_files.labels.end(),
                              static_cast<std::int64_t>(label)))
        missing.push_back(data.class_names[label]);
    if (!missing.empty())
      core::log_warning(
          message("{} lacks {} of the {} classes, scores on it tell nothing of them: "
                  "{}",
                  test.string(), missing.size(), data.class_names.size(), some(missing)));
  }
  left.tell(folder);

  Broken broken;
  const std::size_t in_train = train_files.paths.size(), in_test = test_files.paths.size();
  data.train = decode(train_files, size, 0, broken);
  if (in_test > 0) data.test = decode(test_files, size, in_train, broken);
  broken.expect_none(in_train + in_test);
  data.preprocessing = message(
      "Pillow: ImageOps.exif_transpose(image).convert(\"RGB\") (alpha is dropped; 16-bit grey is "
      "to be divided by 257 before); resize(({}, {}), Image.Resampling.BILINEAR)",
      size, size);
  return data;
}

}  // namespace mosaic::tasks
