#include <catch2/catch.hpp>

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
  return table_evaluator(table, metric)->evaluate(candidates);
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

TEST_CASE(
    "rows that cannot be read or repeat a network are left out; the first of equal ones counts") {
  const auto space = small_space();
  const Table table(
      core::parse_csv("arch,ms\nnonsense,1\n" + kConv + ",2\n" + kConv + ",9\n", "t.csv"), space);
  CHECK(table.networks() == 1);
  CHECK(table.look_up(make_candidate(space, space.parse(kConv)), 1).value == 2);
}

TEST_CASE("a table without any network of the space is refused") {
  const auto space = small_space();
  try {
    Table table(core::parse_csv("arch,ms\nnonsense,1\n", "t.csv"), space);
    FAIL("no error");
  } catch (const core::Error& error) {
    CHECK_THAT(error.what(), Catch::StartsWith("t.csv holds no network of the space nasbench201 (1 "
                                               "rows, none can be read)"));
  }
  CHECK_THROWS_AS(Table(core::parse_csv("network,ms\na,1\n", "t.csv"), space), core::UsageError);
}

TEST_CASE("a table's checksum tells tables apart, and the fidelity carries it") {
  const auto space = small_space();
  const auto a = std::make_shared<Table>(core::parse_csv("arch,ms\n" + kConv + ",2\n", "a"), space);
  const auto b = std::make_shared<Table>(core::parse_csv("arch,ms\n" + kConv + ",3\n", "b"), space);
  CHECK(a->checksum() != b->checksum());
  CHECK(table_evaluator(a, "ms")->fidelity() == "table(" + a->checksum().substr(0, 12) + ")");
  CHECK_THROWS_AS(table_evaluator(a, "seconds"), core::UsageError);
}
