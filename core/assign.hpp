/// Values of a TOML document that are set from outside (`--set search.evaluations=400`), with as
/// little change of its text as there can be. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mosaic/core/config.hpp"

namespace mosaic::core::detail {

/// Where a line of an edited document comes from.
struct LineOrigin {
  std::int64_t line = 0;   ///< of the document before; 0: of none
  std::string assignment;  ///< that wrote into it; empty: none
};

struct Assigned {
  std::string text;
  std::vector<LineOrigin> lines;  ///< one a line; empty where nothing was assigned
};

/// Sets values one after the other: "KEY=VALUE", as Config::from_file() says. A value that is there
/// is replaced in its place; a key that is not is a new line behind the last one of its table, or a
/// new table at the end. Nothing behind the "=": a string becomes empty, what is none is taken out.
/// Comments stay. `text` must be TOML. Throws UsageError that names the
/// assignment.
Assigned assign(const std::string& text, const std::vector<std::string>& assignments,
                const FormerKeys& former);

}  // namespace mosaic::core::detail
