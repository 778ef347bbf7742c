#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "browser.hpp"
#include "mosaic/report/report.hpp"

using namespace mosaic;
using namespace mosaic::report::testing;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A database of one job, committed as fast as it goes.
struct Filled {
  explicit Filled(db::Job given) : job(std::move(given)) { database.create_job(job); }

  std::string render() { return report::job_page(database, job); }

  Folder folder;
  db::Database database{folder.file(), db::WriterOptions{.survive_power_failure = false}};
  db::Job job;
};

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
        job.id, {step,
                 0.5 * step,
                 0.1,
                 1000,
                 {{"loss", step == 3 ? kNaN : 2.0 / (1 + step)}, {"accuracy", 20.0 * step}}});
  database.add_generation(job.id, {0, 2, 0.25, {1, 2}});
  database.add_generation(job.id, {1, 4, 0.75, {1, 2}});
}

}  // namespace

TEST_CASE("a report holds the numbers of the database") {
  Filled filled(sample_job("shown"));
  fill(filled);
  const auto page = filled.render();
  const auto data = data_of(page);

  CHECK(data["networks"]["parts"] == Json({"small", "large", "poor", "guessed"}));
  CHECK(data["networks"]["arch"] == Json::parse("[[0], [1], [2], [3]]"));
  CHECK(data["networks"]["id"] == Json({1, 2, 3, 4}));
  CHECK(data["networks"]["hash"][3] == "hash-of-guessed");
  CHECK(data["evaluations"]["network"] == Json({1, 2, 3, 4}));
  CHECK(data["evaluations"]["number"] == Json({1, 2, 3, 4}));
  CHECK(data["front"] == Json({2, 1}));  // by first objective, best accuracy first
  CHECK(data["job"]["objectives"][0] == Json({{"metric", "accuracy"}, {"maximise", true}}));
  CHECK(data["whole"] == true);

  const auto& rows = data["measurements"];
  CHECK(rows["network"] == Json({1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4}));
  CHECK(rows["how"] == Json({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 4}));
  CHECK(rows["value"] == Json({88.5, 123456, 4.5, 1, 91.25, 123456, 4.5, 2, 80, 123456, 4.5, 2.5,
                               90, 123456, nullptr}));
  CHECK(rows["error"][0] == 0.125);
  CHECK(rows["seconds"] == Json({0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}));  // of timings only
  CHECK(rows["notes"] == Json({{"14", "out of memory <at 512>"}}));
  CHECK(data["hows"][2] == Json({{"metric", "latency_reference_ms"},
                                 {"reference", true},
                                 {"timing", true},
                                 {"fidelity", "test"},
                                 {"device", "cpu: test"}}));
  CHECK(data["predictions"]["network"] == Json({1, 2, 3, 4}));
  CHECK(data["predictions"]["mean"] == Json({1.1, 1.8, 2.5, 1.5}));
  CHECK(data["predictions"]["deviation"][3] == 0.1);
  CHECK(data["metric_types"]["params"] == Json({{"label", "Parameters"},
                                                {"unit", "count"},
                                                {"better", "lower"},
                                                {"timed", false},
                                                {"rank", 201}}));
  CHECK(data["metric_types"]["accuracy"] == Json({{"label", "Accuracy"},
                                                  {"unit", "%"},
                                                  {"better", "higher"},
                                                  {"timed", false},
                                                  {"rank", 0}}));

  CHECK(data["generations"]["hypervolume"] == Json({0.25, 0.75}));
  CHECK(data["generations"]["front"] == Json({2, 2}));
  CHECK(data["training"]["metrics"]["loss"][3].is_null());
  CHECK(data["training"]["epoch"] == Json({0, 0.5, 1, 1.5, 2}));

  const auto facts = data["job"]["facts"];
  for (const Json& fact :
       {Json({"Seed", "18446744073709551615"}), Json({"Space", "resnet-elastic"}),
        Json({"Revision", "abcdef012345"}), Json({"Data checksum", "da7a"}),
        Json({"Libraries", "libtorch 2.11.0, pagmo 2.18"}),
        Json({"Objectives", "accuracy (max), latency_ms (min)"})})
    CHECK(std::find(facts.begin(), facts.end(), fact) != facts.end());
  CHECK_THAT(page, Catch::Contains("<title>shown – Mosaic report</title>"));
}

