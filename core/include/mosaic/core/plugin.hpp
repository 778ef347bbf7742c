/// Plugins: shared libraries of a user's own. The spaces, ops, ways of sharing, tasks, evaluators
/// ... in them register themselves as Mosaic's own do (registry.hpp).
#pragma once

#include <string>
#include <vector>

namespace mosaic::core {

struct Plugin {
  std::string path;                  ///< absolute
  std::string hash;                  ///< hash_hex() of its content
  std::vector<std::string> entries;  ///< what it registered: "space my-space"
};

/// Loads a shared library, once. It stays until the process ends. Throws UsageError where there is
/// none, where it was built against another version of Mosaic, and where a name that it registers
/// is taken; Mosaic must not go on after that.
void load_plugin(const std::string& path);

/// In the order they were loaded.
const std::vector<Plugin>& plugins();

/// "libmine.so 4f3a9c12, ...": the files' names and the first digits of their hashes; empty: none.
std::string describe_plugins();

}  // namespace mosaic::core
