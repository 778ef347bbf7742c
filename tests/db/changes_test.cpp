#include <cmath>
#include <limits>

#include "fixtures.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;

namespace {

std::vector<std::string> archs(const Changes& changes) {
  std::vector<std::string> names;
  for (const auto& network : changes.architectures) names.push_back(network.arch);
  return names;
}

}  // namespace

TEST_CASE_METHOD(OneJob, "all that is read in a snapshot is of one state, whoever writes") {
  const auto add = [&](const std::string& arch, double accuracy, double latency) {
    const auto id = add_network(database, job, arch);
    database.add_measurement(job.id, id, measured("accuracy", accuracy));
    database.add_measurement(job.id, id, measured("latency_ms", latency));
  };
  add("a", 80, 2);
  const Reader reader(folder.file());
  {
    const Snapshot snapshot(reader);
    CHECK(reader.changes(job.id).measurements.size() == 2);
    add("b", 90, 1);
    job.status = "finished";
    database.update_job(job);
    const Snapshot inner(reader);
    CHECK(reader.front(job)[0].arch == "a");
    CHECK(reader.evaluation_count(job.id) == 1);
    CHECK(reader.job().status == "running");
  }
  CHECK(reader.front(job)[0].arch == "b");
  CHECK(reader.changes(job.id).measurements.size() == 4);
  CHECK(reader.job().status == "finished");
}

TEST_CASE_METHOD(OneJob, "changes are the rows written since, of one job, each once") {
  auto other = sample_job("second");
  database.create_job(other);
  const auto a = add_network(database, job, "a");
  database.add_measurement(job.id, a, measured("accuracy", 80));
  database.add_measurement(other.id, a, measured("accuracy", 70));
  database.add_prediction(job.id, a, "latency_ms", 1.5, 0.1, "ridge");
  const Reader reader(folder.file());
  const auto all = reader.changes(job.id);
  CHECK(all.whole);
  CHECK(archs(all) == std::vector<std::string>{"a"});
  REQUIRE(all.measurements.size() == 1);
  CHECK(all.measurements[0].value == 80);
  CHECK(all.hows[all.measurements[0].how] == Changes::How{"accuracy", "test", "cpu: test", "%"});
  CHECK(all.predictions[0].mean == 1.5);
  CHECK(all.evaluations[0].number == 1);

  const auto none = reader.changes(job.id, all.cursor);
  CHECK_FALSE(none.whole);
  CHECK(none.cursor == all.cursor);
  CHECK(none.architectures.empty());
  CHECK(none.measurements.empty());

  auto failed = measured("latency_ms", std::numeric_limits<double>::quiet_NaN());
  failed.status = core::Status::failed;
  failed.message = "out of memory";
  database.add_measurement(job.id, add_network(database, job, "b"), failed);
  database.add_prediction(job.id, a, "latency_ms", 1.25, 0.1, "ridge");  // said again
  database.add_training_point(job.id, {3, 1, 0.1, 1000, {{"loss", 2}}});
  database.add_generation(job.id, {1, 2, 0.5, {a}});
  const auto some = reader.changes(job.id, all.cursor);
  CHECK_FALSE(some.whole);
  CHECK(archs(some) == std::vector<std::string>{"b", "a"});
  REQUIRE(some.measurements.size() == 1);
  CHECK_FALSE(some.measurements[0].ok);
  CHECK(some.notes.at(0) == "out of memory");
  CHECK(some.predictions[0].mean == 1.25);
  CHECK(some.training[0].metrics.at("loss") == 2);
  CHECK(some.generations[0].front == std::vector<std::int64_t>{a});
}

TEST_CASE_METHOD(OneJob, "changes begin again where a job went back") {
  for (int step = 0; step < 4; ++step)
    database.add_training_point(job.id, {step, 0, 0, 0, {{"loss", 1}}});
  add_network(database, job, "a");
  add_network(database, job, "b");
  database.add_generation(job.id, {0, 1, 0.1, {}});
  database.add_generation(job.id, {1, 2, 0.2, {}});
  const auto cursor = database.changes(job.id).cursor;
  SECTION("training") {
    database.truncate_training(job.id, 1);
    const auto changes = database.changes(job.id, cursor);
    CHECK(changes.whole);
    CHECK(changes.training.size() == 2);
    CHECK(changes.evaluations.size() == 2);
  }
  SECTION("search") {
    database.rewind(job.id, 0, 1);
    const auto changes = database.changes(job.id, cursor);
    CHECK(changes.whole);
    CHECK(changes.generations.size() == 1);
    CHECK(changes.evaluations.size() == 1);
    CHECK(changes.training.size() == 4);
  }
}

TEST_CASE_METHOD(OneJob,
                 "a prediction is compared with the latest measurement, both of one metric") {
  const auto a = add_network(database, job, "a");
  const auto b = add_network(database, job, "b");
  database.add_measurement(job.id, a, measured("latency_ms", 2));
  database.add_measurement(job.id, a, measured("latency_ms", 3));
  database.add_measurement(job.id, a, measured("accuracy", 80));
  database.add_measurement(job.id, b, measured("accuracy", 81));
  database.add_prediction(job.id, a, "latency_ms", 9, 1, "first");
  database.add_prediction(job.id, a, "latency_ms", 2.5, 0.5, "second");
  database.add_prediction(job.id, b, "latency_ms", 4, 0.5, "second");
  const auto compared = database.compared(job.id);
  REQUIRE(compared.size() == 1);
  CHECK(compared[0].metric == "latency_ms");
  CHECK(compared[0].predictor == "second");
  CHECK(compared[0].mean == 2.5);
  CHECK(compared[0].deviation == 0.5);
  CHECK(compared[0].value == 3);
}

TEST_CASE_METHOD(OneJob, "a reader's version changes with what others commit, and only then") {
  const Reader reader(folder.file());
  const auto before = reader.version();
  CHECK(reader.version() == before);
  database.save_state(job.id, "progress", "{}");
  CHECK(reader.version() != before);
}