TEST_CASE("what is new in a job is what was written since") {
  Filled filled(sample_job("followed"));
  fill(filled);
  auto& database = filled.database;
  const auto news = [&](const Json& since) {
    return report::job_news(database, filled.job, {}, since.get<std::string>());
  };
  const auto all = report::job_news(database, filled.job, {});
  const auto none = news(all["cursor"]);
  CHECK(none["cursor"] == all["cursor"]);
  CHECK(none["whole"] == false);
  CHECK(none["measurements"]["value"].empty());
  CHECK(none["networks"]["id"].empty());
  CHECK_FALSE(none.contains("front"));
  CHECK_FALSE(none["job"].contains("config"));

  const auto id = add_network(database, filled.job, "better");
  database.add_measurement(filled.job.id, id, measured("accuracy", 99));
  database.add_measurement(filled.job.id, id, measured("latency_ms", 0.5, "batch=1"));
  database.add_measurement(filled.job.id, 1, measured("accuracy", 88.75));
  database.add_training_point(filled.job.id, {5, 2.5, 0.1, 1000, {{"loss", 0.25}}});
  const auto some = news(all["cursor"]);
  CHECK(some["whole"] == false);
  CHECK(some["networks"]["parts"] == Json({"better", "small"}));
  CHECK(some["networks"]["id"] == Json({5, 1}));
  CHECK(some["measurements"]["network"] == Json({5, 5, 1}));
  CHECK(some["measurements"]["value"] == Json({99, 0.5, 88.75}));
  CHECK(some["evaluations"] == Json({{"network", {5}}, {"number", {5}}}));
  CHECK(some["front"] == Json({5}));
  CHECK(some["training"]["step"] == Json({5}));
  CHECK(some["training"]["metrics"] == Json({{"loss", {0.25}}}));
  CHECK(some["predictions"]["mean"].empty());
  CHECK(some["generations"]["number"].empty());

  SECTION("a job that went back is told from its beginning") {
    database.rewind(filled.job.id, 0, 2);
    const auto again = news(some["cursor"]);
    CHECK(again["whole"] == true);
    CHECK(again["evaluations"]["number"] == Json({1, 2}));
    CHECK(again["measurements"]["value"].size() == 18);
    CHECK(again["job"].contains("config"));
  }
  SECTION("so is another job of the same name") {
    auto other = filled.job;
    other.created = "2031-01-01T00:00:00Z";
    CHECK(report::job_news(database, other, {}, some["cursor"])["whole"] == true);
  }
  SECTION("what is no cursor is refused") {
    for (const char* wrong : {"x", "1.2.3", "1.2.3.4.5.6.7.8", "1.2.3.4.5.6.-7", "1.2.3.4.5.6.",
                              "1.2.3.4.5.6.99999999999999999999", "1.2.3.4.5.6.0x1"}) {
      CAPTURE(wrong);
      CHECK_THAT(error_of([&] { report::job_news(database, filled.job, {}, wrong); }),
                 Catch::Contains("is no place among the rows of a job"));
    }
  }
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
  CHECK_THAT(page, Catch::Contains("<title>&lt;/title>&lt;script>alert('name')"));
  const auto data =
      data_of(page);  // ends at the first </script>: it parses only if that is its own
  const std::string mended = "x\"'</script><script>alert(1)</script><!--\\ \xef\xbf\xbd";
  CHECK(data["networks"]["parts"] == Json({mended}));

  const auto saw = seen(chromium(), page, "look_at_job(1)");
  CHECK(saw["hovered"]["arch"] == mended);
  for (const auto& text : {job.name, job.message, job.device})
    CHECK_THAT(saw["text"].get<std::string>(), Catch::Contains(text));
}

TEST_CASE("a report is written in one step, or says why not") {
  Filled filled(sample_job("written"));
  const auto path = filled.folder.file("report.html");
  report::write_job_page(filled.database, filled.job, {}, path);
  CHECK(slurp(path) == filled.render());
  CHECK_THAT(error_of([&] {
               report::write_job_page(filled.database, filled.job, {},
                                      "/nowhere/at/all/report.html");
             }),
             Catch::Contains("/nowhere/at/all"));
}

