/// Rows of the tables as plain values.
#pragma once

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
/// A job without its objectives.
Job read_job(const Statement& row);

/// A REAL column; NaN where it is NULL.
double read_number(const Statement& row, int column);

}  // namespace mosaic::db
