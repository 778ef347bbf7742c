/// Results kept as text that a person can compare.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>

#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic {

/// Do two lines say the same, numbers to within `tolerance`?
inline bool same_line(const std::string& a, const std::string& b, double tolerance) {
  if (a == b) return true;
  std::istringstream left(a), right(b);
  for (std::string x, y;;) {
    const bool more = static_cast<bool>(left >> x);
    if (more != static_cast<bool>(right >> y)) return false;
    if (!more) return true;
    const auto u = core::parse_number(x), v = core::parse_number(y);
    if (x != y && !(u && v && std::abs(*u - *v) <= tolerance)) return false;
  }
}

/// Checks that `text` is that of tests/golden/NAME (numbers to within `tolerance`), and says where
/// it first differs. With MOSAIC_UPDATE_GOLDEN=1 in the environment the file is written anew
/// instead: look at `git diff tests/golden` and say in the commit why it moved.
inline void check_golden(const std::string& name, const std::string& text, double tolerance = 0) {
  const std::string path = std::string(std::getenv("MOSAIC_SOURCE_DIR")) + "/tests/golden/" + name;
  if (std::getenv("MOSAIC_UPDATE_GOLDEN") != nullptr) core::write_file_atomic(path, text);
  const auto golden = core::split(core::read_file(path), '\n');
  const auto found = core::split(text, '\n');
  for (std::size_t i = 0; i < std::max(golden.size(), found.size()); ++i) {
    const auto line = [i](const auto& lines) { return i < lines.size() ? lines[i] : "(nothing)"; };
    if (!same_line(line(golden), line(found), tolerance))
      FAIL("tests/golden/" << name << ":" << i + 1 << " moved\n  from  " << line(golden)
                           << "\n  to    " << line(found)
                           << "\nIf that is meant, run this test with MOSAIC_UPDATE_GOLDEN=1 and "
                              "commit the file with the reason");
  }
  SUCCEED();
}

}  // namespace mosaic