TEST_CASE("remarks stand at the top of a report") {
  Filled filled(sample_job("remarked"));
  const auto page = report::job_page(filled.database, filled.job, {"8 networks have no accuracy"});
  CHECK(data_of(page)["remarks"] == Json({"8 networks have no accuracy"}));
  const auto browser = chromium();
  CHECK_THAT(seen(browser, page, "look_at_job(1)")["text"].get<std::string>(),
             Catch::Contains("⚠ 8 networks have no accuracy"));
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
  Filled filled(sample_job("drawn"));
  fill(filled);
  const auto saw = seen(browser, filled.render(), "look_at_job(2)");
  CHECK(saw["networks"] == 4);  // a reference timing is the device's, not the network's
  CHECK(saw["front"] == Json({{"predicted", 1}, {"dominated", 1}, {"border", 2}, {"front", 2}}));
  CHECK(saw["hovered"]["arch"] == "large");
  const auto hovered = saw["hovered"]["text"].get<std::string>();
  for (const char* part : {"91.25%", "0.13%", "2 ms", "1.8 ms", "123.5k", "On the measured front"})
    CHECK_THAT(hovered, Catch::Contains(part));
  CHECK_THAT(saw["spoken"].get<std::string>(), Catch::Contains("small, Evaluation 1"));
  CHECK(saw["table_rows"] == 2);
  CHECK(saw["hashes"][0] == Json({"hash-of-", "hash-of-large"}));
  CHECK(saw["missing"].empty());
  const auto text = saw["text"].get<std::string>();
  for (const char* part :
       {"drawn running", "4 networks · 2 on the measured front · 4 evaluations · 2 generations",
        "Seed\n18446744073709551615", "[job]\nname = \"drawn\"", "mean absolute error (MAPE)",
        "Loss and accuracy of the subnets", "out of memory <at 512>"})
    CHECK_THAT(text, Catch::Contains(part));
  CHECK(saw["axes"][0]["label"] == "Accuracy, % (higher is better)");
  CHECK(saw["axes"][1]["label"] == "Latency, ms (lower is better)");
  REQUIRE(saw["plots"].size() == 7);
  CHECK(saw["plots"][1]["dots"] == 2);              // hypervolume
  CHECK(saw["plots"][2]["networks"] == 3);          // predicted against measured
  CHECK(saw["plots"][3]["loss points"] == 4);       // one loss is not a number
  CHECK(saw["plots"][5]["networks"] == 3);          // timings
  CHECK(saw["plots"][6]["reference points"] == 3);  // of the reference network
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
  const auto saw = seen(browser, page, "look_at_job(2)");
  CHECK(saw["front"]["infeasible"] == 2);
  CHECK(saw["front"]["front"] == 1);
  CHECK(saw["front"]["dominated"] == 0);
  CHECK(saw["front"]["bounds"] == 1);
  CHECK_THAT(saw["hovered"]["text"].get<std::string>(),
             Catch::Contains("Breaks Latency \u2264 1.5"));
}

TEST_CASE("a click keeps a network: its numbers in words, its hash, and commands to copy") {
  const auto browser = chromium();
  Filled filled(sample_job("it's chosen"));
  fill(filled);
  const auto saw = seen(browser, filled.render(), "look_at_job(1)");
  const auto card = saw["card"].get<std::string>();
  for (const char* part : {"hash-of-", "On the measured front", "measured 1 ms ± 0.13 ms",
                           "predicted 1.1 ms ± 0.1 ms by ridge(v1)", "evaluation 1", "small"})
    CHECK_THAT(card, Catch::Contains(part));
  CHECK_THAT(card, !Catch::Contains("mosaic extract"));  // no supernet was trained
  CHECK(saw["rings"] == true);
  CHECK(saw["card_after"] == "");
  CHECK_THAT(saw["card_of_row"].get<std::string>(), Catch::Contains("measured 2 ms"));

  filled.database.save_state(filled.job.id, "trained", "c0ffee");
  const auto copies = seen(browser, filled.render(), "look_at_job(1)")["copies"];
  const auto options = " --db " + filled.database.path() + " --job 'it'\\''s chosen'";
  REQUIRE(copies.size() == 3);
  CHECK(copies[0] == "mosaic extract" + options + " --arch hash-of-small --out subnet-hash-of-");
  CHECK(copies[1] == "mosaic provenance hash-of-small" + options);
}

