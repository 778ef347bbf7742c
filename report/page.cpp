#include "page.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "files.hpp"
#include "mosaic/report/report.hpp"

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

/// Puts a value for each {{name}}. What was put in is not looked through again.
std::string filled(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string page;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = text.find("{{", at);
    page += text.substr(at, begin - at);
    if (begin == std::string_view::npos) break;
    const auto end = text.find("}}", begin);
    const std::string name(text.substr(begin + 2, end - begin - 2));
    page += values.at(name);
    at = end + 2;
  }
  return page;
}

/// In the order in which they build on each other.
std::vector<std::string> all_scripts(const PageKind& kind) {
  std::vector<std::string> scripts = {"page.js", "text.js", "plot.js", "table.js"};
  scripts.insert(scripts.end(), kind.scripts.begin(), kind.scripts.end());
  return scripts;
}

std::string assembled(const PageKind& kind, const std::string& name, const nlohmann::json& data,
                      const std::string& head, const std::string& scripts) {
  return filled(files().at("page.html"), {{"title", escaped(name) + " – " + kind.title},
                                          {"instead", kind.instead},
                                          {"sections", files().at(kind.sections)},
                                          {"data", script_json(data)},
                                          {"head", head},
                                          {"scripts", scripts}});
}

}  // namespace

std::string page(const PageKind& kind, const std::string& name, const nlohmann::json& data) {
  std::string scripts = "<script>\n";
  for (const auto& file : all_scripts(kind)) scripts += files().at(file);
  // The page is kept to itself: nothing is fetched, whatever a name or a job file holds.
  return assembled(kind, name, data,
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
                   "<style>\n" +
                       files().at("page.css") + "</style>\n<script>\n" + files().at("errors.js") +
                       "</script>",
                   scripts + "</script>");
}

std::string live_page(const PageKind& kind, const std::string& name, const nlohmann::json& live) {
  std::string scripts;
  for (const auto& file : all_scripts(kind)) scripts += "<script src=\"/" + file + "\"></script>\n";
  return assembled(kind, name, {{"live", live}},
                   "<link rel=\"stylesheet\" href=\"/page.css\">\n"
                   "<script src=\"/errors.js\"></script>",
                   scripts);
}

const std::map<std::string, std::string, std::less<>>& live_files() {
  static const auto kept = [] {
    auto all = files();
    std::erase_if(all, [](const auto& file) { return file.first.ends_with(".html"); });
    return all;
  }();
  return kept;
}

}  // namespace mosaic::report
