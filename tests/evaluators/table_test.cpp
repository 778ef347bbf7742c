#include <algorithm>
#include <catch2/catch.hpp>

#include "../core/capture.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/evaluators/table.hpp"

using namespace mosaic;
using namespace mosaic::evaluators;

namespace {

const std::string kConv = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_3x3~2|";
const std::string kSkip = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|";
// Both have only the direct skip from input to output: one function, two genotypes.
const std::string kSkipToo = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|";

spaces::Space small_space() {
  return spaces::Space::make("nasbench201", {}, {{"cells", "1"}, {"channels", "4"}});
}

std::vector<core::Measurement> look_up(const spaces::Space& space, const std::string& csv,
                                       const std::string& metric,
                                       const std::vector<std::string>& archs) {
  const auto table = std::make_shared<Table>(core::parse_csv(csv, "t.csv"), space);
  std::vector<Candidate> candidates;
  for (const auto& arch : archs) candidates.push_back(make_candidate(space, space.parse(arch)));
  std::vector<core::Measurement> result;
  for (auto& row : table_evaluator(table, {metric})->evaluate(candidates))
    result.push_back(std::move(row.at(0)));
  return result;
}

template <class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error.what();
  }
  FAIL("no error was thrown");
  return "";
}

/// What a table of `metrics` says to the log.
std::string told(const spaces::Space& space, const std::string& csv,
                 const std::vector<std::string>& metrics) {
  return test::run_child([&] { Table(core::parse_csv(csv, "t.csv"), space, metrics); }).text;
}

}  // namespace

TEST_CASE("a table is looked up by genotype, never by function") {
  const auto space = small_space();
  const std::string csv = "arch,ms\n" + kConv + ",3\n" + kSkip + ",1.5\n" + kSkipToo + ",2.5\n";
  REQUIRE(spaces::function_hash(space.bind(space.parse(kSkip))) ==
          spaces::function_hash(space.bind(space.parse(kSkipToo))));
  const auto found = look_up(space, csv, "ms", {kSkipToo, kConv, kSkip});
  CHECK(found[0].value == 2.5);
  CHECK(found[1].value == 3);
  CHECK(found[2].value == 1.5);
  CHECK(found[0].ok());
}

TEST_CASE(
    "a network that the table lacks, or whose cell is no number, is a failure that says why") {
  const auto space = small_space();
  const std::string csv = "arch,ms\n" + kConv + ",soon\n";
  const auto found = look_up(space, csv, "ms", {kConv, kSkip});
  CHECK_FALSE(found[0].ok());
  CHECK(found[0].status == core::Status::failed);
  CHECK_THAT(found[0].message, Catch::Contains("t.csv:2") && Catch::Contains("'ms' is 'soon'"));
  CHECK(found[1].status == core::Status::failed);
  CHECK(found[1].message == "t.csv has no row for this network");
}

TEST_CASE("a network in several rows has the mean of them, and the log tells how far they differ") {
  const auto space = small_space();
  const std::string csv = "arch,ms,score\nnonsense,1,1\n" + kConv + ",2,5\n" + kConv + ",4,5\n" +
                          kSkip + ",7,1\n" + kConv + ",soon,5\n";
  const Table table(core::parse_csv(csv, "t.csv"), space, {"ms"});
  CHECK(table.networks() == 2);
  CHECK(table.repeats());
  CHECK(table.look_up(make_candidate(space, space.parse(kConv)), 1).value == 3);
  CHECK(table.look_up(make_candidate(space, space.parse(kSkip)), 1).value == 7);
  const auto log = told(space, csv, {"ms"});
  CHECK_THAT(log, Catch::Contains("t.csv: 1 of 5 rows left out, whose architecture the space "
                                  "nasbench201 cannot read (t.csv:2: "));
  CHECK_THAT(log, Catch::Contains("t.csv: 1 of 4 rows have no number in column 'ms' (t.csv:6: "
                                  "'soon'); a network without one is left out"));
  CHECK_THAT(log, Catch::Contains("t.csv: 1 network in several rows (3): their means are taken; "
                                  "they differ by up to 50% (ms of " +
                                  kConv + ": 2 in line 3, 4 in line 4, soon in line 6)"));
  const auto shared = std::make_shared<Table>(core::parse_csv(csv, "t.csv"), space);
  CHECK(table_evaluator(shared, {"ms"})->metrics()[0].fidelity ==
        "table(" + shared->checksum().substr(0, 12) + ", mean of repeats)");
}

