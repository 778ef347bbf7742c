// Values that are set from outside of a file.
#include <catch2/catch.hpp>

#include "capture.hpp"
#include "mosaic/core/config.hpp"
#include "mosaic/core/error.hpp"

using Catch::Contains;
using mosaic::core::Config;
using mosaic::core::FormerKeys;
using mosaic::test::message_of;

namespace {

const std::string kJob = R"toml([job]
name = "first"      # ünïcode before: "ü"

[search]            # what to look for
evaluations = 200   # of networks
start = ["a",
         "b"]       # two lines
algorithm = 'ä'     # one letter

[[objective]]
metric = "accuracy" # %
goal = "max"

[[objective]]
metric = "latency_ms"
goal = "min"

[space]
options = { width = 3 }
)toml";

const FormerKeys kFormer{{"search.evaluations", "budget"}};

std::string set(const std::vector<std::string>& assignments, const std::string& text = kJob) {
  return Config::from_text(text, "job.toml", kFormer, assignments).text();
}

std::string replaced(const std::string& before, const std::string& after, std::string text = kJob) {
  const auto at = text.find(before);
  REQUIRE(at != std::string::npos);
  return text.replace(at, before.size(), after);
}

std::string refusal(const std::string& assignment, const std::string& text = kJob) {
  return message_of<mosaic::core::UsageError>([&] { set({assignment}, text); });
}

}  // namespace

TEST_CASE("a value that is set replaces the one that is written, in its place") {
  CHECK(set({"search.evaluations=400"}) == replaced("200 ", "400 "));
  CHECK(set({" search.evaluations = 400 "}) == replaced("200 ", "400 "));
  CHECK(set({"job.name=\"second\""}) == replaced("\"first\"", "\"second\""));
  CHECK(set({"search.algorithm=nsga2(cr=0.9)"}) == replaced("'ä'", "\"nsga2(cr=0.9)\""));
  CHECK(set({"objective.latency_ms.goal=none"}) == replaced("\"min\"", "\"none\""));
  CHECK(set({"objective[0].goal=min"}) == replaced("\"max\"", "\"min\""));
  CHECK(set({"space.options.width=4"}) == replaced("width = 3", "width = 4"));
  CHECK(set({"search.budget=4"}) == replaced("200 ", "4 "));
  CHECK(set({"search.evaluations=400", "search.evaluations=500"}) == replaced("200 ", "500 "));
  // Lines stay where they are.
  CHECK(set({"search.start=[\"c\"]"}) == replaced("[\"a\",\n         \"b\"]", "[\"c\"]\n"));
  CHECK(set({"search.evaluations=4"}, "search.evaluations = 3") == "search.evaluations = 4");
}

TEST_CASE("what stands for a string is one, and what is no TOML is one") {
  CHECK(set({"job.name=2024"}) == replaced("\"first\"", "\"2024\""));
  CHECK(set({"job.name=true"}) == replaced("\"first\"", "\"true\""));
  CHECK(set({"job.name="}) == replaced("\"first\"", "\"\""));
  CHECK(set({"job.name=a = b # \"c\\"}) == replaced("\"first\"", "\"a = b # \\\"c\\\\\""));
  CHECK(set({"job.name=x\ny = 3"}) == replaced("\"first\"", "\"x\\ny = 3\""));
  CHECK_THAT(refusal("search.start=[a]"), Contains("is no TOML") && Contains("single quotes"));
}

TEST_CASE("a key that is no string is taken out by a value of nothing, and its comment stays") {
  CHECK(set({"search.evaluations="}) == replaced("evaluations = 200 ", " "));
  CHECK(set({"search.start="}) == replaced("start = [\"a\",\n         \"b\"]", "\n"));
  CHECK_THAT(refusal("search.minutes="), Contains("no such key to take out"));
  CHECK(set({"search.budget="}, "[search]\nbudget = 3\n") == "[search]\n\n");
  CHECK(set({"job.steps=3", "job.steps="}, "[job]\nname = \"a\"\n") == "[job]\nname = \"a\"\n\n");
}

