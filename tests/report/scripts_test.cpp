#include <catch2/catch.hpp>
#include <filesystem>

#include "browser.hpp"
#include "mosaic/report/report.hpp"

using namespace mosaic;
using namespace mosaic::report::testing;

namespace {

/// What `node --check` finds in a script; "" where it reads.
std::string faults(const Folder& folder, const std::string& file) {
  const auto found = folder.file("faults.txt");
  const int status = std::system(("node --check '" + file + "' 2>'" + found + "'").c_str());
  return status == 0 ? "" : slurp(found);
}

}  // namespace

TEST_CASE("the scripts of the pages can be read, each and together") {
  need(installed("node"), Need::kOther, "no node on the PATH (Debian package nodejs)");
  const Folder folder;
  int checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() + "/report")) {
    if (entry.path().extension() != ".js") continue;
    CHECK(faults(folder, entry.path().string()) == "");
    ++checked;
  }
  CHECK(checked >= 6);

  // A name that two files declare is only wrong where they stand in one script.
  const db::Database database(folder.file());
  for (const auto& page :
       {report::rank_page({{"job", "x"}}), report::job_page(database, sample_job("x"))}) {
    const auto begin = page.rfind("<script>") + 8;
    spill(folder.file("page.js"), page.substr(begin, page.rfind("</script>") - begin));
    CHECK(faults(folder, folder.file("page.js")) == "");
  }
  spill(folder.file("broken.js"), "const twice = 1;\nconst twice = 2;\n");
  CHECK_THAT(faults(folder, folder.file("broken.js")), Catch::Contains("twice"));
}
