// Where the numbers of a network come from.

#include <algorithm>

#include "impl.hpp"
#include "rows.hpp"

namespace mosaic::db {
namespace {

/// Columns behind the ten of a measurement: of the row, its job, and the session that wrote it.
constexpr const char* kOriginColumns =
    ", m.id, m.created, m.session, a.arch, a.hash, j.name, coalesce(s.version, j.version), "
    "coalesce(s.revision, j.revision), coalesce(s.libraries, j.libraries), "
    "coalesce(s.threads, j.threads), coalesce(s.data_checksum, j.data_checksum), j.space, j.task, "
    "j.seed, j.config_hash ";
constexpr const char* kOriginTables =
    " a CROSS JOIN measurements m ON m.architecture = a.id JOIN jobs j ON j.id = m.job "
    "LEFT JOIN sessions s ON s.id = m.session ";

Origin read_origin(const Statement& row) {
  Origin origin;
  origin.measurement = read_measurement(row, 0);
  origin.id = row.integer(10);
  origin.created = row.text(11);
  if (!row.null(12)) origin.session = row.integer(12);
  origin.arch = row.text(13);
  origin.hash = row.text(14);
  origin.job = row.text(15);
  origin.version = row.text(16);
  origin.revision = row.text(17);
  origin.libraries = row.text(18);
  origin.threads = static_cast<int>(row.integer(19));
  origin.data_checksum = row.text(20);
  origin.space = row.text(21);
  origin.task = row.text(22);
  origin.job_seed = read_seed(row, 23);
  origin.config_hash = row.text(24);
  return origin;
}

/// Bits and words of two measurements agree: no clock and no noise says the same thing twice.
bool repeats(const core::Measurement& a, const core::Measurement& b) {
  return a.ok() && b.ok() && a.metric == b.metric && a.value == b.value &&
         a.standard_error == b.standard_error && a.fidelity == b.fidelity && a.seed == b.seed &&
         a.seconds == b.seconds && a.device == b.device && a.message == b.message;
}

std::vector<Origin> collect(Connection& connection, const std::string& sql,
                            const std::string& arch_or_hash, std::optional<std::int64_t> job) {
  std::vector<Origin> origins;
  // Text form first, and the hash where nothing is called so.
  for (const char* column : {"arch", "hash"}) {
    auto rows = connection.prepare(sql + "WHERE a." + column +
                                       " = ?1 AND (?2 IS NULL OR m.job = ?2) "
                                       "ORDER BY m.id",
                                   arch_or_hash, job);
    while (rows.step()) origins.push_back(read_origin(rows));
    if (!origins.empty()) break;
  }
  return origins;
}

}  // namespace

std::vector<Origin> Reader::provenance(const std::string& arch_or_hash,
                                       std::optional<std::int64_t> job) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
  auto& connection = *impl_->connection;
  auto origins = collect(connection,
                         std::string("SELECT ") + kMeasurementColumns + kOriginColumns +
                             "FROM architectures" + kOriginTables,
                         arch_or_hash, std::nullopt);
  for (std::size_t i = 0; i < origins.size(); ++i)
    for (std::size_t k = 0; k < i && !origins[i].taken_from; ++k)
      if (origins[k].job != origins[i].job &&
          repeats(origins[k].measurement, origins[i].measurement))
        origins[i].taken_from = origins[k].id;
  if (job) {
    // Where a value was taken from another job it is good to know, so those are read as well.
    auto name = connection.prepare("SELECT name FROM jobs WHERE id = ?", *job);
    const std::string wanted = name.step() ? name.text(0) : std::string();
    std::erase_if(origins, [&](const Origin& origin) { return origin.job != wanted; });
  }
  const std::string as_measurements =
      "(SELECT id, job, architecture, metric, mean AS value, '' AS unit, deviation AS "
      "standard_error, predictor AS fidelity, '0' AS seed, NULL AS seconds, '' AS device, "
      "'ok' AS status, '' AS message, created, session FROM predictions)";
  auto tables = std::string(kOriginTables);
  tables.replace(tables.find("measurements"), std::string("measurements").size(), as_measurements);
  for (auto& origin : collect(connection,
                              std::string("SELECT ") + kMeasurementColumns + kOriginColumns +
                                  "FROM architectures" + tables,
                              arch_or_hash, job)) {
    origin.predicted = true;
    origins.push_back(std::move(origin));
  }
  return origins;
}

}  // namespace mosaic::db
