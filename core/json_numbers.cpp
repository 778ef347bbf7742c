#include "mosaic/core/json_numbers.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"

namespace mosaic::core {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 30;
constexpr int kDeepest = 16;

bool is_small_and_whole(const nlohmann::json& number) {
  if (number.is_number_float()) return false;
  if (number.is_number_unsigned()) return number.get<std::uint64_t>() <= kLargest;
  const auto value = number.get<std::int64_t>();
  return -kLargest <= value && value <= kLargest;
}

struct Check {
  const std::string& kind;
  const std::string& advice;
  const std::set<std::string>& reals;

  void operator()(const nlohmann::json& value, int depth) const {
    if (value.is_number() && !is_small_and_whole(value))
      throw Error("the description of the " + kind + " holds the number " + value.dump() +
                      ", which no " + kind + " has",
                  advice);
    if (depth > kDeepest)
      throw Error("the description of the " + kind + " is nested deeper than any", advice);
    if (value.is_object()) {
      for (const auto& [key, inner] : value.items())
        if (!reals.contains(key)) (*this)(inner, depth + 1);
    } else if (value.is_array()) {
      for (const auto& inner : value) (*this)(inner, depth + 1);
    }
  }
};

}  // namespace

void check_numbers(const nlohmann::json& value, const std::string& kind, const std::string& advice,
                   const std::set<std::string>& reals) {
  Check{kind, advice, reals}(value, 0);
}

}  // namespace mosaic::core
