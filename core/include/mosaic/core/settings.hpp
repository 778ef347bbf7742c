/// Settings that are listed once. A struct lists its keys in one function,
///
///   void TrainSettings::visit(core::Visitor& v) {
///     v("epochs", epochs, {1, 100'000});
///     v("optimizer", optimizer, {"sgd", "adamw"});
///     v("checkpoint_minutes", checkpoint_minutes, {0, 1e6}, core::kNotIdentity);
///   }
///
/// and the functions below read it from a job file, write it to JSON and read it back, and tell
/// what of it belongs to the identity of a result. Its default constructor gives the defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mosaic/core/config.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::core {

/// How a setting enters the identity of what is made with it.
enum class Identity {
  changed,  ///< where it is not the default: a new key leaves the identities of old results alone
  first,    ///< always, by its place: the keys of the first version, in the order they stand in
  none      ///< not at all: it changes no result
};
inline constexpr Identity kFirst = Identity::first;
inline constexpr Identity kNotIdentity = Identity::none;

/// Inclusive bounds of a number.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// What a text may be; empty: anything.
struct OneOf {
  OneOf() = default;
  OneOf(std::initializer_list<const char*> given) : names(given.begin(), given.end()) {}
  explicit OneOf(std::vector<std::string> given) : names(std::move(given)) {}
  std::vector<std::string> names;
};

/// A setting of a struct: where its value stands, and what may stand there.
struct Field {
  const char* key;
  std::variant<std::int64_t*, double*, bool*, std::string*> value;
  Range range = {};
  OneOf choices = {};
  Identity identity = {};
};

/// Is shown every setting in turn.
class Visitor {
 public:
  explicit Visitor(std::function<void(const Field&)> show) : show_(std::move(show)) {}
  void operator()(const char* key, std::int64_t& value, Range range = {}, Identity identity = {}) {
    show_({key, &value, range, {}, identity});
  }
  void operator()(const char* key, double& value, Range range = {}, Identity identity = {}) {
    show_({key, &value, range, {}, identity});
  }
  void operator()(const char* key, bool& value, Identity identity = {}) {
    show_({key, &value, {}, {}, identity});
  }
  void operator()(const char* key, std::string& value, const OneOf& choices = {},
                  Identity identity = {}) {
    show_({key, &value, {}, choices, identity});
  }

 private:
  std::function<void(const Field&)> show_;
};

/// Reads every setting it is shown from a table of a job file; absent ones stay as they are. Throws
/// UsageError with file and line.
Visitor reader_of(Section section);

template <class Settings>
void read(const Section& section, Settings& settings) {
  auto reader = reader_of(section);
  settings.visit(reader);
}

/// One setting as it stands.
struct Setting {
  std::string key;
  std::variant<std::int64_t, double, bool, std::string> value;
  Identity identity;
};
using SettingsList = std::vector<Setting>;

/// Adds keys and values.
void add_all(Hasher& hasher, const SettingsList& settings);
/// ", key=value" of each.
std::string text_of(const SettingsList& settings);

template <class Settings>
SettingsList listed(Settings settings) {
  SettingsList list;
  Visitor lister([&list](const Field& field) {
    std::visit(
        [&](const auto* value) {
          list.push_back({field.key, *value, field.identity});
        },
        field.value);
  });
  settings.visit(lister);
  return list;
}

/// Adds the values of Identity::first.
void add_first(Hasher& hasher, const SettingsList& settings);
template <class Settings>
void add_first(Hasher& hasher, const Settings& settings) {
  add_first(hasher, listed(settings));
}

/// The settings of Identity::changed that differ from the defaults.
SettingsList changed(const SettingsList& settings, const SettingsList& defaults);
/// Adds keys and values of those.
template <class Settings>
void add_changed(Hasher& hasher, const Settings& settings) {
  add_all(hasher, changed(listed(settings), listed(Settings())));
}
/// ", key=value" of each of those.
template <class Settings>
std::string changed_text(const Settings& settings) {
  return text_of(changed(listed(settings), listed(Settings())));
}

/// An object of all settings.
nlohmann::json settings_json(const SettingsList& settings);
/// Reads every setting it is shown from the object, which must outlive it. Settings that the object
/// does not have stay as they are; what it has beside them is left alone. Throws Error for a value
/// of another type.
Visitor json_reader(const nlohmann::json& json);

template <class Settings>
void read_json(const nlohmann::json& json, Settings& settings) {
  auto reader = json_reader(json);
  settings.visit(reader);
}

}  // namespace mosaic::core
