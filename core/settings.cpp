#include "mosaic/core/settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core {
namespace {

/// A bound as a whole number; one that is infinite or too large is the last there is.
std::int64_t whole(double bound) {
  using Limits = std::numeric_limits<std::int64_t>;
  if (bound <= static_cast<double>(Limits::min())) return Limits::min();
  if (bound >= static_cast<double>(Limits::max())) return Limits::max();
  return static_cast<std::int64_t>(bound);
}

struct AddTo {
  Hasher& hasher;
  void operator()(std::int64_t value) const { hasher.add(value); }
  void operator()(double value) const { hasher.add(format_double(value)); }
  void operator()(bool value) const { hasher.add(static_cast<std::int64_t>(value ? 1 : 0)); }
  void operator()(const std::string& value) const { hasher.add(value); }
};

struct TextOf {
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return format_double(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(const std::string& value) const { return value; }
};

}  // namespace

void SettingsReader::operator()(const char* key, std::int64_t& value, Range range, Identity) {
  value = section_.integer(key, value, whole(range.low), whole(range.high));
}
void SettingsReader::operator()(const char* key, double& value, Range range, Identity) {
  value = section_.number(key, value, range.low, range.high);
}
void SettingsReader::operator()(const char* key, bool& value, Identity) {
  value = section_.flag(key, value);
}
void SettingsReader::operator()(const char* key, std::string& value, const OneOf& choices,
                                Identity) {
  value = choices.names.empty() ? section_.string(key, value)
                                : section_.one_of(key, value, choices.names);
}

void SettingsLister::operator()(const char* key, std::int64_t& value, Range, Identity identity) {
  list.push_back({key, value, identity});
}
void SettingsLister::operator()(const char* key, double& value, Range, Identity identity) {
  list.push_back({key, value, identity});
}
void SettingsLister::operator()(const char* key, bool& value, Identity identity) {
  list.push_back({key, value, identity});
}
void SettingsLister::operator()(const char* key, std::string& value, const OneOf&,
                                Identity identity) {
  list.push_back({key, value, identity});
}

void add_first(Hasher& hasher, const SettingsList& settings) {
  for (const auto& setting : settings)
    if (setting.identity == Identity::first) std::visit(AddTo{hasher}, setting.value);
}

SettingsList changed(const SettingsList& settings, const SettingsList& defaults) {
  SettingsList result;
  for (const auto& setting : settings) {
    const bool standard = std::any_of(defaults.begin(), defaults.end(), [&](const auto& other) {
      return other.key == setting.key && other.value == setting.value;
    });
    if (setting.identity == Identity::changed && !standard) result.push_back(setting);
  }
  return result;
}

void add_all(Hasher& hasher, const SettingsList& settings) {
  for (const auto& setting : settings) {
    hasher.add(setting.key);
    std::visit(AddTo{hasher}, setting.value);
  }
}

std::string text_of(const SettingsList& settings) {
  std::string result;
  for (const auto& setting : settings)
    result += ", " + setting.key + "=" + std::visit(TextOf(), setting.value);
  return result;
}

nlohmann::json settings_json(const SettingsList& settings) {
  auto json = nlohmann::json::object();
  for (const auto& setting : settings)
    std::visit([&](const auto& value) { json[setting.key] = value; }, setting.value);
  return json;
}

template <class T>
void JsonSettingsReader::get(const char* key, T& value) const {
  const auto found = json_.find(key);
  if (found == json_.end()) return;
  try {
    found->get_to(value);
  } catch (const nlohmann::json::exception&) {
    throw Error("the setting '" + std::string(key) + "' cannot be " + found->dump(),
                "restore the file as Mosaic wrote it");
  }
}
void JsonSettingsReader::operator()(const char* key, std::int64_t& value, Range, Identity) {
  get(key, value);
}
void JsonSettingsReader::operator()(const char* key, double& value, Range, Identity) {
  get(key, value);
}
void JsonSettingsReader::operator()(const char* key, bool& value, Identity) { get(key, value); }
void JsonSettingsReader::operator()(const char* key, std::string& value, const OneOf&, Identity) {
  get(key, value);
}

}  // namespace mosaic::core
