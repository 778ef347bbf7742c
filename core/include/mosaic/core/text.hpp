/// Small text helpers shared by all rooms.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mosaic::core {

/// Levenshtein distance of two names, in edits.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known name nearest to `name`; empty if none is within half of its length.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "a, b, c".
std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

/// 1234567 -> "1,234,567".
std::string with_commas(long long value);

/// 12345678 bytes -> "11.8 MiB".
std::string human_bytes(double bytes);

/// 12345678 -> "12.3M" (decimal).
std::string human_count(double value);

/// 75 s -> "1m15s", 3 s -> "3.0s".
std::string human_seconds(double seconds);

/// Shortest text that reads back as the same double.
std::string format_double(double value);

/// A named call with keyword arguments as written in a job file: `nsga2(cr=0.9, m=0.02)` or
/// `random`.
struct Call {
  std::string name;
  std::map<std::string, std::string> arguments;

  /// Value of an argument, or the default; errors name the call and the argument.
  double number(const std::string& key, double fallback, double lo, double hi) const;
  long long integer(const std::string& key, long long fallback, long long lo, long long hi) const;
  std::string string(const std::string& key, const std::string& fallback) const;

  /// Throws UsageError if an argument is not among `known` (with the nearest known one).
  void expect_only(std::span<const std::string> known) const;
};

/// Parses `name` or `name(key=value, ...)`. Throws UsageError on anything else, quoting the text.
Call parse_call(std::string_view text);

}  // namespace mosaic::core
