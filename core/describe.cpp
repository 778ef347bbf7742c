#include "mosaic/core/describe.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace mosaic::core {

std::string rounded(double value) {
  char text[64];
  const double magnitude = std::abs(value);
  const bool whole = magnitude >= 1e5 && magnitude < 1e15;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", value);
  return text;
}

std::string quoted(const std::string& word) {
  const bool plain =
      !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("_-./:,+@%").find(c) != std::string_view::npos ||
               static_cast<unsigned char>(c) >= 0x80;
      });
  if (plain) return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

}  // namespace mosaic::core
