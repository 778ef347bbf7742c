#include "rank_page.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "db/fixtures.hpp"

using namespace mosaic;
using namespace mosaic::db::testing;
using Json = nlohmann::json;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Twelve of the poolings of ResNet20 with their accuracy on CIFAR-10 (mean and deviation of three
/// trainings, Roshtkhari et al. 2023) and FLOPs (millions), and two seeds of an inherited accuracy.
const struct {
  const char* arch;
  double truth, deviation, flops, first, second;
} kRows[] = {
    {"1-1-8", 87.4467, 0.06, 18.4, 61.2, 63.9}, {"1-5-4", 89.3833, 0.07, 26.4, 66.0, 65.1},
    {"1-8-1", 89.406, 0.15, 54.7, 64.3, 68.8},  {"2-5-3", 90.8917, 0.07, 33.5, 69.9, 70.2},
    {"3-3-4", 90.6067, 0.17, 33.5, 70.4, 69.0}, {"3-6-1", 90.14, 0.16, 61.8, 67.7, 71.5},
    {"4-3-3", 90.5167, 0.15, 40.6, 71.8, 71.1}, {"4-5-1", 89.705, 0.16, 65.3, 66.6, 70.7},
    {"5-2-3", 90.9567, 0.15, 51.2, 72.5, 72.4}, {"6-2-2", 91.83, 0.13, 75.9, 71.9, 73.3},
    {"7-1-2", 92.0117, 0.18, 90.1, 70.1, 74.0}, {"8-1-1", 89.9917, 0.12, 146.7, 63.0, 71.9}};

cli::RankResult poolings() {
  cli::RankResult result;
  result.job = "poolings";
  result.space = "resnet-pooling";
  result.task = "cifar10";
  result.truth = "test accuracy of 3 trainings alone";
  result.seeds = {11, 12};
  cli::RankedScore accuracy{"inherited accuracy", "%", "of 25,000 validation images"};
  accuracy.same_scale = true;
  accuracy.values.resize(2);
  cli::RankedScore error{"inherited error", "%", "100 less the accuracy"};
  error.higher_is_better = false;
  error.values.resize(2);
  cli::RankedScore flops{"FLOPs", "count", "of one image"};
  flops.values.resize(1);
  for (const auto& row : kRows) {
    result.networks.push_back({row.arch, row.truth, row.deviation});
    accuracy.values[0].push_back(row.first);
    accuracy.values[1].push_back(row.second);
    error.values[0].push_back(100 - row.first);
    error.values[1].push_back(100 - row.second);
    flops.values[0].push_back(1e6 * row.flops);
  }
  result.scores = {accuracy, error, flops};
  return result;
}

cli::RankResult summarised() {
  auto result = poolings();
  cli::summarise(result);
  return result;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

Json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(begin);
  REQUIRE(from != std::string::npos);
  const auto to = page.find("</script>", from);
  return Json::parse(page.substr(from + begin.size(), to - from - begin.size()));
}

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
  CHECK(error_of([&] { cli::summarise(result); }) ==
        "inherited accuracy, seed 12: the score of network 3 is not a number: evaluate it again, "
        "or leave the network out of truth and scores");
  result = poolings();
  result.scores[2].values.resize(3);
  CHECK_THAT(error_of([&] { cli::summarise(result); }),
             Catch::Contains("FLOPs has values for 3 seeds, but the result has 2"));
}

TEST_CASE("a ranking as JSON holds every number, and null where there is none") {
  const auto json = cli::to_json(summarised());
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
}

TEST_CASE("a ranking as text has one row for each score") {
  const auto text = cli::text_table(summarised());
  INFO(text);
  CHECK_THAT(text, Catch::StartsWith("score"));
  CHECK_THAT(text, Catch::Contains("0.321  [-0.") && Catch::Contains("2.02         89.99\n"));
  CHECK_THAT(text, Catch::Contains("12 networks; truth: test accuracy of 3 trainings alone"));
  CHECK_THAT(text, Catch::Contains("over 2 seeds (Student's t)"));
  CHECK(count(text, "nan") == 0);
}

TEST_CASE("two scores at once: the mean of the ranks") {
  const cli::RankedScore loss{.name = "loss",
                              .unit = "",
                              .description = "",
                              .higher_is_better = false,
                              .values = {{0.1, 0.3, 0.2}, {0.3, 0.1, 0.1}}};
  const cli::RankedScore size{.name = "size", .unit = "", .description = "", .values = {{5, 9, 7}}};
  const auto both = cli::mean_rank(loss, size);
  CHECK(both.name == "loss and size");
  CHECK_FALSE(both.higher_is_better);
  CHECK(both.values == std::vector<std::vector<double>>{{2, 2, 2}, {3, 1.25, 1.75}});
}

