// Every number knows who made it, how, and with what.

#include "child.hpp"
#include "fixtures.hpp"
#include "mosaic/core/process.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;

namespace {

/// A cell of a row by its column; NULL is empty.
std::string at(const Table& table, std::size_t row, const std::string& column) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), column);
  REQUIRE(found != table.columns.end());
  return table.rows.at(row).at(static_cast<std::size_t>(found - table.columns.begin())).text;
}

}  // namespace

TEST_CASE("every measurement and prediction tells the session that wrote it") {
  const Folder folder;
  Job job = sample_job("first");
  {
    Database database(folder.file());
    database.create_job(job);
    const auto id = add_network(database, job, "a");
    database.add_measurement(job.id, id, measured("accuracy", 90));
    database.add_measurement(job.id, id, measured("params", 1000));
    job.phase = "measure";
    database.update_job(job);  // says nothing new about where numbers come from
    database.add_prediction(job.id, id, "latency_ms", 1.5, 0.25, "ridge");
    job.device = "cuda: other";
    job.data_checksum = "other data";
    database.update_job(job);
    database.add_measurement(job.id, id, measured("latency_ms", 1.75));
  }
  {
    Database database(folder.file(), {.libraries = "libtorch 3"});
    database.add_measurement(job.id, add_network(database, job, "a"), measured("latency_ms", 2));
  }
  const Reader reader(folder.file());
  const auto origins = reader.provenance("a");
  REQUIRE(origins.rows.size() == 5);
  CHECK(at(origins, 0, "metric") == "accuracy");
  CHECK(at(origins, 0, "value") == "90");
  CHECK(at(origins, 0, "job") == "first");
  CHECK(at(origins, 0, "config_hash") == "c0ffee");
  CHECK(at(origins, 0, "job_seed") == std::to_string(job.seed));
  CHECK(at(origins, 0, "data_checksum") == "da7a");
  CHECK(at(origins, 0, "space") == "resnet-elastic");
  CHECK(at(origins, 0, "task") == "fashion-mnist");
  CHECK(at(origins, 0, "threads") == "2");
  // Of the process that wrote it, not of the one that began the job (0.1.0, abcdef012345), whose
  // libraries say nothing here.
  CHECK(at(origins, 0, "version") == core::version());
  CHECK(at(origins, 0, "revision") == core::revision());
  CHECK(at(origins, 0, "libraries").empty());
  CHECK(at(origins, 1, "session") == at(origins, 0, "session"));
  CHECK(at(origins, 2, "session") != at(origins, 0, "session"));
  CHECK(at(origins, 2, "data_checksum") == "other data");
  CHECK(at(origins, 3, "session") != at(origins, 2, "session"));
  CHECK(at(origins, 3, "libraries") == "libtorch 3");
  CHECK(at(origins, 4, "predicted") == "1.5");
  CHECK(at(origins, 4, "deviation") == "0.25");
  CHECK(at(origins, 4, "how") == "ridge");
  CHECK(at(origins, 4, "session") == at(origins, 0, "session"));
  CHECK(reader.query("SELECT count(*) FROM sessions").rows[0][0].text == "3");
  CHECK(reader.query("SELECT device FROM sessions WHERE id = 2").rows[0][0].text == "cuda: other");
  CHECK(reader.query("SELECT process FROM sessions").rows[0][0].text == std::to_string(::getpid()));
  CHECK(reader
            .query("SELECT sum(value IS NOT NULL), sum(predicted IS NOT NULL), "
                   "sum(version <> '') FROM provenance WHERE arch = 'a'")
            .rows[0][0]
            .text == "4");
  CHECK(reader.provenance("hash-of-a").rows.size() == 5);
  CHECK(reader.provenance("nobody").rows.empty());
}

TEST_CASE("a value that was taken from another job says so, and one measured twice does not") {
  const Folder folder;
  Database database(folder.file());
  Job one = sample_job("one");
  Job two = sample_job("two");
  database.create_job(one);
  database.create_job(two);
  const auto id = add_network(database, one, "a");
  database.add_measurement(one.id, id, measured("accuracy", 90));
  database.add_measurement(one.id, id, measured("accuracy", 90));
  database.add_measurement(two.id, id, measured("accuracy", 90));
  database.add_measurement(two.id, id, measured("accuracy", 91));
  const auto origins = database.provenance("a", two.id);
  REQUIRE(origins.rows.size() == 2);
  CHECK(at(origins, 0, "taken_from") == "1");
  CHECK(at(origins, 1, "taken_from").empty());
  CHECK(at(database.provenance("a", one.id), 1, "taken_from").empty());
}

TEST_CASE_METHOD(OneJob, "a session that was rolled back is not named by what comes after") {
  const auto id = add_network(database, job, "a");
  error_of([&] {
    database.transaction([&] {
      database.add_measurement(job.id, id, measured("accuracy", 1));
      throw core::Error("stop");
    });
  });
  database.add_measurement(job.id, id, measured("accuracy", 2));
  const auto origins = database.provenance("a");
  REQUIRE(origins.rows.size() == 1);
  CHECK_FALSE(at(origins, 0, "session").empty());
  CHECK(database.query("PRAGMA foreign_key_check").rows.empty());
}