TEST_CASE("a key that is not there is added to its table, or to a new one at the end") {
  CHECK(set({"search.patience=5"}) == replaced("one letter\n", "one letter\npatience = 5\n"));
  CHECK(set({"objective.accuracy.samples=60"}) ==
        replaced("goal = \"max\"\n", "goal = \"max\"\nsamples = 60\n"));
  CHECK(set({"space.options.depth=2"}) == replaced("width = 3 }", "width = 3, depth = 2 }"));
  CHECK(set({"rank.truth.seeds=2"}) == kJob + "[rank.truth]\nseeds = 2\n");
  CHECK(set({"job.seed=2"}, "[job]") == "[job]\nseed = 2\n");
  CHECK(set({"job.seed=2"}, "") == "[job]\nseed = 2\n");
  CHECK(set({"a.c=2"}, "a.b = 1\n") == "a.b = 1\na.c = 2\n");
  CHECK(set({"a.c=2"}, "a = {}\n") == "a = { c = 2}\n");
  CHECK(set({"a.c=2"}, "[a.b]\nd = 1") == "[a.b]\nd = 1\n[a]\nc = 2\n");
  CHECK(set({"objective.samples=60"}, "[[objective]]\nmetric = \"accuracy\"\n") ==
        "[[objective]]\nmetric = \"accuracy\"\nsamples = 60\n");
}

TEST_CASE("messages name what was set, and else the lines of the file") {
  auto config = Config::from_text(kJob, "job.toml", {}, {"search.patience=-1", "job.name=other"});
  auto search = config.root().section("search");
  const auto message = [&](const auto& body) { return message_of<mosaic::core::UsageError>(body); };
  CHECK_THAT(message([&] { search.integer("patience", 0, 0); }),
             Contains("--set search.patience=-1: [search] patience = -1: must be"));
  CHECK_THAT(message([&] { search.integer("evaluations", 0, 300); }),
             Contains("job.toml:5: [search] evaluations = 200"));
  CHECK_THAT(
      message([&] { config.root().section("space").section("options").integer("width", 0, 9); }),
      Contains("job.toml:19: [space.options] width"));
  auto unknown = Config::from_text("[job]\nseed = 1\n", "job.toml", {}, {"job.sede=2"});
  unknown.root().section("job").integer("seed", 1);
  CHECK_THAT(
      message([&] { unknown.finish(); }),
      Contains("--set job.sede=2: unknown key 'sede' in [job]") && Contains("did you mean 'seed'"));
}

TEST_CASE("what cannot be set is refused by name") {
  CHECK_THAT(refusal("evaluations"), Contains("there is no '='"));
  CHECK_THAT(refusal("search..a=1"), Contains("'' is no key"));
  CHECK_THAT(refusal("search.a b=1"), Contains("'a b' is no key"));
  CHECK_THAT(refusal("search=1"),
             Contains("'search' is a whole table") && Contains("--set search.KEY=VALUE"));
  CHECK_THAT(refusal("objective[0]=1"), Contains("whole table"));
  CHECK_THAT(refusal("search.evaluations.a=1"), Contains("'search.evaluations' is no table"));
  CHECK_THAT(refusal("objective[2].samples=1"), Contains("only 2 [[objective]]"));
  CHECK_THAT(refusal("objective[x].samples=1"), Contains("is no element"));
  CHECK_THAT(refusal("search[7].evaluations=10"),
             Contains("[search] is one table, not a list of them") &&
                 Contains("leave its number out: --set search.evaluations=10"));
  CHECK_THAT(refusal("objective.accuracy[5].goal=min"),
             Contains("'accuracy' is one [[objective]]") &&
                 Contains("leave its number out: --set objective.accuracy.goal=min"));
  CHECK_THAT(refusal("objective[0].more[1].goal=min"),
             Contains("the file has no [[objective.more]]") &&
                 Contains("--set objective[0].more.goal=min"));
  CHECK_THAT(refusal("rank[0].truth[1].seeds=2"), Contains("the file has no [[rank]]"));
  CHECK_THAT(refusal("search.evaluations[0].a=1"), Contains("'search.evaluations' is no table"));
  CHECK_THAT(refusal("objective.samples=1"),
             Contains("there are 2 [[objective]]") &&
                 Contains("objective.accuracy.samples, objective.latency_ms.samples"));
  CHECK_THAT(refusal("objective.flops.samples=1"), Contains("there is no [[objective]] 'flops'"));
  CHECK_THAT(refusal("a.b=1", "[a"), Contains("job.toml:1"));
}
