#include <algorithm>
#include <cctype>
#include <cmath>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core {

namespace {

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && c != '.')
      return false;
  return true;
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw UsageError("cannot read '" + std::string(text) + "': " + why,
                   "write it as name or name(key=value, key=value)");
}

/// Splits at the commas outside of any parentheses, so that a value may be a call itself.
std::vector<std::string_view> split_arguments(std::string_view inside, std::string_view whole) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '(') ++depth;
    if (inside[i] == ')' && --depth < 0) refuse(whole, "')' without '('");
    if (inside[i] != ',' || depth > 0) continue;
    parts.push_back(inside.substr(begin, i - begin));
    begin = i + 1;
  }
  if (depth > 0) refuse(whole, "'(' without ')'");
  parts.push_back(inside.substr(begin));
  return parts;
}

[[noreturn]] void wrong_value(const Call& call, const std::string& key, const std::string& value,
                              const std::string& expected) {
  throw UsageError(call.name + ": argument " + key + " = '" + value + "' is not " + expected,
                   "write " + call.name + "(" + key + "=...) with such a value, or leave " + key +
                       " out for its default");
}

}  // namespace

double Call::number(const std::string& key, double fallback, double lo, double hi) const {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return fallback;
  const auto value = parse_number(found->second);
  if (!value || !std::isfinite(*value) || *value < lo || *value > hi)
    wrong_value(*this, key, found->second, expected_number(lo, hi));
  return *value;
}

long long Call::integer(const std::string& key, long long fallback, long long lo,
                        long long hi) const {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return fallback;
  const auto value = parse_integer(found->second);
  if (!value || *value < lo || *value > hi)
    wrong_value(*this, key, found->second, expected_integer(lo, hi));
  return *value;
}

std::string Call::string(const std::string& key, const std::string& fallback) const {
  const auto found = arguments.find(key);
  return found == arguments.end() ? fallback : found->second;
}

std::string Call::one_of(const std::string& key, const std::string& fallback,
                         const std::vector<std::string>& choices) const {
  const auto value = string(key, fallback);
  if (std::find(choices.begin(), choices.end(), value) == choices.end())
    throw UsageError(name + ": " + key + " is '" + value + "'", "it is one of " + join(choices));
  return value;
}

bool Call::flag(const std::string& key, bool fallback) const {
  return one_of(key, fallback ? "yes" : "no", {"yes", "no"}) == "yes";
}

void Call::expect_only(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : arguments) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (known.empty())
      throw UsageError(name + " takes no arguments, but got " + key + "=" + value,
                       "write just " + name);
    throw UsageError(name + " has no argument '" + key + "'", known_names(key, known));
  }
}

Call parse_call(std::string_view text) {
  const std::string_view whole = trim(text);
  const auto open = whole.find('(');
  Call call;
  call.name = std::string(trim(whole.substr(0, open)));
  if (call.name.empty()) refuse(text, "the name is missing");
  if (!is_name(call.name)) refuse(text, "a name has only letters, digits, '_', '-' and '.'");
  if (open == std::string_view::npos) return call;
  if (whole.back() != ')') refuse(text, "the closing ')' is missing or not at the end");

  const std::string_view inside = trim(whole.substr(open + 1, whole.size() - open - 2));
  if (inside.empty()) return call;
  for (const std::string_view part : split_arguments(inside, text)) {
    const auto equals = part.find('=');
    const std::string argument(trim(part));
    if (equals == std::string_view::npos)
      refuse(text, "'" + argument + "' is not of the form key=value");
    const std::string key(trim(part.substr(0, equals)));
    const std::string value(trim(part.substr(equals + 1)));
    if (!is_name(key) || value.empty())
      refuse(text, "'" + argument + "' is not of the form key=value");
    if (!call.arguments.emplace(key, value).second)
      refuse(text, "argument '" + key + "' is given twice");
  }
  return call;
}

}  // namespace mosaic::core
