#include "report.hpp"

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

/// A database of one job, committed as fast as it goes.
struct Filled {
  explicit Filled(db::Job given) : job(std::move(given)) { database.create_job(job); }

  std::string render() { return cli::render_report(database, job); }

  Folder folder;
  db::Database database{folder.file(), db::WriterOptions{.survive_power_failure = false}};
  db::Job job;
};

/// What stands between the page's data element and its end.
Json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(begin);
  REQUIRE(from != std::string::npos);
  const auto to = page.find("</script>", from);
  REQUIRE(to != std::string::npos);
  return Json::parse(page.substr(from + begin.size(), to - from - begin.size()));
}

Json metric_of(const Json& data, const std::string& name) {
  for (const auto& metric : data["metrics"])
    if (metric["name"] == name) return metric;
  FAIL("no metric " << name);
  return {};
}

/// Three networks measured (the last is dominated), a fourth that is only predicted, and everything
/// else a job can have.
void fill(Filled& filled) {
  auto& database = filled.database;
  const auto& job = filled.job;
  const struct {
    const char* arch;
    double accuracy, latency, predicted;
  } rows[] = {{"small", 88.5, 1.0, 1.1},
              {"large", 91.25, 2.0, 1.8},
              {"poor", 80, 2.5, 2.5},
              {"guessed", 90, kNaN, 1.5}};
  for (const auto& row : rows) {
    const auto id = add_network(database, job, row.arch);
    database.add_measurement(job.id, id, measured("accuracy", row.accuracy));
    database.add_measurement(job.id, id, measured("params", 123456));
    if (std::isfinite(row.latency)) {
      database.add_measurement(job.id, id, measured("latency_reference_ms", 4.5));
      database.add_measurement(job.id, id, measured("latency_ms", row.latency, "batch=1"));
    }
    database.add_prediction(job.id, id, "latency_ms", row.predicted, 0.1, "ridge(v1)");
  }
  auto failed = measured("latency_ms", kNaN, "batch=512");
  failed.status = core::Status::failed;
  failed.message = "out of memory <at 512>";
  database.add_measurement(job.id, add_network(database, job, "guessed"), failed);
  for (int step = 0; step < 5; ++step)
    database.add_training_point(
        job.id, {step, 0.5 * step, step == 3 ? kNaN : 2.0 / (1 + step), 20.0 * step, 0.1, 1000});
  database.add_generation(job.id, {0, 2, 0.25, {1, 2}});
  database.add_generation(job.id, {1, 4, 0.75, {1, 2}});
}

/// The first of the usual names of the browser that is on the PATH; "" without one.
std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome", "chrome"})
    if (std::system(("command -v " + std::string(name) + " >/dev/null 2>&1").c_str()) == 0)
      return name;
  WARN("skipped: no Chromium on the PATH; scripts/setup.sh --with-chromium installs one");
  return "";
}

std::string unescape(std::string text) {
  const std::pair<const char*, const char*> names[] = {
      {"&quot;", "\""}, {"&lt;", "<"}, {"&gt;", ">"}, {"&nbsp;", " "}, {"&amp;", "&"}};
  for (const auto& [name, character] : names)
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1))
      text.replace(at, std::string(name).size(), character);
  return text;
}

/// What the page saw of itself when it pointed at the network of that evaluation.
Json selftest(const std::string& browser, const Filled& filled, const std::string& page,
              int evaluation) {
  const auto& folder = filled.folder;
  spill(folder.file("report.html"), page);
  const std::string command =
      "HOME='" + folder.path() + "' timeout 300 " + browser +
      " --headless --no-sandbox --disable-gpu --window-size=1200,1400 --user-data-dir='" +
      folder.file("profile") + "' --virtual-time-budget=20000 --dump-dom 'file://" +
      folder.file("report.html") + "#selftest=" + std::to_string(evaluation) + "' >'" +
      folder.file("dom.html") + "' 2>'" + folder.file("browser.log") + "'";
  const int status = std::system(command.c_str());
  INFO(slurp(folder.file("browser.log")).substr(0, 2000));
  REQUIRE(status == 0);
  const auto dom = slurp(folder.file("dom.html"));
  const std::string mark = "data-selftest=\"";
  const auto from = dom.find(mark);
  INFO(dom.substr(0, 1000));
  REQUIRE(from != std::string::npos);
  const auto begin = from + mark.size();
  return Json::parse(unescape(dom.substr(begin, dom.find('"', begin) - begin)));
}

