/// Text of error messages. Not fmt: LibTorch's include folder brings headers of another version of
/// it than the library that is linked.
#pragma once

#include <locale>
#include <sstream>
#include <string>
#include <string_view>

namespace mosaic::tasks {

/// `pattern` with each "{}" replaced by the next of `values`.
template <class... Values>
std::string message(std::string_view pattern, const Values&... values) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  const auto put = [&](const auto& value) {
    const std::size_t place = pattern.find("{}");
    out << pattern.substr(0, place) << value;
    pattern.remove_prefix(place + 2);
  };
  (put(values), ...);
  out << pattern;
  return out.str();
}

}  // namespace mosaic::tasks
