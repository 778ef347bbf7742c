/// Opens pages in headless Chromium, as a reader would.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "db/fixtures.hpp"
#include "needs.hpp"

namespace mosaic::report::testing {

using namespace db::testing;
using Json = nlohmann::json;

/// Whether a program is on the PATH.
inline bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

/// The first of the usual names of the browser that is there; skips the test without one.
inline std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome", "chrome"})
    if (installed(name)) return name;
  skip(Need::kTools, "no Chromium on the PATH; scripts/setup.sh --with-chromium installs one");
}

/// What stands between the page's data element and its end.
inline Json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(begin);
  REQUIRE(from != std::string::npos);
  const auto to = page.find("</script>", from);
  REQUIRE(to != std::string::npos);
  return Json::parse(page.substr(from + begin.size(), to - from - begin.size()));
}

inline std::string unescape(std::string text) {
  const std::pair<const char*, const char*> names[] = {
      {"&quot;", "\""}, {"&lt;", "<"}, {"&gt;", ">"}, {"&nbsp;", " "}, {"&amp;", "&"}};
  for (const auto& [name, character] : names)
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1))
      text.replace(at, std::string(name).size(), character);
  return text;
}

/// What a call of probe.js ("look_at_job(17)") saw in the page. Checks that the page has no errors,
/// no words such as NaN, and is not wider than the window.
inline Json seen(const std::string& browser, std::string page, const std::string& call) {
  const Folder folder;
  page.insert(page.rfind("</body>"), "<script>\n" + slurp(source_dir() + "/tests/report/probe.js") +
                                         "document.documentElement.dataset.seen = JSON.stringify(" +
                                         call + ");\n</script>\n");
  spill(folder.file("page.html"), page);
  const std::string command =
      "HOME='" + folder.path() + "' timeout 300 " + browser +
      " --headless --no-sandbox --disable-gpu --window-size=1200,1400 --user-data-dir='" +
      folder.file("profile") + "' --virtual-time-budget=20000 --dump-dom 'file://" +
      folder.file("page.html") + "' >'" + folder.file("dom.html") + "' 2>'" +
      folder.file("browser.log") + "'";
  const int status = std::system(command.c_str());
  INFO(slurp(folder.file("browser.log")).substr(0, 2000));
  REQUIRE(status == 0);
  const auto dom = slurp(folder.file("dom.html"));
  const std::string mark = "data-seen=\"";
  const auto from = dom.find(mark);
  INFO(dom.substr(0, 1000));
  REQUIRE(from != std::string::npos);
  const auto begin = from + mark.size();
  auto result = Json::parse(unescape(dom.substr(begin, dom.find('"', begin) - begin)));
  CHECK(result["errors"] == Json::array());
  CHECK(result["words"] == Json::array());
  CHECK(result["wide"] == false);
  return result;
}

}  // namespace mosaic::report::testing
