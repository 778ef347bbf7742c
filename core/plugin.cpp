#include "mosaic/core/plugin.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>
#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core {
namespace {

std::vector<Plugin>& loaded() {
  static std::vector<Plugin> plugins;
  return plugins;
}

/// Names of the plugin that is being loaded. Objects with static lifetime register while dlopen()
/// runs, on the same thread, and an exception must not leave them.
struct Loading {
  bool now = false;
  std::vector<std::string> entries, taken;
};
Loading& loading() {
  static Loading state;
  return state;
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

}  // namespace

bool admit(const std::string& kind, const std::string& name, bool taken) {
  Loading& state = loading();
  if (!state.now) {
    if (taken) throw std::logic_error(kind + " '" + name + "' is registered twice");
    return true;
  }
  (taken ? state.taken : state.entries).push_back(kind + " '" + name + "'");
  return !taken;
}

void load_plugin(const std::string& path) {
  std::error_code none;
  const auto found = std::filesystem::canonical(path, none);
  if (none || !std::filesystem::is_regular_file(found))
    throw UsageError("there is no plugin " + path,
                     "give the path of the shared library that your build made, such as "
                     "build/libmy-space.so; one that has moved: --plugin FILE, under its old name");
  Plugin plugin{.path = found.string(), .hash = hash_hex(read_file(found.string())), .entries = {}};
  for (const auto& other : loaded())
    if (other.path == plugin.path || other.hash == plugin.hash) return;

  loading() = {.now = true, .entries = {}, .taken = {}};
  const bool opened = ::dlopen(plugin.path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr;
  const Loading state = std::exchange(loading(), {});
  if (!opened) {
    const char* why = ::dlerror();
    throw UsageError(
        "cannot load the plugin " + path + ": " + (why == nullptr ? "no reason given" : why),
        "build it again as a shared library against this Mosaic (" + version() +
            "): docs/own-space.md says how");
  }
  if (!state.taken.empty())
    throw UsageError(
        "the plugin " + path + " registers what is there already: " + join(state.taken),
        "give it another name in the plugin, or load one of the two alone");
  plugin.entries = state.entries;
  if (plugin.entries.empty())
    log_warning("the plugin " + path +
                " registers nothing: is it linked to another libmosaic, or has it no "
                "core::Registered at namespace scope?");
  loaded().push_back(std::move(plugin));
}

const std::vector<Plugin>& plugins() { return loaded(); }

std::string describe_plugins() {
  constexpr std::size_t kDigits = 8;
  std::vector<std::string> texts;
  for (const auto& plugin : loaded())
    texts.push_back(file_name(plugin.path) + " " + plugin.hash.substr(0, kDigits));
  return join(texts);
}

}  // namespace mosaic::core
