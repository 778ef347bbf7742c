// The page of a ranking; what makes the ranking needs LibTorch.
#include <catch2/catch.hpp>
#include <limits>
#include <memory>

#include "browser.hpp"
#include "jobs/poolings.hpp"
#include "mosaic/report/report.hpp"

using namespace mosaic;
using namespace mosaic::jobs::testing;
using namespace mosaic::report::testing;

TEST_CASE("the page of a ranking shows each score as a row and as a plot") {
  const auto browser = chromium();
  auto result = summarised();
  result.seeds[1] = 18446744073709551615u;
  result.best = std::make_shared<jobs::RankResult>(summarised());
  const auto page = report::rank_page(jobs::to_json(result));
  for (const char* outside : {"http:", "https:", "src=", "@import", "url("})
    CHECK_THAT(page, !Catch::Contains(outside));

  const auto saw = seen(browser, page, "look_at_ranking(9)");
  REQUIRE(saw["plots"].size() == 3);
  for (const auto& plot : saw["plots"])  // 61-74 and 87-92 have no value in common: no diagonal
    CHECK(plot == Json({{"networks", 12}, {"best truth", 1}, {"best score", 1}}));
  CHECK(saw["labels"] ==
        Json({"inherited accuracy, %", "inherited error, % (lower is better)", "FLOPs, millions"}));
  const auto& statistics = saw["statistics"];
  REQUIRE(statistics.size() == 3 * 9);
  CHECK(statistics[0] == "inherited accuracy");
  CHECK_THAT(statistics[1].get<std::string>(), Catch::Contains("0.652 ± 0.193"));
  CHECK(statistics[18] == "FLOPs");
  CHECK(statistics[19] == "0.321");  // one value: no interval
  CHECK(statistics[25] == "2.02");
  CHECK(saw["best"] == statistics);
  CHECK(saw["facts"][4] == "Supernet seeds11, 18446744073709551615");
  CHECK_THAT(saw["text"].get<std::string>(), Catch::Contains("inherited accuracy\t11\t"));
  CHECK_THAT(saw["text"].get<std::string>(), !Catch::Contains("Where sharing ended"));
}

TEST_CASE("pointing at a network of a ranking tells which it is, in every plot") {
  const auto browser = chromium();
  const auto saw =
      seen(browser, report::rank_page(jobs::to_json(summarised())), "look_at_ranking(9)");
  CHECK(saw["hovered"]["arch"] == "6-2-2");
  for (const char* part : {"91.83% ± 0.13%", "75.9M", "72.60%"})
    CHECK_THAT(saw["hovered"]["text"].get<std::string>(), Catch::Contains(part));
  CHECK(saw["ringed"] == 3);
  CHECK(saw["ringed_after"] == 0);
  CHECK_THAT(saw["spoken"].get<std::string>(), Catch::StartsWith("1-1-8, Truth 87.45%"));
}

TEST_CASE("scores and truth of one scale show where they agree") {
  const auto browser = chromium();
  auto result = poolings();
  for (auto& values : result.scores[0].values)
    for (double& value : values) value += 18;
  jobs::summarise(result);
  const auto saw = seen(browser, report::rank_page(jobs::to_json(result)), "look_at_ranking(0)");
  CHECK(saw["plots"][0]["diagonal"] == 1);
  CHECK_FALSE(saw["plots"][1].contains("diagonal"));
}

TEST_CASE("a network whose score is infinite is counted, not drawn") {
  const auto browser = chromium();
  auto result = poolings();
  result.scores[1].values[0][4] = std::numeric_limits<double>::infinity();
  jobs::summarise(result);
  const auto saw = seen(browser, report::rank_page(jobs::to_json(result)), "look_at_ranking(0)");
  CHECK(saw["plots"][0]["networks"] == 12);
  CHECK(saw["plots"][1]["networks"] == 11);
  CHECK_THAT(saw["text"].get<std::string>(), Catch::Contains("1 not drawn: score is infinite."));
}

TEST_CASE("no name of a ranking can break out of its page") {
  auto result = poolings();
  const std::string hostile = "x\"'</script><script>alert(1)</script><b>{{data}}";
  result.job = result.truth = result.scores[0].name = result.scores[0].description = hostile;
  result.networks[0].arch = hostile;
  result.sharing = {{{hostile, hostile}}, {}};
  jobs::summarise(result);
  const auto page = report::rank_page(jobs::to_json(result));
  CHECK_THAT(page, !Catch::Contains("<script>alert"));
  CHECK(data_of(page)["networks"]["arch"][0] == hostile);
  const auto browser = chromium();
  const auto saw = seen(browser, page, "look_at_ranking(0)");
  CHECK(saw["hovered"]["arch"] == hostile);
  CHECK(saw["sharing"] == Json({hostile, "1 of 2", "1.0", hostile + " (1)"}));
}
