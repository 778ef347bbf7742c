#include "mosaic/core/config.hpp"

#include <catch2/catch.hpp>

#include "capture.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace core = mosaic::core;
using core::Config;
using mosaic::test::message_of;

namespace {

const std::string kJob = R"toml(seed = 7
name = "first"

[search]
population = 30
rate = 1
quick = true
algorithm = "nsga2(cr=0.9)"
tags = ["a", "b"]
sizes = [1, 2, 3]

[search.stop]
patience = 5

[[objective]]
metric = "accuracy"

[[objective]]
metric = "latency"
)toml";

Config job() { return Config::from_text(kJob, "job.toml"); }

template <class Action>
std::string usage_error(const Action& action) {
  return message_of<core::UsageError>(action);
}

}  // namespace

TEST_CASE("values are read with their types") {
  Config config = job();
  auto root = config.root();
  CHECK(root.integer("seed", 0) == 7);
  CHECK(root.string("name", "") == "first");
  auto search = root.section("search");
  CHECK(search.integer("population", 4, 4, 100) == 30);
  CHECK(search.number("rate", 0.5) == 1.0);
  CHECK(search.flag("quick", false));
  CHECK(search.required_string("algorithm") == "nsga2(cr=0.9)");
  CHECK(search.strings("tags", {}) == std::vector<std::string>{"a", "b"});
  CHECK(search.numbers("sizes", {}, 0, 5) == std::vector<double>{1, 2, 3});
  CHECK(usage_error([&] { search.numbers("sizes", {}, 0, 2); }).find("element 3 must be") !=
        std::string::npos);
  CHECK(usage_error([&] { search.numbers("tags", {}); }).find("element 1 is a string") !=
        std::string::npos);
  CHECK(search.section("stop").integer("patience", 0) == 5);
  auto objectives = root.sections("objective");
  REQUIRE(objectives.size() == 2);
  CHECK(objectives[1].one_of("metric", "", {"accuracy", "latency"}) == "latency");
  CHECK(objectives[0].string("metric", "") == "accuracy");
  CHECK_NOTHROW(config.finish());
}

TEST_CASE("what is absent has its default") {
  Config config = Config::from_text("");
  auto root = config.root();
  CHECK(root.integer("a", -1, 0, 5) == -1);  // a default may stand outside of the range
  CHECK(root.number("b", 0.5) == 0.5);
  CHECK(root.flag("c", true));
  CHECK(root.string("d", "x") == "x");
  CHECK(root.one_of("e", "y", {"x"}) == "y");
  CHECK(root.strings("f", {"z"}) == std::vector<std::string>{"z"});
  CHECK(root.sections("h").empty());
  auto absent = root.section("i").section("j");
  CHECK_FALSE(absent.has("k"));
  CHECK(absent.integer("k", 3) == 3);
  CHECK(absent.scalars_except({}).empty());
  CHECK_NOTHROW(config.finish());
}

TEST_CASE("a wrong type says file, line, key, value, what was expected and the way out") {
  Config config = Config::from_text(R"(
[search]
population = "30"
rate = "high"
quick = 1
algorithm = 3
count = 3.0
when = 2026-01-31
tags = ["a", 2]
sizes = 4
)",
                                    "job.toml");
  auto search = config.root().section("search");
  CHECK(usage_error([&] { search.integer("population", 40, 4, 100); }) ==
        "job.toml:3: [search] population = \"30\": must be an integer from 4 to 100, not a string: "
        "give it without quotes, as a number or true or false");
  CHECK(usage_error([&] { search.number("rate", 0.5); }) ==
        "job.toml:4: [search] rate = \"high\": must be a finite number, not a string: give it "
        "without quotes, as a number or true or false");
  CHECK(usage_error([&] { search.flag("quick", false); }) ==
        "job.toml:5: [search] quick = 1: must be true or false, not an integer: leave it out for "
        "the default, false");
  CHECK(usage_error([&] { search.string("algorithm", ""); }) ==
        "job.toml:6: [search] algorithm = 3: must be a string, not an integer: put it in quotes");
  CHECK(usage_error([&] { search.integer("count", 2, 1); }) ==
        "job.toml:7: [search] count = 3.0: must be an integer of at least 1, not a float: leave it "
        "out for the default, 2");
  CHECK(usage_error([&] { search.integer("when", 2); }) ==
        "job.toml:8: [search] when = 2026-01-31: must be an integer, not a date or time: leave it "
        "out for the default, 2");
  CHECK(usage_error([&] { search.strings("tags", {}); }) ==
        "job.toml:9: [search] tags = [\"a\", 2]: must be an array of strings, but element 2 is an "
        "integer: write tags = [\"a\", \"b\"]");
  CHECK(usage_error([&] { search.numbers("sizes", {}); }) ==
        "job.toml:10: [search] sizes = 4: must be an array of numbers, not an integer: write "
        "sizes = [0.3, 0.5]");
}

