// Columns of latest values say what the measurements say, whatever happens between.

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "fixtures.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;

namespace {

std::vector<std::string> names(const std::vector<Network>& networks) {
  std::vector<std::string> result;
  for (const auto& network : networks) result.push_back(network.arch);
  return result;
}
using Names = std::vector<std::string>;

/// Latest good values as the measurements in their order have them, beside those of the columns.
void check_columns(const Reader& reader, const Job& job) {
  const auto metrics = reader.metrics(job.id);
  const auto values = reader.values(job.id, metrics);
  const auto networks = reader.measured_networks(job.id);
  REQUIRE(networks.size() == values.architectures.size());
  for (std::size_t k = 0; k < metrics.size(); ++k) {
    std::map<std::string, double> expected;
    for (const auto& timed : reader.measurements(job.id, metrics[k]))
      if (timed.measurement.ok()) expected[timed.arch] = timed.measurement.value;
    std::map<std::string, double> found;
    for (std::size_t i = 0; i < networks.size(); ++i) {
      CHECK(networks[i].architecture == values.architectures[i]);
      if (!std::isnan(values.columns[k][i])) found[networks[i].arch] = values.columns[k][i];
    }
    CHECK(found == expected);
  }
}

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

}  // namespace

TEST_CASE("columns follow the measurements through transactions, roll-backs and reopening") {
  const Folder folder;
  Job job = sample_job("first");
  Job other = sample_job("other");
  core::Stream random(3, "columns");
  for (int opened = 0; opened < 3; ++opened) {
    Database database(folder.file(), {.survive_power_failure = false});
    if (opened == 0) {
      database.create_job(other);
      database.create_job(job);
    }
    const auto measure = [&] {
      const auto id = add_network(database, job, "n" + std::to_string(random.below(1300)), false);
      auto m = measured(random.below(2) == 0 ? "accuracy" : "latency_ms",
                        static_cast<double>(random.below(1000)));
      if (random.below(10) == 0) m.status = core::Status::failed;
      database.add_measurement(random.below(8) == 0 ? other.id : job.id, id, m);
    };
    for (int i = 0; i < 40; ++i) {
      const auto fails = random.below(4) == 0;
      error_of([&] {
        database.transaction([&] {
          for (int k = 0; k < 20; ++k) measure();
          if (random.below(2) == 0) check_columns(database, job);
          error_of([&] {
            database.transaction([&] {
              for (int k = 0; k < 5; ++k) measure();
              // A reader in between puts into the columns what is rolled back afterwards.
              if (random.below(2) == 0) database.front(job);
              if (random.below(2) == 0) throw core::Error("inner");
            });
          });
          for (int k = 0; k < 5; ++k) measure();
          if (fails) throw core::Error("outer");
        });
      });
      measure();
    }
    check_columns(database, job);
    check_columns(database, other);
  }
  const Reader reader(folder.file());
  check_columns(reader, job);
  REQUIRE(reader.measured_networks(job.id).size() > 1000);  // more than two blocks
  const auto before = reader.values(job.id, {"accuracy"});
  CHECK(reader.measured_networks(job.id)[7].architecture == before.architectures[7]);

  // Deleted by hand they are made anew.
  run_sql(folder.file(), "DELETE FROM members");
  const Database again(folder.file());
  check_columns(again, job);
  CHECK(again.values(job.id, {"accuracy"}).architectures == before.architectures);
}