void check_clean(const Json& seen) {
  INFO(seen.dump(1).substr(0, 4000));
  CHECK(seen["errors"].empty());
  CHECK(seen["words"].empty());
  CHECK(seen["wide"] == false);
}

}  // namespace

TEST_CASE("a report holds the numbers of the database") {
  Filled filled(sample_job("shown"));
  fill(filled);
  const auto page = filled.render();
  const auto data = data_of(page);

  CHECK(data["networks"]["arch"] == Json({"small", "large", "poor", "guessed"}));
  CHECK(data["networks"]["evaluation"] == Json({1, 2, 3, 4}));
  CHECK(data["front"] == Json({1, 0}));  // by first objective, best accuracy first
  CHECK(data["job"]["objectives"][0] == Json({{"metric", "accuracy"}, {"maximise", true}}));

  const auto accuracy = metric_of(data, "accuracy");
  CHECK(accuracy["values"] == Json({88.5, 91.25, 80, 90}));
  CHECK(accuracy["unit"] == "%");
  CHECK(accuracy["errors"][0] == 0.125);
  CHECK_FALSE(accuracy.contains("predicted"));
  const auto latency = metric_of(data, "latency_ms");
  CHECK(latency["values"] == Json({1, 2, 2.5, nullptr}));
  CHECK(latency["predicted"] == Json({1.1, 1.8, 2.5, 1.5}));
  CHECK(latency["deviations"][3] == 0.1);
  CHECK(metric_of(data, "params")["values"][2] == 123456);
  CHECK(data["metrics"].size() == 3);  // a reference timing is the device's, not the network's

  CHECK(data["generations"]["hypervolume"] == Json({0.25, 0.75}));
  CHECK(data["generations"]["front"] == Json({2, 2}));
  CHECK(data["training"]["loss"][3].is_null());
  CHECK(data["training"]["epoch"] == Json({0, 0.5, 1, 1.5, 2}));

  CHECK(data["timings"]["reference"] == Json({1, 0, 1, 0, 1, 0, 0}));
  CHECK(data["timings"]["network"] == Json({0, 0, 1, 1, 2, 2, 3}));
  CHECK(data["timings"]["value"] == Json({4.5, 1, 4.5, 2, 4.5, 2.5, nullptr}));
  CHECK(data["failures"] == Json::parse(R"([{"metric": "latency_ms", "count": 1,
                                             "message": "out of memory <at 512>"}])"));

  for (const char* fact :
       {"shown", "18446744073709551615", "resnet-elastic", "abcdef012345", "da7a",
        "libtorch 2.11.0, pagmo 2.18", "accuracy (max), latency_ms (min)"})
    CHECK_THAT(page, Catch::Contains(fact));
}

TEST_CASE("a report compares predictions with what was measured") {
  Filled filled(sample_job("compared"));
  fill(filled);
  const auto data = data_of(filled.render());
  REQUIRE(data["agreement"].size() == 1);
  const auto& scores = data["agreement"][0];
  CHECK(scores["metric"] == "latency_ms");
  CHECK(scores["records"] == 3);
  CHECK(scores["mape"].get<double>() == Approx(20.0 / 3));  // 10%, 10%, 0%
  CHECK(scores["kendall"] == 1);
  CHECK(scores["predictors"] == Json({"ridge(v1)"}));
}

