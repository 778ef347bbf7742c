#include "mosaic/db/database.hpp"

#include <cmath>
#include <limits>
#include <thread>

#include "fixtures.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;

TEST_CASE("a job reads back as it was written") {
  const Folder folder;
  Database database(folder.file());
  Job job = sample_job("first", {{"accuracy", true}, {"latency_ms", false}, {"params", false}});
  database.create_job(job);
  REQUIRE(job.id > 0);
  REQUIRE_FALSE(job.created.empty());

  const Reader reader(folder.file());
  const Job found = reader.job();
  CHECK(found.id == job.id);
  CHECK(found.name == "first");
  CHECK(found.status == "running");
  CHECK(found.phase == "search");
  CHECK(found.config_hash == "c0ffee");
  CHECK(found.config_path == "job.toml");
  CHECK(found.seed == 18446744073709551615u);
  CHECK(found.space == "resnet-elastic");
  CHECK(found.space_hash == "5bace");
  CHECK(found.task == "fashion-mnist");
  CHECK(found.data_checksum == "da7a");
  CHECK(found.device == "cpu: test");
  CHECK(found.threads == 2);
  CHECK(found.version == "0.1.0");
  CHECK(found.revision == "abcdef012345");
  CHECK(found.libraries == "libtorch 2.11.0, pagmo 2.18");
  CHECK(found.folder == "models");
  CHECK(found.objectives == job.objectives);
  CHECK(found.created == job.created);
}

TEST_CASE_METHOD(OneJob, "updating a job changes how it stands and nothing of what it is") {
  Job changed = job;
  changed.status = "failed";
  changed.phase = "train";
  changed.message = "out of patience";
  changed.device = "cuda: other";
  changed.threads = 7;
  changed.folder = "elsewhere";
  changed.data_checksum = "new";
  changed.version = "0.2.0";
  changed.revision = "fedcba";
  changed.libraries = "other";
  changed.config = "more evaluations";
  changed.name = "renamed";
  changed.seed = 3;
  database.update_job(changed);

  const Job found = database.job("first");
  CHECK(found.status == "failed");
  CHECK(found.phase == "train");
  CHECK(found.message == "out of patience");
  CHECK(found.device == "cuda: other");
  CHECK(found.threads == 7);
  CHECK(found.folder == "elsewhere");
  CHECK(found.data_checksum == "new");
  CHECK(found.version == "0.2.0");
  CHECK(found.revision == "fedcba");
  CHECK(found.libraries == "other");
  CHECK(found.config == "more evaluations");
  CHECK(found.seed == job.seed);

  changed.id = 99;
  CHECK_THAT(error_of([&] { database.update_job(changed); }), Contains("holds no job with id 99"));
}

TEST_CASE("a job that has nothing yet can be discarded, others cannot") {
  const Folder folder;
  Database database(folder.file());
  for (const std::string what :
       {"nothing", "measurement", "prediction", "evaluation", "training", "state"}) {
    CAPTURE(what);
    Job job = sample_job(what);
    database.create_job(job);
    const auto network = database.architecture(job.space_hash, "a", "hash-of-a");
    if (what == "measurement") database.add_measurement(job.id, network, measured("accuracy", 1));
    if (what == "prediction") database.add_prediction(job.id, network, "accuracy", 1, 1, "ridge");
    if (what == "evaluation") database.number_evaluation(job.id, network);
    if (what == "training") database.add_training_point(job.id, {.step = 1});
    if (what == "state") database.save_state(job.id, "goal", "run");
    const bool nothing = what == "nothing" || what == "state";
    CHECK(database.discard_job(job.id) == nothing);
    CHECK(database.find_job(what).has_value() != nothing);
    if (!nothing) continue;
    job.config = "another";
    database.create_job(job);
    CHECK_FALSE(database.state(job.id, "goal"));
    CHECK(database.job(what).objectives == job.objectives);
  }
}