TEST_CASE("where sharing ended is told by place") {
  auto result = summarised();
  CHECK(cli::sharing_places(result).empty());
  CHECK(count(cli::rank_page(result), "Where sharing ended") == 0);
  result.sharing = {{{"late", "b"}, {"early", "a"}, {"late", "c"}},
                    {{"once", "a"}, {"early", "a"}, {"late", "b"}}};
  const auto places = cli::sharing_places(result);
  REQUIRE(places.size() == 3);
  CHECK(places[0].place == "early");  // 2nd of both, where late was 1st and 3rd, by name
  CHECK(places[1].place == "late");
  CHECK(places[1].order == 2.0);
  CHECK(places[1].questions == std::map<std::string, std::size_t>{{"b", 2}, {"c", 1}});
  CHECK(places[2].supernets == 1);
  const auto page = cli::rank_page(result);
  CHECK(count(page, "<td class=\"num\">2 of 2</td>") == 2);
  CHECK(count(page, "<td>b (2); c (1)</td>") == 1);
  CHECK_THAT(cli::text_table(result),
             Catch::Contains("of 2 supernets: early (2), late (2), once (1)"));
  CHECK(cli::to_json(result)["sharing"][1]["ends"][0]["place"] == "once");
}

TEST_CASE("the page of a ranking shows each score as a row and as a plot") {
  const auto page = cli::rank_page(summarised());
  CHECK(count(page, "<svg class=\"scatter\"") == 3);
  CHECK(count(page, "class=\"dot\" data-i=\"7\"") == 3);
  CHECK(count(page, "<line class=\"equal\"") == 0);  // 61-74 and 87-92 have no value in common
  CHECK(count(page, ">inherited error, % (lower is better)</text>") == 1);
  CHECK(count(page, ">FLOPs, millions</text>") == 1);
  CHECK(count(page, ">inherited accuracy, seed 12</td>") == 1);
  CHECK(count(page, "<td class=\"num\">0.321</td>") == 1);
  CHECK(count(page, "nan") == 0);
  CHECK(data_of(page)["networks"]["arch"][10] == "7-1-2");
  for (const char* outside : {"http:", "https:", "src=", "@import", "url("})
    CHECK_THAT(page, !Catch::Contains(outside));
}

TEST_CASE("scores and truth of one scale show where they agree") {
  auto result = poolings();
  for (auto& values : result.scores[0].values)
    for (double& value : values) value += 18;
  cli::summarise(result);
  CHECK(count(cli::rank_page(result), "<line class=\"equal\"") == 1);
}

TEST_CASE("a network whose score is infinite is counted, not drawn") {
  auto result = poolings();
  result.scores[1].values[0][4] = std::numeric_limits<double>::infinity();
  cli::summarise(result);
  const auto page = cli::rank_page(result);
  CHECK(count(page, "class=\"dot\" data-i=\"4\"") == 2);
  CHECK(count(page, "1 not drawn: score is infinite") == 1);
  CHECK(count(page, "\"inf\"") == 0);
}

TEST_CASE("no name of a ranking can break out of its page") {
  auto result = poolings();
  const std::string hostile = "x\"'</script><script>alert(1)</script><b>";
  result.job = result.truth = result.scores[0].name = result.scores[0].description = hostile;
  result.networks[0].arch = hostile;
  result.sharing = {{{hostile, hostile}}, {}};
  cli::summarise(result);
  const auto page = cli::rank_page(result);
  CHECK(count(page, "<script>alert") == 0);
  CHECK(data_of(page)["networks"]["arch"][0] == hostile);
}

TEST_CASE("pointing at a network of a ranking tells which it is, in every plot") {
  std::string browser;
  for (const char* name : {"chromium", "chromium-browser", "google-chrome", "chrome"})
    if (browser.empty() &&
        std::system(("command -v " + std::string(name) + " >/dev/null 2>&1").c_str()) == 0)
      browser = name;
  if (browser.empty()) {
    WARN("skipped: no Chromium on the PATH; scripts/setup.sh --with-chromium installs one");
    return;
  }
  auto page = cli::rank_page(summarised());
  const std::string probe = R"js(<script>
const svg = document.querySelectorAll('svg.scatter')[2];
const box = svg.querySelector('[data-i="9"]').getBoundingClientRect();
svg.dispatchEvent(new PointerEvent('pointermove', {
  clientX: box.left + box.width / 2 + 1, clientY: box.top + box.height / 2}));
document.querySelector('details:last-of-type').open = true;
const rings = [...document.querySelectorAll('.at')].every((r) => Number(r.getAttribute('cx')) > 0);
document.documentElement.dataset.seen = document.querySelector('.tip').innerText
    .replace(/\s+/g, ' ') + (rings ? ' in all' : ' not in all');
</script>)js";
  page.insert(page.rfind("</body>"), probe);
  Folder folder;
  spill(folder.file("rank.html"), page);
  const std::string command = "HOME='" + folder.path() + "' timeout 300 " + browser +
                              " --headless --no-sandbox --disable-gpu --window-size=1200,1400 "
                              "--user-data-dir='" +
                              folder.file("profile") +
                              "' --virtual-time-budget=20000 --dump-dom 'file://" +
                              folder.file("rank.html") + "' >'" + folder.file("dom.html") +
                              "' 2>'" + folder.file("browser.log") + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  const auto dom = slurp(folder.file("dom.html"));
  CHECK(count(dom, "data-errors=") == 0);
  const auto from = dom.find("data-seen=\"");
  REQUIRE(from != std::string::npos);
  const auto seen = dom.substr(from, dom.find('"', from + 11) - from);
  for (const char* part : {"6-2-2", "Truth 91.83% ± 0.13%", "FLOPs 75.9M", "72.60%", " in all"})
    CHECK_THAT(seen, Catch::Contains(part));
}