TEST_CASE("no name or text of a job can break out of the page") {
  auto job = sample_job("</title><script>alert('name')</script>");
  job.config = "# </pre></script><script>alert(\"config\")</script>\n";
  job.message = "<img src=x onerror=alert(1)>";
  job.device = "a \"quoted\" & <b>bold</b> device";
  Filled filled(job);
  const std::string hostile = "x\"'</script><script>alert(1)</script><!--\\ \xff";
  const auto id = add_network(filled.database, filled.job, hostile);
  filled.database.add_measurement(filled.job.id, id, measured("accuracy", 90));
  filled.database.add_measurement(filled.job.id, id, measured("latency_ms", 1, "</script>"));

  const auto page = filled.render();
  CHECK_THAT(page, !Catch::Contains("<script>alert"));
  CHECK_THAT(page, !Catch::Contains("<img"));
  CHECK_THAT(page, !Catch::Contains("<b>bold"));
  CHECK_THAT(page, Catch::Contains("a &quot;quoted&quot; &amp; &lt;b&gt;bold&lt;/b&gt; device"));
  const auto data =
      data_of(page);  // ends at the first </script>: it parses only if that is its own
  CHECK(data["networks"]["arch"][0] == "x\"'</script><script>alert(1)</script><!--\\ \xef\xbf\xbd");

  if (const auto browser = chromium(); !browser.empty()) {
    const auto seen = selftest(browser, filled, page, 1);
    check_clean(seen);
    CHECK(seen["hovered_arch"] == data["networks"]["arch"][0]);
  }
}

TEST_CASE("a report is written in one step, or says why not") {
  Filled filled(sample_job("written"));
  const auto path = filled.folder.file("report.html");
  cli::write_report(filled.database, filled.job, path);
  CHECK(slurp(path) == filled.render());
  CHECK_THAT(error_of([&] {
               cli::write_report(filled.database, filled.job, "/nowhere/at/all/report.html");
             }),
             Catch::Contains("/nowhere/at/all"));
}

TEST_CASE("a report needs no network") {
  Filled filled(sample_job("alone"));
  fill(filled);
  const auto page = filled.render();
  for (const char* outside : {"http:", "https:", "src=", "@import", "url("})
    CHECK_THAT(page, !Catch::Contains(outside));
}

TEST_CASE("a report draws and explains all that a small job has") {
  const auto browser = chromium();
  if (browser.empty()) return;
  Filled filled(sample_job("drawn"));
  fill(filled);
  const auto seen = selftest(browser, filled, filled.render(), 2);
  check_clean(seen);
  CHECK(seen["front"] == Json({{"predicted", 1}, {"dominated", 1}, {"border", 2}, {"front", 2}}));
  CHECK(seen["hovered_arch"] == "large");
  const auto hovered = seen["hovered"].get<std::string>();
  for (const char* part : {"91.25%", "0.13%", "2 ms", "1.8 ms", "123.5k", "On the front"})
    CHECK_THAT(hovered, Catch::Contains(part));
  CHECK_THAT(seen["spoken"].get<std::string>(), Catch::Contains("small, Evaluation 1"));
  CHECK(seen["table_rows"] == 2);
  CHECK(seen["missing"].empty());
  REQUIRE(seen["plots"].size() == 7);
  CHECK(seen["plots"][1]["dots"] == 2);              // hypervolume
  CHECK(seen["plots"][2]["networks"] == 3);          // predicted against measured
  CHECK(seen["plots"][3]["loss points"] == 4);       // one loss is not a number
  CHECK(seen["plots"][5]["networks"] == 3);          // timings
  CHECK(seen["plots"][6]["reference points"] == 3);  // of the reference network
}

TEST_CASE("a report tells networks that break a bound from dominated ones") {
  auto job = sample_job("bounded");
  job.constraints = {{"latency_ms", true, 1.5}};
  Filled filled(job);
  fill(filled);
  const auto page = filled.render();
  const auto data = data_of(page);
  CHECK(data["job"]["constraints"] ==
        Json({{{"metric", "latency_ms"}, {"upper", true}, {"bound", 1.5}}}));
  const auto browser = chromium();
  if (browser.empty()) return;
  const auto seen = selftest(browser, filled, page, 2);
  check_clean(seen);
  CHECK(seen["front"]["infeasible"] == 2);
  CHECK(seen["front"]["front"] == 1);
  CHECK(seen["front"]["dominated"] == 0);
  CHECK_THAT(seen["hovered"].get<std::string>(), Catch::Contains("Breaks Latency \u2264 1.5"));
}

