/// Small text helpers shared by all rooms.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mosaic::core {

/// Levenshtein distance of two names, in edits.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known name that begins with `name`, else the nearest to it; empty if none is within half of
/// its length.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "a, b, c".
std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

/// What `f` makes of each element of a range, or a member of each: mapped(genes, &Gene::name).
template <class Range, class F>
auto mapped(Range&& range, const F& f) {
  std::vector<std::decay_t<decltype(std::invoke(f, *std::begin(range)))>> result;
  for (auto&& element : range) result.push_back(std::invoke(f, element));
  return result;
}

/// The elements at some places.
template <class T>
std::vector<T> pick(const std::vector<T>& values, const std::vector<std::size_t>& places) {
  return mapped(places, [&](std::size_t place) { return values[place]; });
}

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

/// The number that the whole of `text` is, in decimal digits ("-3", "2.5e-3"); nothing for other
/// text, what does not fit, and NaN and infinity.
std::optional<double> parse_number(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates; RFC 3629).
bool is_utf8(std::string_view text);
/// `text` with U+FFFD for every byte that belongs to no character: what JSON and pages can hold.
std::string as_utf8(std::string_view text);
/// as_utf8() with control characters escaped ("\n", "\x1b"), so that text from outside neither
/// breaks lines nor reaches the terminal as a command.
std::string printable(std::string_view text);

/// A named call with keyword arguments as written in a job file: `nsga2(cr=0.9, m=0.02)` or
/// `random`.
struct Call {
  std::string name;
  std::map<std::string, std::string> arguments;

  /// Value of an argument, or the default; errors name the call and the argument.
  double number(const std::string& key, double fallback, double lo, double hi) const;
  long long integer(const std::string& key, long long fallback, long long lo, long long hi) const;
  std::string string(const std::string& key, const std::string& fallback) const;
  std::string one_of(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& choices) const;
  bool flag(const std::string& key, bool fallback) const;  ///< "yes" or "no"

  /// Throws UsageError if an argument is not among `known` (with the nearest known one).
  void expect_only(const std::vector<std::string>& known) const;
};

/// Parses `name` or `name(key=value, ...)`. Throws UsageError on anything else, quoting the text.
Call parse_call(std::string_view text);

}  // namespace mosaic::core
