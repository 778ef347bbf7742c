#include "folders.hpp"

#include "message.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::tasks {

namespace fs = std::filesystem;

std::string named(const std::string& path) {
  std::error_code error;
  const std::string whole = fs::absolute(path, error).lexically_normal().string();
  return error || fs::path(path).is_absolute() ? path : message("{} ({})", path, whole);
}

std::string broken_link(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(path, ignored) || fs::exists(path, ignored)) return {};
  return message("{} is a link to {}, which does not exist", path.string(),
                 fs::read_symlink(path, ignored).string());
}

void expect_folder(const std::string& path, const std::string& wanted) {
  std::error_code ignored;
  if (const std::string broken = broken_link(path); !broken.empty())
    throw core::Error(broken, "mend the link, or set [task] path to a folder with " + wanted);
  if (!fs::exists(path, ignored))
    throw core::Error(message("{} does not exist", named(path)),
                      "set [task] path to a folder with " + wanted);
  if (!fs::is_directory(path, ignored))
    throw core::Error(
        message("{} is a file, not a folder", named(path)),
        message("unpack it (tar -xf {}) and set [task] path to the folder with {}", path, wanted));
}

}  // namespace mosaic::tasks