TEST_CASE("a report names models only where a job has some") {
  Filled filled(sample_job("models"));
  CHECK_THAT(filled.render(), !Catch::Contains("<dt>Models</dt>"));
  filled.database.save_state(filled.job.id, "trained", "c0ffee");
  CHECK_THAT(filled.render(), Catch::Contains("<dt>Models</dt>"));
}

TEST_CASE("a report says what a job does not have") {
  const auto browser = chromium();
  if (browser.empty()) return;

  SECTION("nothing at all") {
    Filled filled(sample_job("empty"));
    const auto seen = selftest(browser, filled, filled.render(), 1);
    check_clean(seen);
    CHECK(seen["plots"].empty());
    const auto missing = seen["missing"].dump();
    CHECK(seen["missing"].size() == 6);
    CHECK_THAT(missing, Catch::Contains("No network has been measured or predicted yet"));
    CHECK_THAT(missing, Catch::Contains("the job has not come to it yet"));
  }
  SECTION("one objective, one network, no predictions") {
    Filled filled(sample_job("single", {{"accuracy", true}}));
    const auto id = add_network(filled.database, filled.job, "only");
    filled.database.add_measurement(filled.job.id, id, measured("accuracy", 0));
    const auto seen = selftest(browser, filled, filled.render(), 1);
    check_clean(seen);
    CHECK(seen["front"] == Json({{"predicted", 0}, {"dominated", 0}, {"front", 1}}));
    CHECK(seen["hovered_arch"] == "only");
    CHECK_THAT(seen["missing"].dump(), Catch::Contains("it is not an objective of this job"));
  }
  SECTION("three objectives, one of them never measured") {
    Filled filled(
        sample_job("partial", {{"accuracy", true}, {"latency_ms", false}, {"energy", false}}));
    fill(filled);
    const auto seen = selftest(browser, filled, filled.render(), 1);
    check_clean(seen);
    CHECK(seen["front"] == Json({{"predicted", 4}, {"dominated", 0}, {"front", 0}}));
    CHECK_THAT(seen["missing"].dump(), Catch::Contains("none at all for energy"));
  }
}

TEST_CASE("a report of 100,000 networks draws all and finds the one pointed at", "[slow]") {
  const auto browser = chromium();
  if (browser.empty()) return;
  constexpr int kNetworks = 100'000;
  Filled filled(sample_job("crowd"));
  auto& database = filled.database;
  database.transaction([&] {
    for (int i = 0; i < kNetworks; ++i) {
      // A spiral: no two at one place. The last one is the best in both.
      const double turn = 2.39996 * i;
      const double radius = std::sqrt(static_cast<double>(i) / kNetworks);
      const bool best = i == kNetworks - 1;
      const auto id = add_network(database, filled.job, "network-" + std::to_string(i + 1));
      database.add_measurement(filled.job.id, id,
                               measured("accuracy", best ? 99 : 80 + 8 * radius * std::cos(turn)));
      database.add_measurement(
          filled.job.id, id, measured("latency_ms", best ? 0.5 : 3 + 2 * radius * std::sin(turn)));
    }
  });
  const auto seen = selftest(browser, filled, filled.render(), 77'777);
  check_clean(seen);
  CHECK(seen["networks"] == kNetworks);
  CHECK(seen["front"] ==
        Json({{"predicted", 0}, {"dominated", kNetworks - 1}, {"border", 1}, {"front", 1}}));
  CHECK(seen["hovered_arch"] == "network-77777");
  CHECK(seen["wrong_lookups"] == 0);
  CHECK(seen["lookups_found"].get<int>() > 200);
  CHECK(seen["examined_per_lookup"].get<int>() < 2000);  // of 100,000
  for (const auto& axis : seen["axes"]) CHECK(axis["dominated"] == kNetworks - 1);
  INFO("drawn in " << seen["draw_ms"] << " ms, 1000 look-ups in " << seen["lookups_ms"] << " ms");
  CHECK(seen["table_rows"] == 1);
}
