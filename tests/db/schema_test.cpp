// The schema is a promise: older files become today's, and the documented queries work.

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "fixtures.hpp"
#include "sql.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;

namespace {

std::string schema_of(const std::string& path) {
  std::string text;
  for (const auto& row :
       Reader(path).query("SELECT type, name, sql FROM sqlite_master ORDER BY name").rows)
    text += row[0].text + " " + row[1].text + " " + row[2].text + "\n";
  return text;
}

/// Contents of the ```sql blocks of a Markdown text.
std::vector<std::string> sql_blocks(const std::string& markdown) {
  std::vector<std::string> blocks;
  std::istringstream lines(markdown);
  std::string line;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line == "```sql") {
      inside = true;
      blocks.emplace_back();
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

/// Two jobs with something of everything that a database can hold.
void fill_everything(const std::string& path) {
  Database database(path);
  for (const char* name : {"fashion-front", "fashion-again"}) {
    Job job = sample_job(name);
    job.constraints = {{"latency_ms", true, 5}, {"accuracy", false, 80}};
    database.create_job(job);
    std::vector<std::int64_t> front;
    for (int i = 0; i < 4; ++i) {
      const auto id = add_network(database, job, "network " + std::to_string(i), i != 3);
      database.add_measurement(job.id, id, measured("params", 1000 * (i + 1)));
      database.add_measurement(job.id, id, measured("flops", 1e6 * (i + 1)));
      database.add_measurement(job.id, id, measured("accuracy", 85 + i));
      database.add_prediction(job.id, id, "latency_ms", 1 + 0.5 * i, 0.125, "ridge");
      database.add_measurement(job.id, id, measured("latency_ms", 1.25 + 0.5 * i));
      front.push_back(id);
    }
    database.add_measurement(job.id, front[0], measured("latency_ms", 1.5));
    auto failed = measured("accuracy", std::nan(""));
    failed.status = core::Status::failed;
    failed.message = "out of memory";
    database.add_measurement(job.id, front[3], failed);
    database.add_training_point(job.id,
                                {100, 0.5, 0.1, 1000, {{"loss", 1.25}, {"accuracy", 60.5}}});
    database.add_generation(job.id, {0, 2, 1.5, {front[1], front[0]}});
    database.add_generation(job.id, {1, 3, 1.75, {front[2], front[0]}});
    database.save_state(job.id, "search", std::string("\0state", 6));
    job.status = "finished";
    job.phase = "done";
    database.update_job(job);
  }
}

}  // namespace

TEST_CASE("every documented query works on a filled database and finds something") {
  const Folder folder;
  fill_everything(folder.file());
  const auto documentation = slurp(source_dir() + "/docs/database.md");
  const auto queries = sql_blocks(documentation);
  REQUIRE(queries.size() >= 8);
  const Reader reader(folder.file());
  for (const auto& sql : queries) {
    INFO(sql);
    CHECK_FALSE(reader.query(sql).rows.empty());
  }
}

TEST_CASE("every table, view and column is documented") {
  const Folder folder;
  { const Database database(folder.file()); }
  const auto documentation = slurp(source_dir() + "/docs/database.md");
  const Reader reader(folder.file());
  const auto table = reader.query(
      "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
      "WHERE m.type IN ('table', 'view')");
  REQUIRE(table.rows.size() > 80);
  for (const auto& row : table.rows) {
    INFO(row[0].text << "." << row[1].text);
    CHECK((documentation.find("**" + row[0].text + "**") != std::string::npos ||
           documentation.find("| `" + row[0].text + "` |") != std::string::npos));
    CHECK(documentation.find("`" + row[1].text + "`") != std::string::npos);
  }
  CHECK(documentation.find("schema, now " + std::to_string(schema_version())) != std::string::npos);
}

TEST_CASE("a database of every earlier schema version becomes today's, with all its content") {
  for (int version = 1; version <= schema_version(); ++version) {
    INFO("schema version " << version);
    const Folder folder;
    mosaic::test::execute(folder.file(), slurp(source_dir() + "/tests/db/data/schema-" +
                                               std::to_string(version) + ".sql"));
    { const Database migrated(folder.file()); }
    { const Database fresh(folder.file("fresh.db")); }
    CHECK(schema_of(folder.file()) == schema_of(folder.file("fresh.db")));

    const Reader reader(folder.file());
    CHECK(reader.query("PRAGMA user_version").rows[0][0].text == std::to_string(schema_version()));
    CHECK(reader.query("PRAGMA integrity_check").rows[0][0].text == "ok");
    REQUIRE(reader.jobs().size() == 2);
    const Job job = reader.job("fashion-front");
    CHECK(job.status == "finished");
    CHECK(job.seed == 18446744073709551615u);
    CHECK(job.objectives == std::vector<Objective>{{"accuracy", true}, {"latency_ms", false}});
    const auto bounds = std::vector<Constraint>{{"latency_ms", true, 5}, {"accuracy", false, 80}};
    CHECK(job.constraints == (version < 2 ? std::vector<Constraint>{} : bounds));
    const auto networks = reader.networks(job.id);
    REQUIRE(networks.size() == 4);
    CHECK(networks[0].metrics.at("latency_ms").value == 1.5);
    CHECK(networks[1].predicted.at("latency_ms").mean == 1.5);
    CHECK(networks[2].evaluation == 3);
    CHECK_FALSE(networks[3].evaluation);
    CHECK(reader.front(job).size() == 4);
    CHECK(reader.front(job, 2).size() == 2);
    CHECK(reader.front(job, 2)[1].metrics.at("latency_ms").value == (version < 2 ? 1.5 : 1.25));
    CHECK(reader.metrics(job.id) ==
          std::vector<std::string>{"accuracy", "flops", "latency_ms", "params"});
    const auto best = reader.best(job, {"accuracy", true, {{"latency_ms", true, 2}}, 2});
    REQUIRE(best.size() == 2);
    CHECK(best[0].arch == "network 1");
    const auto origins = reader.provenance("network 1", job.id);
    REQUIRE(origins.rows.size() == 5);
    const auto first = [&](const std::string& column) {
      const auto found = std::find(origins.columns.begin(), origins.columns.end(), column);
      return origins.rows[0].at(static_cast<std::size_t>(found - origins.columns.begin())).text;
    };
    CHECK(first("data_checksum") == "da7a");
    CHECK(first("session").empty() == (version < 2));
    CHECK(reader.measurements(job.id, "accuracy").back().measurement.message == "out of memory");
    const auto point = reader.training_curve(job.id).at(0);
    CHECK(point.metrics == std::map<std::string, double>{{"accuracy", 60.5}, {"loss", 1.25}});
    CHECK(point.examples_per_second == 1000);
    CHECK(reader.query("SELECT loss, accuracy, images_per_second FROM training").rows.size() == 2);
    CHECK(reader.generations(job.id).at(1).front.size() == 2);
    CHECK(reader.state(job.id, "search") == std::string("\0state", 6));
  }
}

// Writes the database behind tests/db/data/schema-N.sql; the first lines of those files say how.
TEST_CASE("jobs of databases of every version are taken into one, with all that they have") {
  // Every row of every table that holds what was recorded, but for row numbers and names.
  const auto rows_of = [](const Reader& reader, const std::string& job) {
    const auto id = std::to_string(reader.job(job).id);
    std::string text;
    for (const auto& table :
         reader.query("SELECT name FROM sqlite_master WHERE type = 'table'").rows) {
      const auto& name = table[0].text;
      std::string columns;
      bool of_job = false;
      for (const auto& column :
           reader.query("SELECT name FROM pragma_table_info('" + name + "')").rows) {
        const auto& called = column[0].text;
        of_job = of_job || called == "job";
        if (called == "architecture")
          columns += ", (SELECT arch FROM architectures a WHERE a.id = architecture)";
        else if (called != "id" && called != "job" && called != "session" && called != "known" &&
                 called != "place" && called != "replaced")
          columns += ", " + called;
      }
      if (!of_job || name == "series") continue;
      std::multiset<std::string> lines;
      for (const auto& row :
           reader.query("SELECT 0" + columns + " FROM " + name + " WHERE job = " + id).rows) {
        std::string line;
        for (const auto& cell : row) line += cell.text + "|";
        lines.insert(line);
      }
      text += name + "\n";
      for (const auto& line : lines) text += line + "\n";
    }
    return text;
  };
  const Folder folder;
  for (int version = 1; version <= schema_version(); ++version) {
    INFO("schema version " << version);
    const auto number = std::to_string(version);
    const auto old = folder.file("old" + number + ".db");
    mosaic::test::execute(old, slurp(source_dir() + "/tests/db/data/schema-" + number + ".sql"));
    const auto before = slurp(old);
    const auto copy = folder.file("copy" + number + ".db");
    copy_database(old, copy);
    CHECK(slurp(old) == before);
    std::map<std::string, std::string> expected;
    {
      Database renamed(copy);
      for (const auto& job : renamed.jobs()) {
        renamed.rename_job(job.id, job.name + number);
        expected[job.name + number] = rows_of(renamed, job.name + number);
      }
    }
    Database all(folder.file());
    all.append(copy);
    CHECK(all.jobs().size() == 2 * static_cast<std::size_t>(version));
    for (const auto& [name, rows] : expected) CHECK(rows_of(all, name) == rows);
    const auto job = all.job("fashion-front" + number);
    CHECK(all.front(job).size() == 4);
    CHECK(all.front(job, 2)[1].metrics.at("latency_ms").value == (version < 2 ? 1.5 : 1.25));
    CHECK_THAT(error_of([&] { all.append(copy); }),
               Catch::Matchers::Contains("both databases have a job"));
    CHECK(all.query("PRAGMA foreign_key_check").rows.empty());
  }
}

TEST_CASE("write a sample database for the stored dumps", "[.dump]") {
  if (const char* path = std::getenv("MOSAIC_DB_DUMP")) fill_everything(path);
  SUCCEED("only works where it is asked to");
}
