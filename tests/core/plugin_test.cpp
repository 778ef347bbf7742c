#include "mosaic/core/plugin.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "capture.hpp"
#include "mosaic/core/error.hpp"

namespace core = mosaic::core;
namespace fs = std::filesystem;
using mosaic::test::message_of;

TEST_CASE("what is no plugin is refused with what to do") {
  const auto folder = fs::temp_directory_path() / ("mosaic-plugin-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const auto load = [&](const std::string& name) {
    return message_of<core::UsageError>([&] { core::load_plugin((folder / name).string()); });
  };
  CHECK(load("none.so").starts_with("there is no plugin " + (folder / "none.so").string()));
  CHECK(load("").starts_with("there is no plugin"));  // a folder
  std::ofstream(folder / "text.so")
      << "this is no library, but it is long enough for a header of one";
  const auto text = load("text.so");
  CHECK(text.starts_with("cannot load the plugin " + (folder / "text.so").string()));
  CHECK(text.find("docs/own-space.md") != std::string::npos);
  CHECK(core::plugins().empty());
  CHECK(core::describe_plugins().empty());
  fs::remove_all(folder);
}