TEST_CASE("a job name is taken once, and an unknown one gets the known ones listed") {
  const Folder folder;
  Database database(folder.file());
  CHECK_THAT(error_of([&] { database.job(); }), Contains("holds no job yet: `mosaic run"));
  Job first = sample_job("fashion-front");
  Job second = sample_job("cifar-front");
  database.create_job(first);
  database.create_job(second);
  Job again = sample_job("fashion-front");
  CHECK_THAT(error_of([&] { database.create_job(again); }),
             Contains("already holds a job 'fashion-front' (running, begun 2") &&
                 Contains("go on with it by `mosaic resume fashion-front`"));
  CHECK(again.id == 0);
  CHECK(database.jobs().size() == 2);
  CHECK(database.job().name == "cifar-front");
  CHECK(database.find_job("fashion-front")->id == first.id);
  CHECK_FALSE(database.find_job("nobody"));
  CHECK_THAT(error_of([&] { database.job("fashion-frnt"); }),
             Contains("holds no job 'fashion-frnt': did you mean 'fashion-front'? known: "
                      "fashion-front, cifar-front"));
}

TEST_CASE_METHOD(OneJob, "a measurement reads back to the last bit, whether good or failed") {
  const auto id = add_network(database, job, "a:1");
  auto good = measured("latency_ms", 0.1 + 0.2, "batch=1,threads=2");
  good.message = "device slow: reference 1.24x";
  database.add_measurement(job.id, id, good);
  auto failed = measured("accuracy", std::numeric_limits<double>::quiet_NaN(), "inherited");
  failed.status = core::Status::failed;
  failed.message = "out of memory: 'x' \"y\"\n\xc3\xa9";
  database.add_measurement(job.id, id, failed);

  const auto found =
      database.find_measurement(job.id, "5bace", "hash-of-a:1", "latency_ms", "batch=1,threads=2");
  REQUIRE(found);
  CHECK(found->value == 0.1 + 0.2);
  CHECK(found->metric == "latency_ms");
  CHECK(found->unit == "ms");
  CHECK(found->standard_error == 0.125);
  CHECK(found->fidelity == "batch=1,threads=2");
  CHECK(found->seed == 0xffffffffffffffffu);
  CHECK(found->seconds == 0.5);
  CHECK(found->device == "cpu: test");
  CHECK(found->message == good.message);
  CHECK(found->ok());

  const auto failure =
      database.find_measurement(std::nullopt, "5bace", "hash-of-a:1", "accuracy", "inherited");
  REQUIRE(failure);
  CHECK(failure->status == core::Status::failed);
  CHECK(std::isnan(failure->value));
  CHECK(failure->message == failed.message);
}

TEST_CASE("a measurement is found by job, space, network, metric, fidelity and device") {
  const Folder folder;
  Database database(folder.file());
  Job one = sample_job("one");
  Job two = sample_job("two");
  database.create_job(one);
  database.create_job(two);
  const auto id = add_network(database, one, "a:1");
  database.add_measurement(one.id, id, measured("latency_ms", 1.0));
  database.add_measurement(one.id, id, measured("latency_ms", 2.0));
  auto other = measured("latency_ms", 3.0);
  other.device = "cuda: other";
  database.add_measurement(two.id, id, other);

  const auto value = [&](auto... arguments) {
    const auto found = database.find_measurement(arguments...);
    return found ? found->value : -1.0;
  };
  CHECK(value(one.id, "5bace", "hash-of-a:1", "latency_ms", "test") == 2.0);
  CHECK(value(two.id, "5bace", "hash-of-a:1", "latency_ms", "test") == 3.0);
  CHECK(value(std::nullopt, "5bace", "hash-of-a:1", "latency_ms", "test") == 3.0);
  CHECK(value(std::nullopt, "5bace", "hash-of-a:1", "latency_ms", "test", "cpu: test") == 2.0);
  CHECK(value(two.id, "5bace", "hash-of-a:1", "latency_ms", "test", "cpu: test") == -1.0);
  CHECK(value(one.id, "other", "hash-of-a:1", "latency_ms", "test") == -1.0);
  CHECK(value(one.id, "5bace", "a:1", "latency_ms", "test") == -1.0);
  CHECK(value(one.id, "5bace", "hash-of-a:1", "accuracy", "test") == -1.0);
  CHECK(value(one.id, "5bace", "hash-of-a:1", "latency_ms", "other") == -1.0);

  const auto timed = database.measurements(one.id, "latency_ms");
  REQUIRE(timed.size() == 2);
  CHECK(timed[0].measurement.value == 1.0);
  CHECK(timed[1].measurement.value == 2.0);
  CHECK(timed[0].arch == "a:1");
  CHECK(timed[0].arch_hash == "hash-of-a:1");
  CHECK(timed[0].id < timed[1].id);
}

