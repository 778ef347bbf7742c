/// Rows of the tables as plain values.
#pragma once

#include <map>
#include <optional>

#include "mosaic/db/records.hpp"
#include "sqlite.hpp"

namespace mosaic::db {

/// Columns that read_measurement() takes, in its order; `m` is the measurements table.
inline constexpr const char* kMeasurementColumns =
    "m.metric, m.value, m.unit, m.standard_error, m.fidelity, m.seed, m.seconds, m.device, "
    "m.status, "
    "m.message";
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

/// A seed: text, because it uses all 64 bits.
std::uint64_t read_seed(const Statement& row, int column);

/// A REAL column; NaN where it is NULL.
double read_number(const Statement& row, int column);

}  // namespace mosaic::db
