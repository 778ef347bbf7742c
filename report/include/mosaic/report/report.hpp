/// The HTML pages of jobs and rankings. A page is one file (style, script and numbers inline;
/// nothing is fetched), fluid up to 100,000 networks. C++ gathers what it shows as JSON; the
/// scripts in report/ draw it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"

namespace mosaic::report {

/// The page of a job: what the job is, the measured Pareto front among all its networks,
/// hypervolume over evaluations, predictions against measurements, training curves, the log of
/// timings. A part for which the job has no data says so. `remarks`: what a reader of the front
/// must know, shown at the top.
std::string job_page(const db::Reader& database, const db::Job& job,
                     const std::vector<std::string>& remarks = {});

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_job_page(const db::Reader& database, const db::Job& job,
                    const std::vector<std::string>& remarks, const std::string& path);

/// Where the page of a job is written by default: DATABASE-JOB.html beside the database (without
/// its extension), so that jobs and databases do not replace each other's.
std::string job_page_path(const std::string& job, const std::string& db);

/// The page of a ranking, from what `mosaic rank --json` prints: the statistics of each score with
/// their intervals, truth against score for each, and the numbers of all networks.
std::string rank_page(const nlohmann::json& ranking);

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_rank_page(const nlohmann::json& ranking, const std::string& path);

}  // namespace mosaic::report