TEST_CASE_METHOD(
    OneJob,
    "a network shows its latest good measurement and its latest prediction of each metric") {
  const auto a = add_network(database, job, "a:1");
  const auto b = add_network(database, job, "b:2", false);
  add_network(database, sample_job("of no job"), "c:3", false);
  database.add_measurement(job.id, a, measured("accuracy", 80));
  database.add_measurement(job.id, a, measured("accuracy", 81));
  auto failed = measured("accuracy", 99);
  failed.status = core::Status::failed;
  database.add_measurement(job.id, a, failed);
  database.add_measurement(job.id, a, measured("flops", std::numeric_limits<double>::infinity()));
  database.add_prediction(job.id, a, "latency_ms", 3.0, 0.3, "ridge#1");
  database.add_prediction(job.id, a, "latency_ms", 4.0, 0.4, "ridge#2");
  database.add_prediction(job.id, a, "latency_ms", 3.5, 0.35, "ridge#1");
  database.add_measurement(job.id, b, measured("latency_ms", 7));

  const auto networks = database.networks(job.id);
  REQUIRE(networks.size() == 2);
  CHECK(networks[0].architecture == a);
  CHECK(networks[0].arch == "a:1");
  CHECK(networks[0].hash == "hash-of-a:1");
  CHECK(networks[0].evaluation == 1);
  CHECK(networks[0].metrics.at("accuracy").value == 81);
  CHECK(networks[0].metrics.count("latency_ms") == 0);
  CHECK(networks[0].metrics.count("flops") == 0);
  CHECK(networks[0].predicted.at("latency_ms").mean == 3.5);
  CHECK(networks[0].predicted.at("latency_ms").deviation == 0.35);
  CHECK(networks[0].predicted.at("latency_ms").predictor == "ridge#1");
  CHECK(networks[1].architecture == b);
  CHECK_FALSE(networks[1].evaluation);
  CHECK(networks[1].metrics.at("latency_ms").value == 7);

  CHECK(database.network(job.id, "a:1")->architecture == a);
  CHECK(database.network(job.id, "hash-of-b:2")->architecture == b);
  CHECK_FALSE(database.network(job.id, "c:3"));
  CHECK_FALSE(database.network(99, "a:1"));
}

TEST_CASE("an architecture has one id in its space, and a changed hash is noticed") {
  const Folder folder;
  Database database(folder.file());
  const auto id = database.architecture("s", "a:1", "h");
  CHECK(database.architecture("s", "a:1", "h") == id);
  CHECK(database.architecture("other", "a:1", "h") != id);
  CHECK(database.architecture("s", "a:2", "h") != id);  // one function, two genotypes
  CHECK_THAT(error_of([&] { database.architecture("s", "a:1", "x"); }),
             Contains("network a:1 has hash x, but h in") && Contains("use a new database"));
}

TEST_CASE("evaluations are numbered from one, once per network and job") {
  const Folder folder;
  Database database(folder.file());
  Job one = sample_job("one");
  Job two = sample_job("two");
  database.create_job(one);
  database.create_job(two);
  const auto a = add_network(database, one, "a:1", false);
  const auto b = add_network(database, one, "b:2", false);
  CHECK(database.number_evaluation(one.id, b) == 1);
  CHECK(database.number_evaluation(one.id, a) == 2);
  CHECK(database.number_evaluation(one.id, b) == 1);
  CHECK(database.number_evaluation(two.id, a) == 1);
  const auto evaluations = database.evaluations(one.id);
  REQUIRE(evaluations.size() == 2);
  CHECK(evaluations[0].number == 1);
  CHECK(evaluations[0].arch == "b:2");
  CHECK(evaluations[0].hash == "hash-of-b:2");
  CHECK(evaluations[1].arch == "a:1");
}