TEST_CASE("a front holds only networks that keep every constraint of the job") {
  const Folder folder;
  Database database(folder.file());
  Job job = sample_job("first");
  job.constraints = {{"latency_ms", true, 5}, {"params", false, 100}};
  database.create_job(job);
  CHECK(database.job("first").constraints == job.constraints);
  CHECK(database.jobs()[0].constraints == job.constraints);
  const auto add = [&](const std::string& arch, double accuracy, double latency, double params) {
    const auto id = add_network(database, job, arch);
    database.add_measurement(job.id, id, measured("accuracy", accuracy));
    database.add_measurement(job.id, id, measured("latency_ms", latency));
    if (params > 0) database.add_measurement(job.id, id, measured("params", params));
    return id;
  };
  const auto viewed = [&] {
    Names result;
    for (const auto& row : database.query("SELECT arch FROM front ORDER BY accuracy DESC").rows)
      result.push_back(row[0].text);
    return result;
  };
  add("too slow", 99, 5.5, 500);
  add("too small", 98, 1, 99);
  const auto counted = add("not counted", 97, 1, 0);
  CHECK(database.front(job).empty());
  CHECK(viewed().empty());
  add("at the bounds", 90, 5, 100);
  add("fast", 80, 4, 200);
  add("dominated", 70, 4, 300);
  CHECK(names(database.front(job)) == Names{"at the bounds", "fast"});
  CHECK(viewed() == Names{"at the bounds", "fast"});
  CHECK(names(database.front(job, 4)) == Names{"at the bounds"});
  database.add_measurement(job.id, counted, measured("params", 1000));
  CHECK(names(database.front(job)) == Names{"not counted"});
  CHECK(viewed() == Names{"not counted"});

  Job infinite = sample_job("infinite");
  infinite.constraints = {{"latency_ms", true, INFINITY}};
  CHECK_THAT(error_of([&] { database.create_job(infinite); }),
             Contains("the bound on latency_ms of job 'infinite' is not a finite number"));
}

TEST_CASE_METHOD(OneJob, "a front of old has the values that were known then") {
  // As a search does it: measured first, then numbered in one transaction.
  std::map<std::string, std::int64_t> ids;
  const auto generation =
      [&](const std::vector<std::pair<std::string, std::pair<double, double>>>& networks) {
        for (const auto& [arch, values] : networks) {
          const auto id = ids[arch] = add_network(database, job, arch, false);
          database.add_measurement(job.id, id, measured("accuracy", values.first));
          if (values.second > 0)
            database.add_measurement(job.id, id, measured("latency_ms", values.second));
        }
        database.transaction([&] {
          for (const auto& [arch, values] : networks) database.number_evaluation(job.id, ids[arch]);
        });
      };
  generation({{"a", {80, 8}}, {"b", {70, 4}}});
  generation({{"c", {75, 5}}, {"late", {99, 0}}});
  CHECK(names(database.front(job, 2)) == Names{"a", "b"});
  CHECK(names(database.front(job, 4)) == Names{"a", "c", "b"});

  // Measured again, it stands badly from now on, but not then; the values shown are those of then.
  database.add_measurement(job.id, ids["b"], measured("latency_ms", 6));
  CHECK(names(database.front(job)) == Names{"a", "c"});
  CHECK(names(database.front(job, 4)) == Names{"a", "c"});
  generation({{"d", {10, 1}}});
  CHECK(names(database.front(job, 3)) == Names{"a", "c", "b"});
  CHECK(database.front(job, 3)[2].metrics.at("latency_ms").value == 4);
  CHECK(names(database.front(job, 4)) == Names{"a", "c"});
  CHECK(names(database.front(job)) == Names{"a", "c", "d"});

  // What was not measured then counts with its first value.
  database.add_measurement(job.id, ids["late"], measured("latency_ms", 6));
  database.add_measurement(job.id, ids["late"], measured("latency_ms", 60));
  CHECK(names(database.front(job)) == Names{"late", "a", "c", "d"});
  CHECK(names(database.front(job, 4)) == Names{"late", "c"});
  CHECK(database.front(job, 4)[0].metrics.at("latency_ms").value == 6);
  CHECK(names(database.front(job, 1)) == Names{"a"});
  CHECK(database.front(job, 0).empty());
}

