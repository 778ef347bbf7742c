/// How a page is put together from its files and its numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mosaic::report {

/// What tells one kind of page from another.
struct PageKind {
  std::string title;     ///< after the name, in the browser's title
  std::string sections;  ///< "job.html"
  std::string script;    ///< "job.js"
  std::string instead;   ///< HTML: what to do without JavaScript
};

/// page.html with everything in its place. Text in `data` that is not UTF-8 is mended.
std::string page(const PageKind& kind, const std::string& name, const nlohmann::json& data);

}  // namespace mosaic::report