TEST_CASE("a number out of range is refused at both ends") {
  Config config = Config::from_text("n = 3\nx = 1.5\ny = nan\nz = -inf\nw = 0\n", "job.toml");
  auto root = config.root();
  CHECK(root.integer("n", 0, 3, 3) == 3);
  CHECK(root.number("x", 0, 1.5, 1.5) == 1.5);
  CHECK(usage_error([&] { root.integer("n", 10, 4, 100); }) ==
        "job.toml:1: n = 3: must be an integer from 4 to 100: leave it out for the default, 10");
  CHECK(usage_error([&] { root.integer("n", -1, -9, 2); }) ==
        "job.toml:1: n = 3: must be an integer from -9 to 2: leave it out for the default, -1");
  CHECK(usage_error([&] { root.number("x", 0.5, 0, 1); }) ==
        "job.toml:2: x = 1.5: must be a number from 0 to 1: leave it out for the default, 0.5");
  CHECK(usage_error([&] { root.number("y", 0.5); }) ==
        "job.toml:3: y = nan: must be a finite number: leave it out for the default, 0.5");
  CHECK(usage_error([&] { root.number("z", 0.5); }) ==
        "job.toml:4: z = -inf: must be a finite number: leave it out for the default, 0.5");
  CHECK(usage_error([&] { root.number("w", -1, 0.1); }) ==
        "job.toml:5: w = 0: must be a number of at least 0.1");
}

TEST_CASE("an unknown choice lists the choices and suggests the nearest") {
  Config config = Config::from_text("[supernet]\nrouter = \"neurn\"\n", "job.toml");
  CHECK(usage_error([&] {
          config.root().section("supernet").one_of("router", "plain", {"plain", "layer", "neuron"});
        }) ==
        "job.toml:2: [supernet] router = \"neurn\": unknown choice: did you mean 'neuron'? "
        "choices: plain, layer, neuron");
}

TEST_CASE("a required key that is missing is asked for") {
  Config config = Config::from_text("\n[search]\nalgoritm = \"random\"\n", "job.toml");
  auto search = config.root().section("search");
  CHECK(usage_error([&] { search.required_string("algorithm"); }) ==
        "job.toml:2: [search] algorithm: is missing, and there is no default: did you write "
        "'algoritm' for 'algorithm'?");
  CHECK(usage_error([&] { config.root().required_string("space"); }) ==
        "job.toml: space: is missing, and there is no default: add space = \"...\" to the top of "
        "the file");
  CHECK(usage_error([&] { config.root().section("task").required_string("name"); }) ==
        "job.toml: [task] name: is missing, and there is no default: add name = \"...\" to [task]");
}

TEST_CASE("a key that nobody read is an error with the nearest known key") {
  Config config =
      Config::from_text("seed = 1\n\n[supernet]\nbatch = 4\n# a comment\nepoch = 3\n", "job.toml");
  auto root = config.root();
  root.integer("seed", 0);
  auto supernet = root.section("supernet");
  supernet.integer("batch", 1);
  supernet.integer("epochs", 1);
  CHECK(usage_error([&] { config.finish(); }) ==
        "job.toml:6: unknown key 'epoch' in [supernet]: did you mean 'epochs'? known keys here: "
        "batch, epochs");
}

TEST_CASE("of several unknown keys the first in the file is reported") {
  Config config = Config::from_text("zebra = 1\napple = 2\n", "job.toml");
  config.root().has("seed");
  CHECK(usage_error([&] { config.finish(); }) ==
        "job.toml:1: unknown key 'zebra': known keys here: seed");
}

