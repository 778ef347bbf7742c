#include "page.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "files.hpp"

namespace mosaic::report {
namespace {

/// For element content.
std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text)
    if (c == '&')
      html += "&amp;";
    else if (c == '<')
      html += "&lt;";
    else
      html += c;
  return html;
}

/// JSON that can stand inside a script element.
std::string script_json(const nlohmann::json& json) {
  // '<' occurs in strings only, where \u003c means the same and can end no element.
  const auto plain = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string safe;
  safe.reserve(plain.size());
  for (const char c : plain)
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  return safe;
}

/// Puts a value, or else the file of that name, for each {{name}}. What was put in is not looked
/// through again.
std::string filled(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string page;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = text.find("{{", at);
    page += text.substr(at, begin - at);
    if (begin == std::string_view::npos) break;
    const auto end = text.find("}}", begin);
    const std::string name(text.substr(begin + 2, end - begin - 2));
    const auto value = values.find(name);
    page += value != values.end() ? value->second : files().at(name);
    at = end + 2;
  }
  return page;
}

}  // namespace

std::string page(const PageKind& kind, const std::string& name, const nlohmann::json& data) {
  return filled(files().at("page.html"), {{"title", escaped(name) + " – " + kind.title},
                                          {"instead", kind.instead},
                                          {"sections", files().at(kind.sections)},
                                          {"data", script_json(data)},
                                          {"script", files().at(kind.script)}});
}

}  // namespace mosaic::report
