/// Text and numbers inside the pages that Mosaic writes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace mosaic::cli {

/// For element content and for attributes in double quotes.
std::string escape_html(std::string_view text);

/// JSON that can stand inside a script element: it has no '<'. Text that is not UTF-8 is mended.
std::string script_json(const nlohmann::json& json);

}  // namespace mosaic::cli