TEST_CASE("a table that nobody asked for is an error") {
  Config config = Config::from_text("seed = 1\n[serach]\npopulation = 4\n", "job.toml");
  auto root = config.root();
  root.integer("seed", 0);
  root.section("search").integer("population", 8);
  CHECK(usage_error([&] { config.finish(); }) ==
        "job.toml:2: unknown table [serach]: did you mean 'search'? known keys here: search, seed");

  Config list = Config::from_text("[search]\n[[search.objectiv]]\nmetric = \"a\"\n", "job.toml");
  list.root().section("search").sections("objective");
  CHECK(usage_error([&] { list.finish(); }) ==
        "job.toml:2: unknown table [[search.objectiv]]: did you mean 'objective'? known keys here: "
        "objective");
}

TEST_CASE("unknown keys are found in sub-tables and in elements of arrays") {
  Config config = Config::from_text(
      "[[objective]]\nmetric = \"a\"\n[[objective]]\nmetrik = \"b\"\n[[objective]]\nmetric = "
      "\"c\"\n[objective.target]\nmaxx = 1\n",
      "job.toml");
  for (auto& objective : config.root().sections("objective")) {
    objective.string("metric", "");
    objective.section("target").number("max", 0);
  }
  CHECK(usage_error([&] { config.finish(); }) ==
        "job.toml:4: unknown key 'metrik' in [[objective]]: did you mean 'metric'? known keys "
        "here: metric, target");

  Config nested = Config::from_text("[[objective]]\n[objective.target]\nmaxx = 1\n", "job.toml");
  for (auto& objective : nested.root().sections("objective"))
    objective.section("target").number("max", 0);
  CHECK(usage_error([&] { nested.finish(); }) ==
        "job.toml:3: unknown key 'maxx' in [objective.target]: did you mean 'max'? known keys "
        "here: max");

  Config empty = Config::from_text("[search]\nx = 1\n", "job.toml");
  empty.root().section("search");
  CHECK(usage_error([&] { empty.finish(); }) ==
        "job.toml:2: unknown key 'x' in [search]: no keys are known here, remove it");
}

TEST_CASE("a table can be read through several sections") {
  Config config = Config::from_text("[search]\na = 1\nb = 2\n", "job.toml");
  config.root().section("search").integer("a", 0);
  config.root().section("search").integer("b", 0);
  CHECK_NOTHROW(config.finish());
}

TEST_CASE("tables, arrays of tables and values are not taken for each other") {
  Config config = Config::from_text("search = 1\n[objective]\nx = 1\n[[stop]]\n", "job.toml");
  auto root = config.root();
  CHECK(usage_error([&] { root.section("search"); }) ==
        "job.toml:1: search = 1: must be a table, not an integer: write [search] on a line of its "
        "own, then its keys");
  CHECK(usage_error([&] { root.sections("objective"); }) ==
        "job.toml:2: objective: must be an array of tables, not a table: write [[objective]] above "
        "the keys of each");
  CHECK(usage_error([&] { root.section("stop"); }) ==
        "job.toml:4: stop = [{...}]: must be a table, not an array: write [stop] on a line of its "
        "own, then its keys");
  CHECK(usage_error([&] { root.integer("objective", 1); }) ==
        "job.toml:2: objective: must be an integer, not a table: leave it out for the default, 1");
}

TEST_CASE("scalars of unknown names are taken as text") {
  Config config = Config::from_text(
      "[space]\nname = \"cells\"\nwidth = 16\nscale = 0.50\nwide = true\nlabel = \"x y\"\n",
      "job.toml");
  auto space = config.root().section("space");
  CHECK(space.string("name", "") == "cells");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(space.scalars_except({"name"}) ==
        Pairs{{"label", "x y"}, {"scale", "0.5"}, {"wide", "true"}, {"width", "16"}});
  CHECK_NOTHROW(config.finish());
}

TEST_CASE("rules of others are reported at the line of a key or of its table") {
  Config config = job();
  auto root = config.root();
  auto search = root.section("search");
  CHECK(search.where("population") == "job.toml:5: [search] population");
  CHECK(search.where("absent") == "job.toml:4: [search] absent");
  CHECK(search.where("") == "job.toml:4: [search]");
  CHECK(root.where("seed") == "job.toml:1: seed");
  CHECK(root.where("") == "job.toml");
  CHECK(root.sections("objective")[1].where("") == "job.toml:18: [[objective]]");
  CHECK(search.section("stop").where("patience") == "job.toml:13: [search.stop] patience");
  CHECK(usage_error([&] {
          search.fail("population", "is not a multiple of 4 (NSGA-II pairs parents four at a time)",
                      "use 28 or 32");
        }) ==
        "job.toml:5: [search] population = 30: is not a multiple of 4 (NSGA-II pairs parents four "
        "at a time): use 28 or 32");
  CHECK(usage_error([&] { search.fail("", "contradicts itself"); }) ==
        "job.toml:4: [search]: contradicts itself");
}

