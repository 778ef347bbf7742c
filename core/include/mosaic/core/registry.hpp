/// Named things a user can choose from by string: spaces, ops, ways of sharing, tasks, algorithms
/// ...
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::core {

/// Is asked before an entry is added: may it be? A name that is taken throws std::logic_error, or,
/// while a plugin is loaded (plugin.hpp), makes load_plugin() throw.
bool admit(const std::string& kind, const std::string& name, bool taken);

/// Name -> value, with a one-line summary each. `kind` is the word used in messages ("space").
/// Filled by static `Registered` objects before main(), and by those of plugins when they are
/// loaded.
template <class Value>
class Registry {
 public:
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  /// Throws std::logic_error if the name is taken.
  void add(const std::string& name, std::string summary, Value value) {
    if (admit(kind_, name, contains(name)))
      entries_.emplace(name, Entry{std::move(summary), std::move(value)});
  }

  /// Throws UsageError that lists the known names and suggests the nearest one.
  const Value& at(const std::string& name) const { return entry(name).value; }
  const std::string& summary(const std::string& name) const { return entry(name).summary; }
  bool contains(const std::string& name) const { return entries_.count(name) != 0; }

  /// All names, sorted.
  std::vector<std::string> names() const {
    return mapped(entries_, [](const auto& entry) { return entry.first; });
  }

 private:
  struct Entry {
    std::string summary;
    Value value;
  };

  const Entry& entry(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return found->second;
    throw UsageError("unknown " + kind_ + " '" + name + "'", known_names(name, names()));
  }

  std::string kind_;
  std::map<std::string, Entry> entries_;
};

/// One line at namespace scope registers a thing:
/// `const core::Registered kEntry{spaces(), "my-space", "what it is", factory};`
struct Registered {
  template <class Value, class Given>
  Registered(Registry<Value>& registry, const std::string& name, std::string summary,
             Given&& value) {
    registry.add(name, std::move(summary), Value(std::forward<Given>(value)));
  }
};

}  // namespace mosaic::core