TEST_CASE("of many rows that cannot be read three are told, in one line") {
  const auto space = small_space();
  std::string csv = "arch,ms\n" + kConv + ",2\n";
  for (int i = 0; i < 29; ++i) csv += "network " + std::to_string(i) + ",1\n";
  const auto log = told(space, csv, {"ms"});
  CHECK_THAT(log, Catch::Contains("29 of 30 rows left out") && Catch::Contains("t.csv:3: ") &&
                      Catch::Contains("t.csv:5: ") && !Catch::Contains("t.csv:6: ") &&
                      Catch::Contains("; 26 more)"));
  CHECK(std::count(log.begin(), log.end(), '\n') == 1);
}

TEST_CASE("candidates are the networks that have every metric") {
  const auto space = small_space();
  const std::string csv =
      "arch,ms,score\n" + kConv + ",2,\n" + kSkip + ",nan,4\n" + kSkipToo + ",3,5\n";
  CHECK(Table(core::parse_csv(csv, "t.csv"), space).complete().size() == 3);
  CHECK(Table(core::parse_csv(csv, "t.csv"), space, {"ms"}).complete() ==
        std::vector<spaces::Genotype>{space.parse(kConv), space.parse(kSkipToo)});
  CHECK(Table(core::parse_csv(csv, "t.csv"), space, {"ms", "score"}).complete() ==
        std::vector<spaces::Genotype>{space.parse(kSkipToo)});
  CHECK(message_of([&] {
          Table(core::parse_csv("arch,a,b\n" + kConv + ",2,\n" + kSkip + ",,4\n", "t.csv"), space,
                {"a", "b"});
        }) ==
        "no network of t.csv has a number in each of a, b: complete the rows, or leave a "
        "metric out");
}

TEST_CASE("a metric without any number is refused, with the likely reason") {
  const auto space = small_space();
  const auto refusal = [&](const std::string& cell) {
    return message_of([&] {
      Table(core::parse_csv("arch,ms\n" + kConv + "," + cell + "\n" + kSkip + ",\n", "t.csv"),
            space, {"ms"});
    });
  };
  CHECK(refusal("\"85,7\"") ==
        "column 'ms' of t.csv has no number (t.csv:2: '85,7'; t.csv:3: ''): write 85.7: decimals "
        "stand behind a point");
  CHECK_THAT(refusal("3.5 ms"), Catch::Contains(": write 3.5, without the unit 'ms'"));
  CHECK_THAT(refusal("fast"), Catch::EndsWith(": name a column of numbers"));
}

TEST_CASE("a table without any network of the space is refused") {
  const auto space = small_space();
  CHECK_THAT(
      message_of([&] { Table(core::parse_csv("arch,ms\nnonsense,1\n", "t.csv"), space); }),
      Catch::StartsWith("t.csv holds no network of the space nasbench201 (1 row, none can be "
                        "read: t.csv:2: "));
  CHECK_THROWS_AS(Table(core::parse_csv("network,ms\na,1\n", "t.csv"), space), core::UsageError);
}

TEST_CASE("a table's checksum tells tables apart, and the fidelity carries it") {
  const auto space = small_space();
  const auto a = std::make_shared<Table>(core::parse_csv("arch,ms\n" + kConv + ",2\n", "a"), space);
  const auto b = std::make_shared<Table>(core::parse_csv("arch,ms\n" + kConv + ",3\n", "b"), space);
  CHECK(a->checksum() != b->checksum());
  CHECK(table_evaluator(a, {"ms"})->metrics()[0].fidelity ==
        "table(" + a->checksum().substr(0, 12) + ")");
  CHECK_THROWS_AS(table_evaluator(a, {"seconds"}), core::UsageError);
}