TEST_CASE("long values are cut in messages") {
  Config config = Config::from_text("x = \"" + std::string(500, 'y') + "\"\n", "job.toml");
  CHECK(usage_error([&] { config.root().fail("x", "is long"); }) ==
        "job.toml:1: x = \"" + std::string(56, 'y') + "...: is long");
}

TEST_CASE("malformed TOML is refused with file and line") {
  CHECK_THROWS_WITH(Config::from_text("a = 1\nb = \n", "job.toml"),
                    Catch::StartsWith("job.toml:2: ") &&
                        Catch::EndsWith(": correct this line, a job file is TOML (see "
                                        "https://toml.io)"));
  CHECK_THROWS_WITH(Config::from_text("a = 1\na = 2\n", "job.toml"),
                    Catch::StartsWith("job.toml:2: ") && Catch::Contains("'a'"));
}

TEST_CASE("a job file in another encoding, or with a word processor's quotes, is told so") {
  const auto advice = [](const std::string& text) {
    try {
      Config::from_text(text, "job.toml");
    } catch (const core::UsageError& error) {
      return error.advice();
    }
    return std::string("none");
  };
  CHECK_THAT(advice("[job]\nname = \u201Cx\u201D\n"),
             Catch::Contains("straight quotes (\") where line 2 has curly ones"));
  CHECK_THAT(advice(std::string("\xFF\xFE[\0j\0", 6)), Catch::Contains("seems to be UTF-16"));
  CHECK_THAT(advice("[job]\nname = \"caf\xE9\"\n"), Catch::Contains("is not UTF-8"));
}

TEST_CASE("a job file is read from disk and kept as written") {
  const mosaic::test::Folder folder;
  core::write_file_atomic(folder / "job.toml", kJob);
  const Config config = Config::from_file(folder / "job.toml");
  CHECK(config.text() == kJob);
  CHECK(config.hash() == job().hash());
  CHECK(usage_error([] { Config::from_file("/nowhere/job.toml"); }) ==
        "cannot read '/nowhere/job.toml': No such file or directory: check the path");
}

TEST_CASE("the hash of a job is over its values") {
  const auto hash = [](const char* text) { return Config::from_text(text).hash(); };
  const auto base = hash("a = 1\nb = \"x\"\n[t]\nc = [1, 2]\n");
  CHECK(base.size() == 32);
  CHECK(hash("# comment\nb='x'\na   =   0x1\n\nt = { c = [\n 1,\n 2, ] }\n") == base);
  CHECK(hash("a = 1.0\nb = \"x\"\n[t]\nc = [1, 2]\n") == base);
  CHECK(hash("a = 2\nb = \"x\"\n[t]\nc = [1, 2]\n") != base);
  CHECK(hash("a = \"1\"\nb = \"x\"\n[t]\nc = [1, 2]\n") != base);
  CHECK(hash("a = 1\nb = \"x\"\n[t]\nc = [2, 1]\n") != base);
  CHECK(hash("a = 1\nb = \"x\"\nc = [1, 2]\n[t]\n") != base);
}

TEST_CASE("what differs between two documents is told by name, then and now") {
  const auto before = Config::from_text(
      "[job]\nname = \"a\"\nseed = 2\n[search]\npopulation = 30\nrate = 1\n[[objective]]\n"
      "metric = \"flops\"\n");
  const auto now = Config::from_text(
      "# a comment\n[search]\nrate = 1.0\npopulation = 60\nstart = [\"x\", \"y\"]\n[job]\nname = "
      "\"a\"\n"
      "[[objective]]\nmetric = \"params\"\n[[objective]]\nmetric = \"flops\"\n");
  std::vector<std::string> texts;
  for (const auto& change : now.changes_since(before)) texts.push_back(change.text());
  CHECK(texts == std::vector<std::string>{"job.seed (2, now absent)",
                                          "objective[0].metric (\"flops\", now \"params\")",
                                          "objective[1].metric (absent, now \"flops\")",
                                          "search.population (30, now 60)",
                                          "search.start (absent, now [\"x\", \"y\"])"});
  CHECK(now.changes_since(now).empty());
}
