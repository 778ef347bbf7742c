// The live page in headless Chromium, while a search runs in another process.
#include <csignal>

#include "cli/program.hpp"
#include "devtools.hpp"
#include "mosaic/core/process.hpp"
#include "running.hpp"

using namespace mosaic;
using namespace mosaic::serve::testing;
using Catch::Contains;
using Program = cli::test::Folder;

namespace {

/// A search over counts that takes some seconds.
std::string counts(const std::string& name, const std::string& evaluations) {
  return "[job]\nname = \"" + name +
         "\"\n[space]\nname = \"nasbench201\"\n[[objective]]\nmetric = \"params\"\n"
         "[[objective]]\nmetric = \"flops\"\ngoal = \"max\"\n[search]\nalgorithm = \"linas\"\n"
         "constraints = [\"params <= 900000\"]\nevaluations = " +
         evaluations + "\n";
}

/// `mosaic serve` as a user has it; told to end as Ctrl-C does.
class Serving {
 public:
  Serving(const Program& folder, const std::string& db)
      : folder_(folder), child_(folder.start({"serve", "--db", db, "--port", "0"})) {
    const core::Stopwatch watch;
    while (url_.find('\n') == std::string::npos) {
      INFO(cli::test::slurp(folder_ / "stderr.txt"));
      REQUIRE(watch.seconds() < 30);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      url_ = cli::test::slurp(folder_ / "stdout.txt");
    }
    url_.pop_back();
  }
  cli::test::Outcome stop(int signal) {
    ::kill(child_, signal);
    return folder_.finish(std::exchange(child_, -1));
  }
  ~Serving() {
    if (child_ > 0) stop(SIGKILL);
  }
  const std::string& url() const { return url_; }

 private:
  const Program& folder_;
  pid_t child_;
  std::string url_;
};

}  // namespace

TEST_CASE("the page of a running search grows until the job is done, and keeps what was chosen") {
  Browser browser(chromium());
  const Program jobs("serve_search");
  const Program serving_from("serve_pages");
  const auto path = (jobs / "r.db").string();
  jobs.write("job.toml", counts("growing", "80"));
  const auto search = jobs.start({"run", "job.toml", "--db", "r.db"});
  const core::Stopwatch watch;
  const auto evaluated = [&] {
    const db::Reader reader(path);
    return reader.evaluation_count(reader.job().id);
  };
  while (!error_of([&] { (void)evaluated(); }).empty() || evaluated() == 0) {
    REQUIRE(watch.seconds() < 60);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(search, SIGSTOP);  // until the browser has seen it run
  Serving serving(serving_from, path);

  browser.open(serving.url());
  browser.wait_for("document.querySelector('article a').textContent === 'growing'");
  browser.see("document.querySelector('article a').click()");
  browser.wait_for("store.front.length > 0");
  CHECK(browser.see("document.querySelector('.status').textContent") == "running");
  const auto early = browser.see("count()").get<int>();
  CHECK(early < 80);
  ::kill(search, SIGCONT);
  browser.see("choose(store.front[0]); const chosen_hash = hash(store.front[0])");
  browser.see("document.querySelector('#networks details').open = true");
  browser.wait_for("count() > " + std::to_string(early));
  browser.wait_for("document.querySelector('.status').textContent === 'finished'", 300);
  CHECK(jobs.finish(search).status == 0);

  CHECK(browser.see("window.errors") == Json::array());
  CHECK(browser.see("store.networks.evaluation.filter((n) => n).length") == 80);
  CHECK(browser.see("hash(chosen()) === chosen_hash") == true);
  CHECK(browser.see("document.querySelector('#networks details').open") == true);
  CHECK_THAT(browser.see("document.querySelector('#network').innerText").get<std::string>(),
             Contains("measured"));
  // Row by row the page has come to what a page that is opened now has at once.
  const std::string all =
      "JSON.stringify([store.front.map(hash).sort(), store.generations.hypervolume, "
      "store.hows.map((how) => [how.metric, how.good]).sort(), [...store.networks.id.keys()].map("
      "(i) => [hash(i), arch(i), ...store.metrics.map((m) => m.values[i])]).sort()])";
  const auto grown = browser.see(all);
  browser.see("window.former = true; location.reload()");
  browser.wait_for("!window.former && store.front.length > 0");
  CHECK(browser.see(all) == grown);
  browser.wait_for("Number(document.documentElement.dataset.answers) >= 2", 120);  // no news
  CHECK(browser.see("window.errors") == Json::array());

  const auto ended = serving.stop(SIGTERM);
  CHECK(ended.status == 0);
  CHECK_THAT(ended.errors, !Contains("mosaic:"));
  browser.wait_for(
      "document.querySelector('.broken[role=status]').textContent.includes("
      "'mosaic serve does not answer')");
}

TEST_CASE("what is said of a part that could not be drawn goes when it is drawn again") {
  Browser browser(chromium());
  OneJob served;
  const auto add = [&](const std::string& arch, double accuracy) {
    const auto id = add_network(served.database, served.job, arch);
    served.database.add_measurement(served.job.id, id, measured("accuracy", accuracy));
    served.database.add_measurement(served.job.id, id, measured("latency_ms", accuracy));
  };
  add("small", 80);
  const Running server(served.folder.file());
  browser.open(server.url() + "job?name=first");
  browser.wait_for("store.front.length === 1");
  // A network that the page was never told of.
  browser.see("const names = store.names; store.names = new Map(); draw(new Set(['networks'])); 0");
  const std::string notes = "document.querySelectorAll('.broken[data-part]').length";
  const auto broken = browser.see(notes).get<int>();
  CHECK(broken >= 1);
  CHECK(browser.see("draw(new Set(['networks'])), " + notes) == broken);  // said once
  // The next answer brings no part's own news but the networks'.
  browser.see("store.names = names; 0");
  add("large", 90);
  browser.wait_for("store.front.length === 2");
  browser.wait_for(notes + " === 0");
  CHECK(browser.see("document.querySelector('#networks').innerText.includes('large')") == true);
}

TEST_CASE("Ctrl-C ends a server, whoever is connected") {
  const Program folder("serve_stop");
  { db::Database database((folder / "r.db").string()); }
  Serving serving(folder, "r.db");
  const auto port = std::stoi(serving.url().substr(serving.url().rfind(':') + 1));
  const Raw idle(port);
  CHECK(serving.stop(SIGINT).status == 0);
}

TEST_CASE("a server without a database says what to do") {
  const Program folder("serve_nothing");
  const auto outcome = folder.run({"serve", "--db", "r.db", "--port", "0"});
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.errors, Contains("there is no results database r.db") &&
                                 Contains("mosaic run JOB.toml --db r.db"));
}

