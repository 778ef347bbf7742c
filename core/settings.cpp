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

/// Reads one setting of a job file.
struct Read {
  Section& section;
  const Field& field;
  void operator()(std::int64_t* value) const {
    *value = section.integer(field.key, *value, whole(field.range.low), whole(field.range.high));
  }
  void operator()(double* value) const {
    *value = section.number(field.key, *value, field.range.low, field.range.high);
  }
  void operator()(bool* value) const { *value = section.flag(field.key, *value); }
  void operator()(std::string* value) const {
    const auto& names = field.choices.names;
    *value = names.empty() ? section.string(field.key, *value)
                           : section.one_of(field.key, *value, names);
  }
};

}  // namespace

Visitor reader_of(Section section) {
  return Visitor([section = std::move(section)](const Field& field) mutable {
    std::visit(Read{section, field}, field.value);
  });
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

Visitor json_reader(const nlohmann::json& json) {
  return Visitor([&json](const Field& field) {
    const auto found = json.find(field.key);
    if (found == json.end()) return;
    try {
      std::visit([&](auto* value) { found->get_to(*value); }, field.value);
    } catch (const nlohmann::json::exception&) {
      throw Error("the setting '" + std::string(field.key) + "' cannot be " + found->dump(),
                  "restore the file as Mosaic wrote it");
    }
  });
}

}  // namespace mosaic::core
