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

/// Is shown every setting in turn.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void operator()(const char* key, std::int64_t& value, Range range = {},
                          Identity identity = {}) = 0;
  virtual void operator()(const char* key, double& value, Range range = {},
                          Identity identity = {}) = 0;
  virtual void operator()(const char* key, bool& value, Identity identity = {}) = 0;
  virtual void operator()(const char* key, std::string& value, const OneOf& choices = {},
                          Identity identity = {}) = 0;
};

/// Reads settings from a table of a job file; absent ones stay as they are. Throws UsageError with
/// file and line.
class SettingsReader final : public Visitor {
 public:
  explicit SettingsReader(Section section) : section_(std::move(section)) {}
  void operator()(const char* key, std::int64_t& value, Range range, Identity) override;
  void operator()(const char* key, double& value, Range range, Identity) override;
  void operator()(const char* key, bool& value, Identity) override;
  void operator()(const char* key, std::string& value, const OneOf& choices, Identity) override;

 private:
  Section section_;
};

template <class Settings>
void read(const Section& section, Settings& settings) {
  SettingsReader reader(section);
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

class SettingsLister final : public Visitor {
 public:
  void operator()(const char* key, std::int64_t& value, Range, Identity identity) override;
  void operator()(const char* key, double& value, Range, Identity identity) override;
  void operator()(const char* key, bool& value, Identity identity) override;
  void operator()(const char* key, std::string& value, const OneOf&, Identity identity) override;
  SettingsList list;
};

template <class Settings>
SettingsList listed(Settings settings) {
  SettingsLister lister;
  settings.visit(lister);
  return std::move(lister.list);
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
/// Settings that the object does not have stay as they are; what it has beside them is left alone.
/// Throws Error for a value of another type.
class JsonSettingsReader final : public Visitor {
 public:
  explicit JsonSettingsReader(const nlohmann::json& json) : json_(json) {}
  void operator()(const char* key, std::int64_t& value, Range, Identity) override;
  void operator()(const char* key, double& value, Range, Identity) override;
  void operator()(const char* key, bool& value, Identity) override;
  void operator()(const char* key, std::string& value, const OneOf&, Identity) override;

 private:
  template <class T>
  void get(const char* key, T& value) const;
  const nlohmann::json& json_;
};
template <class Settings>
void read_json(const nlohmann::json& json, Settings& settings) {
  JsonSettingsReader reader(json);
  settings.visit(reader);
}

}  // namespace mosaic::core
