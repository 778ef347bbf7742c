/// Rows of the tables as plain values.
#pragma once

#include <cstdlib>
#include <map>
#include <optional>

#include "mosaic/db/records.hpp"
#include "sqlite.hpp"

namespace mosaic::db {

/// Reads columns from `first` on: text, whole numbers, REAL (NaN where it is NULL), seeds (text,
/// because they use all 64 bits, which no SQLite integer holds without turning negative).
template <class... Values>
void read(const Statement& row, int first, Values&... values) {
  const auto get = [&row](int column, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>)
      value = row.text(column);
    else if constexpr (std::is_same_v<Value, double>)
      value = row.real(column);
    else if constexpr (std::is_same_v<Value, std::uint64_t>)
      value = std::strtoull(row.text(column).c_str(), nullptr, 10);
    else
      value = static_cast<Value>(row.integer(column));
  };
  (get(first++, values), ...);
}

/// Columns that read_measurement() takes, in its order; `m` is the measurements table.
inline constexpr const char* kMeasurementColumns =
    "m.metric, m.value, m.unit, m.standard_error, m.fidelity, m.seed, m.seconds, m.device, "
    "m.status, m.message";
core::Measurement read_measurement(const Statement& row, int first);

/// Columns that read_job() takes, in its order.
inline constexpr const char* kJobColumns =
    "id, name, status, phase, config, config_hash, config_path, seed, space, space_hash, task, "
    "data_checksum, device, threads, version, revision, libraries, folder, message, created, "
    "updated";
/// A job without its objectives and constraints.
Job read_job(const Statement& row);

/// Networks of a job by architecture id; with `only`, that one network. With `known`, a metric has
/// the latest good measurement up to that row, or else the first one after it.
std::map<std::int64_t, Network> load_networks(Connection& connection, std::int64_t job,
                                              std::optional<std::int64_t> only = std::nullopt,
                                              std::optional<std::int64_t> known = std::nullopt);

}  // namespace mosaic::db
