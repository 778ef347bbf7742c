// mosaic new: the folder of a plugin to begin with.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "command.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/spaces/space.hpp"
#include "new/files.hpp"

namespace mosaic::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string kind, name, folder;
};

void check_name(const Options& options) {
  const auto& name = options.name;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!plain || name.empty() || name.front() < 'a' || name.back() == '-')
    throw core::UsageError("'" + name + "' is no name for a plugin",
                           "use small letters, digits and '-', a letter first: my-" + options.kind);
  if (options.kind == "space" ? spaces::space_types().contains(name)
                              : evaluators::evaluators().contains(name))
    throw core::UsageError(
        "Mosaic has " + std::string(options.kind == "space" ? "a space '" : "an evaluator '") +
            name + "' already",
        "choose another name");
}

/// Where this program was installed to; empty: it runs where it was built.
std::string prefix() {
  std::error_code none;
  const auto above = fs::read_symlink("/proc/self/exe", none).parent_path().parent_path();
  for (const char* library : {"lib", "lib64", "lib/x86_64-linux-gnu"})
    if (fs::exists(above / library / "cmake/Mosaic/MosaicConfig.cmake", none))
      return above.string();
  return {};
}

void write_folder(const Options& options) {
  check_name(options);
  const auto& [kind, name, given] = options;
  std::string folder = given.empty() ? name : given;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  if (fs::exists(folder))
    throw core::UsageError(folder + " is there already", "choose another name or another --folder");
  const auto version = core::version();
  std::string identifier = name;
  std::replace(identifier.begin(), identifier.end(), '-', '_');
  const auto write = [&](const std::string& file, const std::string& as) {
    std::string text = files().find(file + ".in")->second;
    for (const auto& [key, value] : {std::pair<std::string, std::string>{"@NAME@", name},
                                     {"@IDENTIFIER@", identifier},
                                     {"@JOB@", core::printable(core::quoted(folder + "/job.toml"))},
                                     {"@VERSION@", version.substr(0, version.rfind('.'))}})
      for (auto at = text.find(key); at != std::string::npos;
           at = text.find(key, at + value.size()))
        text.replace(at, key.size(), value);
    core::write_file_atomic((fs::path(folder) / as).string(), text);
    std::cout << (fs::path(folder) / as).string() << "\n";
  };
  std::error_code error;
  if (!fs::create_directories(folder, error))
    throw core::Error("cannot make the folder " + folder + ": " + error.message(),
                      "choose another --folder");
  write("CMakeLists.txt", "CMakeLists.txt");
  write(kind + ".cpp", kind + ".cpp");
  write(kind + ".toml", "job.toml");

  const auto installed = prefix();
  std::cout << "\n";
  if (installed.empty())
    std::cout << "Install Mosaic first, where you like: cmake --install BUILD --prefix PREFIX\n";
  const auto build = core::quoted(folder + "/build");
  std::cout << "Build it:  cmake -S " << core::quoted(folder) << " -B " << build
            << " -DCMAKE_PREFIX_PATH=" << (installed.empty() ? "PREFIX" : core::quoted(installed))
            << " && cmake --build " << build << "\n"
            << "See it:    mosaic --plugin " << core::quoted(folder + "/build/lib" + name + ".so")
            << " " << (kind == "space" ? "spaces " + name : "metrics") << "\n"
            << "Search it: mosaic run " << core::quoted(folder + "/job.toml")
            << " --db results.db\n";
}

void setup(App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("KIND", options->kind, "space or evaluator")
      ->required()
      ->check(one_of({"space", "evaluator"}));
  app.add_option("NAME", options->name, "its name in job files")->required();
  app.add_option("--folder", options->folder, "folder to write (default: NAME)");
  app.footer(
      "Writes source, CMake file and a job file, ready to build: a plugin, which is loaded by "
      "--plugin FILE\n"
      "or [job] plugins. Ops, ways of sharing and tasks can be added to the same folder: "
      "docs/own-space.md.\n"
      "  mosaic new space my-space");
  app.callback([options] { write_folder(*options); });
}

const core::Registered kEntry{commands(), "new", "begin a space or an evaluator of your own",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
