/// Checks of numbers on the command line, with the rules of job files: decimal digits, a stated
/// range, nothing that wraps around, no NaN. For `option->check(...)`; lists are checked each.
#pragma once

#include <cstdint>
#include <limits>

#include "parser.hpp"

namespace mosaic::cli {

/// A whole number within an inclusive range.
Check whole_number(std::int64_t low, std::int64_t high);
/// How many of something: 1 to a thousand million. For "all", the option is left out.
Check count();
/// A seed: 0 to 2^63 - 1, as in job files.
Check seed();
/// A finite number within an inclusive range.
Check number(double low, double high = std::numeric_limits<double>::max());

}  // namespace mosaic::cli