TEST_CASE("a page of 100,000 networks learns of one more in a moment", "[slow]") {
  Browser browser(chromium());
  OneJob served;
  auto& database = served.database;
  const auto add = [&](int i, double accuracy, double latency) {
    const auto id = add_network(database, served.job, "network-" + std::to_string(i));
    database.add_measurement(served.job.id, id, measured("accuracy", accuracy));
    database.add_measurement(served.job.id, id, measured("latency_ms", latency));
  };
  constexpr int kNetworks = 100'000;
  database.transaction([&] {
    for (int i = 0; i < kNetworks; ++i) {
      const double turn = 2.39996 * i;
      const double radius = std::sqrt(static_cast<double>(i) / kNetworks);
      add(i, 80 + 8 * radius * std::cos(turn), 3 + 2 * radius * std::sin(turn));
    }
  });
  const Running server(served.folder.file());
  const core::Stopwatch whole_watch;
  const auto first = server.get("/job.json?name=first");
  const double whole = whole_watch.seconds();
  browser.open(server.url() + "job?name=first");
  browser.wait_for("count() === 100000");
  const core::Stopwatch one_watch;
  add(kNetworks, 99, 0.5);
  browser.wait_for("count() === 100001 && store.front.length === 1");
  const double seen = one_watch.seconds();
  const auto path =
      "/job.json?name=first&since=" + Json::parse(first->body)["cursor"].get<std::string>();
  const core::Stopwatch news_watch;
  const auto news = server.get(path);
  const double fresh = news_watch.seconds();
  WARN("100,000 networks: " << first->body.size() / 1e6 << " MB in " << whole
                            << " s; one more: " << news->body.size() << " bytes in " << fresh
                            << " s, on the page after " << seen << " s, drawn again in "
                            << browser
                                   .see("(() => { const began = performance.now(); "
                                        "draw(new Set(['networks', 'always'])); "
                                        "return Math.round(performance.now() - began); })()")
                                   .dump()
                            << " ms, of them the front "
                            << browser.see("Math.round(front_plot.milliseconds)").dump() << " ms");
  CHECK(news->body.size() < 5000);
  CHECK(browser.see("window.errors") == Json::array());
}
