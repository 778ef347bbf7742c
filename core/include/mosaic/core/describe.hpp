/// Wording that messages share: what was expected of a number, the nearest known name, numbers and
/// words as people and shells read them.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "mosaic/core/text.hpp"

namespace mosaic::core {

/// "an integer from 4 to 100", "an integer of at least 4", "an integer".
inline std::string expected_integer(std::int64_t lo, std::int64_t hi) {
  const bool below = lo != std::numeric_limits<std::int64_t>::min();
  const bool above = hi != std::numeric_limits<std::int64_t>::max();
  if (below && above) return "an integer from " + std::to_string(lo) + " to " + std::to_string(hi);
  if (below) return "an integer of at least " + std::to_string(lo);
  if (above) return "an integer of at most " + std::to_string(hi);
  return "an integer";
}

/// "a number from 0 to 1", "a number of at least 0", "a finite number".
inline std::string expected_number(double lo, double hi) {
  const bool below = lo > std::numeric_limits<double>::lowest();
  const bool above = hi < std::numeric_limits<double>::max();
  if (below && above) return "a number from " + format_double(lo) + " to " + format_double(hi);
  if (below) return "a number of at least " + format_double(lo);
  if (above) return "a number of at most " + format_double(hi);
  return "a finite number";
}

/// "did you mean 'epochs'? " or "".
inline std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  const auto nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "did you mean '" + nearest + "'? ";
}

/// "did you mean 'epochs'? known: epochs, steps".
inline std::string known_names(std::string_view name, std::span<const std::string> known) {
  return did_you_mean(name, known) + "known: " + join(known);
}

/// A number as people read it: six significant digits, no exponent below 10^15.
std::string rounded(double value);

/// A word as a shell takes it: in quotes where it needs them.
std::string quoted(const std::string& word);

}  // namespace mosaic::core