TEST_CASE_METHOD(OneJob, "constrained best is what a look at every network finds") {
  core::Stream random(5, "best");
  database.transaction([&] {
    for (int i = 0; i < 1200; ++i) {
      const auto id = add_network(database, job, "n" + std::to_string(i));
      for (const char* metric : {"accuracy", "latency_ms", "params"})
        if (random.below(10) != 0)
          database.add_measurement(job.id, id,
                                   measured(metric, static_cast<double>(random.below(40))));
    }
  });
  const auto all = database.networks(job.id);
  for (const bool maximise : {true, false})
    for (const double bound : {0.0, 3.0, 20.0, 100.0}) {
      const Best wanted{
          "accuracy", maximise, {{"latency_ms", true, bound}, {"params", false, 20}}, 7};
      std::vector<const Network*> kept;
      for (const auto& network : all) {
        const auto& m = network.metrics;
        if (m.contains("accuracy") && m.contains("latency_ms") && m.contains("params") &&
            m.at("latency_ms").value <= bound && m.at("params").value >= 20)
          kept.push_back(&network);
      }
      std::stable_sort(kept.begin(), kept.end(), [&](const Network* a, const Network* b) {
        const auto value = [](const Network* network, const char* metric) {
          return network->metrics.at(metric).value;
        };
        // Of equal accuracy the faster one, then the smaller one, then the one evaluated first.
        for (const char* metric : {"accuracy", "latency_ms", "params"})
          if (const double difference = value(a, metric) - value(b, metric); difference != 0)
            return std::string(metric) == "accuracy" && maximise ? difference > 0 : difference < 0;
        return *a->evaluation < *b->evaluation;
      });
      Names expected;
      for (std::size_t i = 0; i < std::min<std::size_t>(7, kept.size()); ++i)
        expected.push_back(kept[i]->arch);
      REQUIRE_FALSE(expected.empty());
      CHECK(names(database.best(job, wanted)) == expected);
    }
  CHECK(database.best(job, {"accuracy", true, {{"latency_ms", true, -1}}, 3}).empty());
  CHECK_THAT(error_of([&] {
               database.best(job, {"acuracy", true, {}, 1});
             }),
             Contains("job 'first' has no good measurement of 'acuracy': measured: accuracy, "
                      "latency_ms, params"));
}

TEST_CASE_METHOD(OneJob, "failures are told by kind, and a value had in the end is none") {
  const auto fail = [&](const std::string& arch, const std::string& why) {
    auto failed = measured("accuracy", std::nan(""));
    failed.status = core::Status::failed;
    failed.message = why;
    database.add_measurement(job.id, add_network(database, job, arch), failed);
  };
  fail("a", "out of memory");
  fail("b", "row 7 is empty");
  fail("c", "row 12 is empty");
  fail("d", "out of memory");
  fail("d", "row 13 is empty");  // the last reason counts
  fail("e", "out of memory");
  database.add_measurement(job.id, add_network(database, job, "e"), measured("accuracy", 90));
  const auto failures = database.failures(job.id);
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].networks == 3);
  CHECK(failures[0].message == "row 7 is empty");
  CHECK(failures[1].networks == 1);
  CHECK(failures[1].message == "out of memory");
}

TEST_CASE_METHOD(OneJob, "suspect is what was timed last while the device was slow") {
  const auto time = [&](const std::string& arch, double value, const std::string& note) {
    auto timed = measured("latency_ms", value);
    timed.message = note;
    database.add_measurement(job.id, add_network(database, job, arch), timed);
  };
  time("a", 9, "device slow: reference network at 9.42x of its best");
  time("b", 9, "device slow: reference network at 9.42x of its best");
  time("b", 1, "");
  time("c", 1, "taken again: before, the reference network was at 3.00x of its best");
  const auto suspects = database.suspects(job.id);
  REQUIRE(suspects.size() == 1);
  CHECK(suspects[0].arch == "a");
  CHECK(suspects[0].measurement.value == 9);
}