TEST_CASE("one outlier does not squeeze the front") {
  const auto browser = chromium();
  Filled filled(sample_job("squeezed"));
  fill(filled);
  const auto id = add_network(filled.database, filled.job, "slow");
  filled.database.add_measurement(filled.job.id, id, measured("accuracy", 70));
  filled.database.add_measurement(filled.job.id, id, measured("latency_ms", 900, "batch=1"));
  const auto saw = seen(browser, filled.render(), "look_at_job(2)");
  CHECK(saw["home"]["front"] == 2);
  CHECK(saw["home"]["dominated"] == 0);
  CHECK(saw["reset"] == "Show all (2 outside)");
  CHECK(saw["front"]["front"] == 2);
  CHECK(saw["front"]["dominated"] == 2);
}

TEST_CASE("a report names models only where a job has some") {
  Filled filled(sample_job("models"));
  const Json models = {"Models", "models"};
  CHECK(data_of(filled.render())["job"]["facts"].back() != models);
  filled.database.save_state(filled.job.id, "trained", "c0ffee");
  CHECK(data_of(filled.render())["job"]["facts"].back() == models);
}

TEST_CASE("a report says what a job does not have") {
  const auto browser = chromium();

  SECTION("nothing at all") {
    Filled filled(sample_job("empty"));
    const auto saw = seen(browser, filled.render(), "look_at_job(1)");
    CHECK(saw["plots"].empty());
    const auto missing = saw["missing"].dump();
    CHECK(saw["missing"].size() == 6);
    CHECK_THAT(missing, Catch::Contains("No network has been measured or predicted yet"));
    CHECK_THAT(missing, Catch::Contains("the job has not come to it yet"));
  }
  SECTION("one objective, one network, no predictions") {
    Filled filled(sample_job("single", {{"accuracy", true}}));
    const auto id = add_network(filled.database, filled.job, "a=1,b=2,c=1");
    filled.database.add_measurement(filled.job.id, id, measured("accuracy", 0));
    const auto saw = seen(browser, filled.render(), "look_at_job(1)");
    CHECK(saw["front"] == Json({{"predicted", 0}, {"dominated", 0}, {"front", 1}}));
    CHECK(saw["hovered"]["arch"] == "a=1,b=2,c=1");
    CHECK_THAT(saw["missing"].dump(), Catch::Contains("it is not an objective of this job"));
  }
  SECTION("three objectives, one of them never measured") {
    Filled filled(
        sample_job("partial", {{"accuracy", true}, {"latency_ms", false}, {"energy", false}}));
    fill(filled);
    const auto saw = seen(browser, filled.render(), "look_at_job(1)");
    CHECK(saw["front"] == Json({{"predicted", 4}, {"dominated", 0}, {"front", 0}}));
    CHECK_THAT(saw["missing"].dump(), Catch::Contains("none at all for energy"));
  }
}

TEST_CASE("a report of 100,000 networks draws all and finds the one pointed at", "[slow]") {
  const auto browser = chromium();
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
  const auto saw = seen(browser, filled.render(), "look_at_job(77777)");
  CHECK(saw["networks"] == kNetworks);
  CHECK(saw["front"] ==
        Json({{"predicted", 0}, {"dominated", kNetworks - 1}, {"border", 1}, {"front", 1}}));
  CHECK(saw["hovered"]["arch"] == "network-77777");
  CHECK(saw["wrong_lookups"] == 0);
  CHECK(saw["lookups_found"].get<int>() > 200);
  CHECK(saw["examined_per_lookup"].get<int>() < 2000);  // of 100,000
  for (const auto& axis : saw["axes"]) CHECK(axis["dominated"] == kNetworks - 1);
  INFO("drawn in " << saw["draw_ms"] << " ms, 1000 look-ups in " << saw["lookups_ms"] << " ms");
  CHECK(saw["table_rows"] == 1);
}