TEST_CASE_METHOD(OneJob, "training curve, generations and states are kept, replaced and rewound") {
  database.add_training_point(job.id, {10, 0.5, 0.1, 900, {{"loss", 2.0}, {"bleu", 40}}});
  database.add_training_point(job.id,
                              {20, 1.0, 0.05, 950, {{"loss", 1.5}, {"bleu", 50}, {"odd", 1}}});
  database.add_training_point(job.id, {20, 1.0, 0.05, 950, {{"loss", 1.25}, {"bleu", 55}}});
  auto curve = database.training_curve(job.id);
  REQUIRE(curve.size() == 2);
  CHECK(curve[0].step == 10);
  CHECK(curve[0].epoch == 0.5);
  CHECK(curve[1].metrics == std::map<std::string, double>{{"bleu", 55}, {"loss", 1.25}});
  CHECK(curve[1].learning_rate == 0.05);
  CHECK(curve[1].examples_per_second == 950);
  database.truncate_training(job.id, 10);
  CHECK(database.training_curve(job.id).size() == 1);

  std::vector<std::int64_t> ids;
  for (const char* arch : {"a", "b", "c", "d"}) ids.push_back(add_network(database, job, arch));
  database.add_measurement(job.id, ids[3], measured("accuracy", 70));
  database.add_generation(job.id, {0, 2, 1.5, {ids[1], ids[0]}});
  database.add_generation(job.id, {1, 4, 1.75, {ids[3]}});
  database.add_generation(job.id, {1, 4, 2.0, {ids[3], ids[2], ids[1]}});
  auto generations = database.generations(job.id);
  REQUIRE(generations.size() == 2);
  CHECK(generations[0].front == std::vector{ids[1], ids[0]});
  CHECK(generations[1].number == 1);
  CHECK(generations[1].evaluations == 4);
  CHECK(generations[1].hypervolume == 2.0);
  CHECK(generations[1].front == std::vector{ids[3], ids[2], ids[1]});

  CHECK_FALSE(database.state(job.id, "search"));
  const std::string opaque("\0\x01\xff text", 8);
  database.save_state(job.id, "search", "old");
  database.save_state(job.id, "search", opaque);
  CHECK(database.state(job.id, "search") == opaque);
  database.save_state(job.id, "train", "");
  CHECK(database.state(job.id, "train") == std::string());

  database.rewind(job.id, 0, 2);
  CHECK(database.generations(job.id).size() == 1);
  CHECK(database.evaluations(job.id).size() == 2);
  CHECK(database.find_measurement(job.id, "5bace", "hash-of-d", "accuracy", "test")->value == 70);
  CHECK(database.number_evaluation(job.id, ids[3]) == 3);
}

TEST_CASE_METHOD(OneJob, "a transaction is all or nothing, and a nested one joins it") {
  const auto id = add_network(database, job, "a");
  const auto count = [&] { return database.measurements(job.id, "accuracy").size(); };

  CHECK(error_of([&] {
          database.transaction([&] {
            database.add_measurement(job.id, id, measured("accuracy", 1));
            database.transaction(
                [&] { database.add_measurement(job.id, id, measured("accuracy", 2)); });
            throw core::Error("stop here");
          });
        }) == "stop here");
  CHECK(count() == 0);

  database.transaction([&] {
    database.add_measurement(job.id, id, measured("accuracy", 1));
    // What a nested transaction did goes with its error, if the outer one goes on.
    CHECK(error_of([&] {
            database.transaction([&] {
              database.add_measurement(job.id, id, measured("accuracy", 2));
              throw core::Error("inner");
            });
          }) == "inner");
    database.add_measurement(job.id, id, measured("accuracy", 3));
    const Reader other(folder.file());
    CHECK(other.measurements(job.id, "accuracy").empty());
    CHECK(count() == 2);
  });
  const auto kept = database.measurements(job.id, "accuracy");
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].measurement.value == 1);
  CHECK(kept[1].measurement.value == 3);
}

TEST_CASE("what belongs to no job or network is refused") {
  const Folder folder;
  Database database(folder.file());
  CHECK_THAT(error_of([&] { database.add_measurement(5, 6, measured("accuracy", 1)); }),
             Contains("FOREIGN KEY constraint failed"));
}

TEST_CASE_METHOD(OneJob, "several threads write through one database") {
  const auto id = add_network(database, job, "a");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i)
        database.transaction([&] {
          database.add_measurement(job.id, id, measured("accuracy", t));
          database.add_measurement(job.id, id, measured("accuracy", t));
        });
    });
  for (auto& thread : threads) thread.join();
  const auto all = database.measurements(job.id, "accuracy");
  REQUIRE(all.size() == 200);
  int mixed = 0;
  for (std::size_t i = 0; i < all.size(); i += 2)
    mixed += all[i].measurement.value != all[i + 1].measurement.value ? 1 : 0;
  CHECK(mixed == 0);
}
