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

/// Name -> value, with a one-line summary each. `kind` is the word used in messages ("space").
/// Filled by static `Registered` objects before main() and read-only afterwards.
template <class Value>
class Registry {
 public:
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  /// Throws std::logic_error if the name is taken.
  void add(std::string name, std::string summary, Value value) {
    if (!entries_.emplace(name, Entry{std::move(summary), std::move(value)}).second)
      throw std::logic_error(kind_ + " '" + name + "' is registered twice");
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
  Registered(Registry<Value>& registry, std::string name, std::string summary, Given&& value) {
    registry.add(std::move(name), std::move(summary), Value(std::forward<Given>(value)));
  }
};

}  // namespace mosaic::core
