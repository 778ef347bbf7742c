#include "numbers.hpp"

#include "mosaic/core/describe.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {
namespace {

std::string refusal(const std::string& text, const std::string& expected) {
  return "'" + core::printable(text) + "' is not " + expected;
}

}  // namespace

Check whole_number(std::int64_t low, std::int64_t high) {
  const auto expected = core::expected_integer(low, high);
  const auto check = [=](const std::string& text) -> std::string {
    const auto value = core::parse_integer(text);
    const std::size_t sign = text.find_first_of("+-") == 0 ? 1 : 0;
    if (text.size() > sign + 1 && text[sign] == '0')
      return refusal(text,
                     expected + " (leading zeros are octal to some programs: leave them out)");
    return value && *value >= low && *value <= high ? "" : refusal(text, expected);
  };
  return {check};
}

Check count() { return whole_number(1, 1'000'000'000); }

Check seed() { return whole_number(0, std::numeric_limits<std::int64_t>::max()); }

Check number(double low, double high) {
  const auto expected = core::expected_number(low, high);
  const auto check = [=](const std::string& text) -> std::string {
    const auto value = core::parse_number(text);
    return value && *value >= low && *value <= high ? "" : refusal(text, expected);
  };
  return {check};
}

}  // namespace mosaic::cli
