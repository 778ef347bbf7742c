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

/// A Part draws 20,000 elements into a document that knows what a Part needs, and again: what is
/// the same stays, wherever something came in or changed.
constexpr const char* kManyParts = R"js('use strict';
class Element {
  constructor(text) { this.text = text; this.list = []; this.parent = null; this.last = 0; }
  get children() { return this.list; }
  get firstElementChild() { return this.list[0] || null; }
  get nextElementSibling() { return this.parent.list[this.at() + 1] || null; }
  at() {  // near where it was looked for last
    const {parent} = this;
    if (parent.list[parent.last + 1] === this) ++parent.last;
    if (parent.list[parent.last] !== this) parent.last = parent.list.indexOf(this);
    return parent.last;
  }
  isEqualNode(other) { return this.text === other.text; }
  remove() { this.parent.list.splice(this.at(), 1); this.parent = null; }
  insertBefore(element, there) {
    if (element.parent) element.remove();
    this.list.splice(there ? there.at() : this.list.length, 0, element);
    element.parent = this;
  }
}
const host = new Element('');
const section = () => host;
const document = {addEventListener: () => 0};
//PART
const texts = Array.from({length: 20000}, (_, i) => 'job ' + i);
const jobs = new Part('jobs');
const shown = () => {
  jobs.draw((it) => texts.forEach((text) => it.add(new Element(text))));
  if (host.list.map((element) => element.text).join() !== texts.join()) throw new Error('order');
  return [...host.list];
};
const first = new Set(shown());
const same = (now, skip) => now.filter((element) => !skip.includes(element.text))
    .every((element) => first.has(element));
if (!same(shown(), [])) throw new Error('made again');
texts.unshift('a new one');
if (!same(shown(), ['a new one'])) throw new Error('made again after one came in');
texts[300] = 'another';
texts.splice(7000, 1);
if (!same(shown(), ['a new one', 'another'])) throw new Error('made again after a change');
)js";

}  // namespace

TEST_CASE("a part of many elements is drawn again in a moment, and keeps those that are the same") {
  need(installed("node"), Need::kOther, "no node on the PATH (Debian package nodejs)");
  const Folder folder;
  std::string script = kManyParts;
  script.replace(script.find("//PART"), 6, slurp(source_dir() + "/report/part.js"));
  spill(folder.file("parts.js"), script);
  const auto found = folder.file("faults.txt");
  const int status =
      std::system(("timeout 300 node '" + folder.file("parts.js") + "' 2>'" + found + "'").c_str());
  INFO(slurp(found));
  CHECK(status == 0);
}

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
