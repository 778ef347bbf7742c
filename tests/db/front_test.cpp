#include <algorithm>
#include <set>

#include "fixtures.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;

namespace {

std::vector<std::string> names(const std::vector<Network>& networks) {
  std::vector<std::string> result;
  for (const auto& network : networks) result.push_back(network.arch);
  return result;
}

std::vector<std::string> column(const Table& table, std::size_t index = 0) {
  std::vector<std::string> result;
  for (const auto& row : table.rows) result.push_back(row.at(index).text);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(
    OneJob,
    "the front is what was measured in full and what nothing dominates, best accuracy first") {
  const auto add = [&](const std::string& arch, double accuracy, double latency) {
    const auto id = add_network(database, job, arch);
    if (accuracy > 0) database.add_measurement(job.id, id, measured("accuracy", accuracy));
    if (latency > 0) database.add_measurement(job.id, id, measured("latency_ms", latency));
    return id;
  };
  add("slow", 90, 9);
  add("dominated", 85, 9);
  add("fast", 70, 1);
  const auto middle = add("middle", 80, 5);
  add("same", 80, 5);
  database.add_prediction(job.id, add("predicted", 95, 0), "latency_ms", 0.5, 0.1, "ridge");
  const auto failing = add("failing", 99, 0);
  auto failed = measured("latency_ms", 0.1);
  failed.status = core::Status::failed;
  database.add_measurement(job.id, failing, failed);

  CHECK(names(database.front(job)) == Names{"slow", "middle", "fast"});
  CHECK(names(database.front(job, 0)) == Names{});
  CHECK(names(database.front(job, 2)) == Names{"slow"});
  CHECK(names(database.front(job, 3)) == Names{"slow", "fast"});

  // A newer measurement counts instead of the older one.
  database.add_measurement(job.id, middle, measured("accuracy", 60));
  CHECK(names(database.front(job)) == Names{"slow", "same", "fast"});

  // A network that was only timed has no evaluation number: it is on the front now, but on none of
  // old.
  const auto extra = add_network(database, job, "extra", false);
  database.add_measurement(job.id, extra, measured("accuracy", 91));
  database.add_measurement(job.id, extra, measured("latency_ms", 0.5));
  CHECK(names(database.front(job)) == Names{"extra"});
  CHECK(names(database.front(job, 100)) == Names{"slow", "same", "fast"});
  CHECK(database.front(job)[0].metrics.at("accuracy").value == 91);

  // Another job knows nothing of it.
  Job other = sample_job("second");
  database.create_job(other);
  CHECK(database.front(other).empty());
}

TEST_CASE("the view `front` agrees with front() for any number of objectives and directions") {
  const auto objectives = GENERATE(as<std::size_t>{}, 1, 2, 3, 4, 5, 6);
  const Folder folder;
  Database database(folder.file());
  for (int j = 0; j < 3; ++j) {
    core::Stream random(7, "front", static_cast<std::uint64_t>(j) * 10 + objectives);
    std::vector<Objective> wanted;
    for (std::size_t k = 0; k < objectives; ++k)
      wanted.push_back({"metric" + std::to_string(k), random.below(2) == 1});
    Job job = sample_job("job" + std::to_string(j), wanted);
    database.create_job(job);
    // Coarse values, so that ties and equal networks occur; some networks lack a metric.
    database.transaction([&] {
      for (int i = 0; i < 60; ++i) {
        const auto id = add_network(database, job, "n" + std::to_string((i * 37) % 60), i % 9 != 0);
        for (const auto& objective : wanted)
          if (random.below(20) != 0)
            database.add_measurement(
                job.id, id,
                measured(objective.metric,
                         static_cast<double>(random.below(objectives == 2 ? 12 : 4))));
      }
    });
    const auto expected = names(database.front(job));
    auto viewed = column(database.query("SELECT arch FROM front WHERE job = '" + job.name + "'"));
    CHECK_FALSE(expected.empty());
    CHECK(std::set(viewed.begin(), viewed.end()) == std::set(expected.begin(), expected.end()));
    CHECK(viewed.size() == expected.size());
  }
}

TEST_CASE_METHOD(OneJob, "the views show predicted and measured values side by side") {
  const auto id = add_network(database, job, "a");
  database.add_measurement(job.id, id, measured("params", 1000));
  database.add_measurement(job.id, id, measured("flops", 2000));
  database.add_measurement(job.id, id, measured("accuracy", 88.5));
  database.add_prediction(job.id, id, "latency_ms", 1.5, 0.25, "ridge");
  add_network(database, job, "b");

  auto table = database.query(
      "SELECT job, evaluation, arch, hash, params, flops, accuracy, predicted_accuracy, "
      "latency_ms, "
      "predicted_latency_ms, predicted_latency_deviation_ms FROM results ORDER BY evaluation");
  REQUIRE(table.rows.size() == 2);
  CHECK(column(table, 0) == Names{"first", "first"});
  CHECK(column(table, 1) == Names{"1", "2"});
  CHECK(column(table, 2) == Names{"a", "b"});
  CHECK(column(table, 4)[0] == "1000");
  CHECK(column(table, 6)[0] == "88.5");
  CHECK(table.rows[0][8].type == Table::Type::null);
  CHECK(column(table, 9)[0] == "1.5");
  CHECK(column(table, 10)[0] == "0.25");
  CHECK(table.rows[1][4].type == Table::Type::null);
  CHECK(database.query("SELECT * FROM front").rows.empty());

  database.add_measurement(job.id, id, measured("latency_ms", 1.75));
  table = database.query("SELECT arch, objectives, latency_ms, predicted_latency_ms FROM front");
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0][1].text == "accuracy=88.5, latency_ms=1.75");
  CHECK(table.rows[0][2].text == "1.75");
  CHECK(table.rows[0][3].text == "1.5");

  table = database.query("SELECT metric, value, unit, status FROM measurement_log");
  REQUIRE(table.rows.size() == 4);
  CHECK(column(table, 0) == Names{"params", "flops", "accuracy", "latency_ms"});

  database.add_generation(job.id, {0, 1, 3.5, {id}});
  table =
      database.query("SELECT job, generation, evaluations, hypervolume, front_size FROM history");
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0][3].text == "3.5");
  CHECK(table.rows[0][4].text == "1");
}
