/// How a page is put together from its files and its numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace mosaic::report {

/// What tells one kind of page from another.
struct PageKind {
  std::string title;                 ///< after the name, in the browser's title
  std::string sections;              ///< "job.html"
  std::vector<std::string> scripts;  ///< {"job.js"}, after those that all pages have
  std::string instead;               ///< HTML: what to do without JavaScript
};

/// page.html with everything in its place. Text in `data` that is not UTF-8 is mended.
std::string page(const PageKind& kind, const std::string& name, const nlohmann::json& data);

/// The same, but style and scripts are fetched from the server of the page, as are its numbers:
/// `live` says which.
std::string live_page(const PageKind& kind, const std::string& name, const nlohmann::json& live);

}  // namespace mosaic::report
