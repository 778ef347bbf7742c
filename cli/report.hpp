/// The HTML report of a job.
#pragma once

#include <string>

#include "mosaic/db/database.hpp"

namespace mosaic::cli {

/// One self-contained page (inline style and script, no network): what the job is, the measured
/// Pareto front among all its networks, hypervolume over evaluations, predictions against
/// measurements, the training curve and the log of timings. Fluid up to 100,000 networks. A part
/// for which the job has no data says so.
std::string render_report(const db::Reader& database, const db::Job& job);

/// Where the page of a job is written by default: DATABASE-JOB.html beside the database (without
/// its extension), so that jobs and databases do not replace each other's.
std::string default_report(const std::string& job, const std::string& db);

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_report(const db::Reader& database, const db::Job& job, const std::string& path);

}  // namespace mosaic::cli
