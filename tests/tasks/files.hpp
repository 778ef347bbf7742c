/// Small files that the tests of tasks make for themselves, and what they say when they are
/// refused.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "mosaic/core/error.hpp"

namespace mosaic::tasks::testing {

/// A folder that is removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mosaic-tasks-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  /// Path of a file in the folder; makes the folders between.
  std::string file(const std::string& name) const {
    const std::filesystem::path path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    return path.string();
  }
  std::string write(const std::string& name, const std::string& content) const {
    std::string path = file(name);
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::string path_;
};

/// what() of the core::Error that `action` throws; a note where it throws none.
template <class Action>
std::string refusal(Action&& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

/// What `action` writes to standard error: the log.
template <class Action>
std::string told(Action&& action) {
  const TemporaryFolder folder;
  const std::string path = folder.file("log");
  const int file = open(path.c_str(), O_RDWR | O_CREAT, 0600), before = dup(STDERR_FILENO);
  dup2(file, STDERR_FILENO);
  close(file);
  try {
    action();
  } catch (...) {
    dup2(before, STDERR_FILENO);
    close(before);
    throw;
  }
  dup2(before, STDERR_FILENO);
  close(before);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

inline std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width,
                              const std::string& pixels) {
  return big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width) + pixels;
}

inline std::string idx_labels(const std::string& labels) {
  return big_endian(0x801) + big_endian(static_cast<std::uint32_t>(labels.size())) + labels;
}

/// The bytes 0, step, 2 step ... (modulo 256).
inline std::string ramp(std::size_t count, unsigned step = 1) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * step & 0xff);
  return bytes;
}

}  // namespace mosaic::tasks::testing
