// Jobs that are renamed, removed, and taken over from another database.

#include <algorithm>
#include <filesystem>
#include <map>

#include "impl.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/file.hpp"
#include "open.hpp"
#include "schema.hpp"

namespace mosaic::db {
namespace {

constexpr const char* kTables =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";

std::vector<std::string> texts(Connection& connection, const std::string& sql) {
  std::vector<std::string> result;
  auto rows = connection.prepare(sql);
  while (rows.step()) result.push_back(rows.text(0));
  return result;
}

/// Tables of this build's schema and their columns, whatever else a user gave a file.
std::map<std::string, std::vector<std::string>> schema_tables() {
  Connection blank(":memory:", "the schema",
                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
  for (int version = 0; version < schema_version(); ++version) blank.script(migration(version));
  std::map<std::string, std::vector<std::string>> tables;
  for (const auto& table : texts(blank, kTables))
    tables[table] = texts(blank, "SELECT name FROM pragma_table_info('" + table + "')");
  return tables;
}

void append_architectures(Connection& connection) {
  connection.run(
      "INSERT OR IGNORE INTO main.architectures (space_hash, arch, hash) "
      "SELECT space_hash, arch, hash FROM other.architectures ORDER BY id");
  connection.run(
      "INSERT INTO temp.merged (before, now) SELECT o.id, m.id FROM other.architectures o JOIN "
      "main.architectures m ON m.space_hash = o.space_hash AND m.arch = o.arch");
  auto changed = connection.prepare(
      "SELECT o.arch FROM temp.merged JOIN other.architectures o ON o.id = before JOIN "
      "main.architectures m ON m.id = now WHERE m.hash <> o.hash LIMIT 1");
  if (changed.step())
    throw core::Error("network " + changed.text(0) + " has different hashes in the two databases",
                      "the space changed without changing its identity: keep them apart");
}

/// Row numbers are moved behind those that are taken: their order is that of time.
void append_recorded(Connection& connection) {
  auto tables = schema_tables();
  // Architectures go by their text; columns of latest values follow.
  for (const auto* other : {"architectures", "members", "series", "blocks"}) tables.erase(other);
  std::map<std::string, std::string> offset;
  for (const auto& table : {"jobs", "measurements", "predictions", "sessions"})
    offset[table] = std::to_string(
        connection.integer("SELECT coalesce(max(id), 0) FROM main." + std::string(table)));
  const std::map<std::string, std::string> refers{
      {"job", "jobs"}, {"session", "sessions"}, {"known", "measurements"}};
  for (const auto& [table, columns] : tables) {
    std::vector<std::string> values;
    for (const auto& column : columns) {
      const auto to = refers.find(column);
      if (column == "architecture")
        values.emplace_back("(SELECT now FROM temp.merged WHERE before = architecture)");
      else if (column == "id")
        values.push_back("id + " + offset.at(table));
      else
        values.push_back(to == refers.end() ? column : column + " + " + offset.at(to->second));
    }
    connection.run("INSERT INTO main." + table + " (" + core::join(columns) + ") SELECT " +
                   core::join(values) + " FROM other." + table);
  }
}

}  // namespace

void Database::remove_job(std::int64_t job) {
  transaction([&] {
    auto& connection = *impl_->connection;
    connection.run("DELETE FROM jobs WHERE id = ?", job);
    std::string unknown;
    for (const auto* table : {"measurements", "predictions", "evaluations", "generation_front"})
      unknown += std::string(unknown.empty() ? " WHERE" : " AND") + " NOT EXISTS (SELECT 1 FROM " +
                 table + " t WHERE t.architecture = architectures.id)";
    connection.run("DELETE FROM architectures" + unknown);
    impl_->forget();
  });
}

void Database::rename_job(std::int64_t job, const std::string& name) {
  transaction([&] {
    if (const auto taken = find_job(name))
      throw core::Error(impl_->path + " already holds a job '" + name + "' (" + taken->status +
                            ", begun " + taken->created + ")",
                        "choose another name");
    impl_->connection->run("UPDATE jobs SET name = ? WHERE id = ?", name, job);
  });
}

void Database::append(const std::string& path) {
  auto& connection = *impl_->connection;
  connection.run("ATTACH DATABASE ? AS other", std::filesystem::absolute(path).string());
  const auto detach = [&] {
    sqlite3_exec(connection.handle(), "DROP TABLE IF EXISTS temp.merged; DETACH other", nullptr,
                 nullptr, nullptr);
  };
  try {
    connection.script(
        "CREATE TEMP TABLE merged (before INTEGER PRIMARY KEY, now INTEGER NOT NULL)");
    transaction([&] {
      const auto both =
          texts(connection, "SELECT name FROM main.jobs INTERSECT SELECT name FROM other.jobs");
      if (!both.empty())
        throw core::Error("both databases have a job '" + both[0] + "'", "rename one of them");
      connection.run("PRAGMA defer_foreign_keys = ON");
      append_architectures(connection);
      append_recorded(connection);
      rebuild_columns(connection);
    });
  } catch (...) {
    detach();
    throw;
  }
  detach();
}

void copy_database(const std::string& from, const std::string& to) {
  const auto source = open_any_version(from);
  Connection target(std::filesystem::absolute(to).string(), to,
                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
  auto* backup = sqlite3_backup_init(target.handle(), "main", source->handle(), "main");
  if (backup != nullptr) {
    sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
  }
  target.check(sqlite3_errcode(target.handle()));
}

void take_log_in(const std::string& path) {
  std::string why;
  try {
    const auto connection = open_writer(path, 0);
    auto row = connection->prepare("PRAGMA wal_checkpoint(TRUNCATE)");
    if (!row.step() || row.integer(0) != 0) why = "another program has it open";
  } catch (const core::Error& error) {
    why = error.message();
  }
  std::error_code none;
  const auto left = std::filesystem::file_size(real_path(path) + "-wal", none);
  if (why.empty() && !none && left > 0) why = std::to_string(left) + " bytes of the log are left";
  if (!why.empty())
    throw core::Error("what was written to " + path + " cannot be brought into one file: " + why,
                      "free some space there, and do it again");
}

std::vector<std::string> own_tables(const std::string& path) {
  const auto connection = open_any_version(path);
  const auto schema = schema_tables();
  auto tables = texts(*connection, kTables);
  std::erase_if(tables, [&](const auto& table) { return schema.contains(table); });
  return tables;
}

}  // namespace mosaic::db
