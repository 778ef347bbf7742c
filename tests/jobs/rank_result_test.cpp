#include "mosaic/jobs/rank_result.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "db/fixtures.hpp"
#include "poolings.hpp"

using namespace mosaic;
using namespace mosaic::jobs::testing;
using db::testing::error_of;
using Json = nlohmann::json;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("a ranking is summarised for each seed, over seeds and over networks") {
  const auto result = summarised();
  const auto& flops = result.scores[2];
  REQUIRE(flops.per_seed.size() == 1);
  CHECK(flops.over_seeds.kendall.mean == Approx(0.32062002869004114).epsilon(1e-12));  // SciPy
  CHECK(flops.over_seeds.spearman.mean == Approx(0.416813248661316).epsilon(1e-12));
  CHECK(std::isnan(flops.over_seeds.kendall.low));
  CHECK(std::isnan(flops.deviation[0]));
  CHECK(flops.over_seeds.regret.mean == Approx(92.0117 - 89.9917));
  CHECK(flops.bootstrap.low < 0.32);
  CHECK(flops.bootstrap.high > 0.32);

  const auto& accuracy = result.scores[0];
  REQUIRE(accuracy.per_seed.size() == 2);
  CHECK(accuracy.mean[1] == Approx(65.55));
  CHECK(accuracy.deviation[1] == Approx(0.9 / std::sqrt(2.0)));
  CHECK(accuracy.per_seed[0].picked_truth == 90.9567);
  CHECK(accuracy.per_seed[1].picked_truth == 92.0117);
  CHECK(accuracy.over_seeds.regret.mean == Approx((92.0117 - 90.9567) / 2));
  const double half = accuracy.over_seeds.kendall.high - accuracy.over_seeds.kendall.mean;
  CHECK(half ==
        Approx(12.7062 * std::abs(accuracy.per_seed[0].kendall - accuracy.per_seed[1].kendall) / 2)
            .epsilon(1e-5));

  const auto& error = result.scores[1];  // the same ranking, from the other end
  CHECK(error.over_seeds.kendall.mean == Approx(accuracy.over_seeds.kendall.mean));
  CHECK(error.bootstrap.low == Approx(accuracy.bootstrap.low));
  CHECK(std::isnan(error.over_seeds.mean_absolute_error.mean));
}

TEST_CASE("a score that cannot be ranked is named with its seed") {
  auto result = poolings();
  result.scores[0].values[1][3] = kNaN;
  CHECK(error_of([&] { jobs::summarise(result); }) ==
        "inherited accuracy, seed 12: the score of network 3 is not a number: evaluate it again, "
        "or leave the network out of truth and scores");
  result = poolings();
  result.scores[2].values.resize(3);
  CHECK_THAT(error_of([&] { jobs::summarise(result); }),
             Catch::Contains("FLOPs has values for 3 seeds, but the result has 2"));
}

TEST_CASE("a ranking as JSON holds every number, and null where there is none") {
  const auto json = jobs::to_json(summarised());
  CHECK(json["networks"]["arch"][11] == "8-1-1");
  CHECK(json["networks"]["truth"][0] == 87.4467);
  CHECK(json["truth"]["unit"] == "%");
  CHECK(json["seeds"] == Json({11, 12}));
  const auto& flops = json["scores"][2];
  CHECK(flops["values"][0][11] == 146.7e6);
  CHECK(flops["deviation"][0].is_null());
  CHECK(flops["over_seeds"]["kendall"]["mean"].get<double>() == Approx(0.32062002869004114));
  CHECK(flops["over_seeds"]["kendall"]["low"].is_null());
  CHECK(flops["over_seeds"]["mean_absolute_error"]["mean"].is_null());
  CHECK(json["scores"][0]["per_seed"]["picked_truth"] == Json({90.9567, 92.0117}));
  CHECK(json["scores"][0]["bootstrap"]["low"].is_number());
  CHECK(json["statistics"][5]["key"] == "regret");
  CHECK(json["statistics"][5]["in_truth_unit"] == true);
}

TEST_CASE("two scores at once: the mean of the ranks") {
  const jobs::RankedScore loss{.name = "loss",
                               .unit = "",
                               .description = "",
                               .higher_is_better = false,
                               .values = {{0.1, 0.3, 0.2}, {0.3, 0.1, 0.1}}};
  const jobs::RankedScore size{
      .name = "size", .unit = "", .description = "", .values = {{5, 9, 7}}};
  const auto both = jobs::mean_rank(loss, size);
  CHECK(both.name == "loss and size");
  CHECK_FALSE(both.higher_is_better);
  CHECK(both.values == std::vector<std::vector<double>>{{2, 2, 2}, {3, 1.25, 1.75}});
}

TEST_CASE("where sharing ended is told by place") {
  auto result = summarised();
  CHECK(jobs::sharing_places(result).empty());
  result.sharing = {{{"late", "b"}, {"early", "a"}, {"late", "c"}},
                    {{"once", "a"}, {"early", "a"}, {"late", "b"}}};
  const auto places = jobs::sharing_places(result);
  REQUIRE(places.size() == 3);
  CHECK(places[0].place == "early");  // 2nd of both, where late was 1st and 3rd, by name
  CHECK(places[1].place == "late");
  CHECK(places[1].order == 2.0);
  CHECK(places[1].questions == std::map<std::string, std::size_t>{{"b", 2}, {"c", 1}});
  CHECK(places[2].supernets == 1);
  const auto json = jobs::to_json(result);
  CHECK(json["sharing"][1]["ends"][0]["place"] == "once");
  CHECK(json["sharing_places"][1] == Json({{"place", "late"},
                                           {"supernets", 2},
                                           {"order", 2.0},
                                           {"questions", {{"b", 2}, {"c", 1}}}}));
}
