// What libFuzzer calls, and what the targets share.
#include "target.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "mosaic/core/error.hpp"

namespace mosaic::fuzz {

std::string file_of(const std::string& bytes, int number) {
  static const auto folder = std::filesystem::is_directory("/dev/shm")
                                 ? std::filesystem::path("/dev/shm")
                                 : std::filesystem::temp_directory_path();
  static struct Files : std::map<int, std::string> {
    ~Files() {
      for (const auto& [_, path] : *this) std::filesystem::remove(path);
    }
  } files;
  auto& path = files[number];
  path = folder / ("mosaic-fuzz-" + std::to_string(getpid()) + "-" + std::to_string(number));
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", what);
  std::abort();
}

}  // namespace mosaic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    mosaic::fuzz::run(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const mosaic::core::Error&) {
  }
  return 0;
}
