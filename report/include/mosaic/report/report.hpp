/// The HTML pages of jobs and rankings, fluid up to 100,000 networks. C++ gathers what a page shows
/// as JSON; the scripts in report/ draw it. A page that is written to a file has all of it inside
/// (style, scripts and numbers; nothing is fetched). The live pages of a server hold no numbers:
/// they ask for job_news() again and again, and are drawn by the same scripts.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"

namespace mosaic::report {

/// What the page of a job shows: all that there is, or what is new after the `cursor` of an earlier
/// answer (`since`). Rows as the database has them, column by column; `whole` says that what was
/// known before is to be forgotten. UsageError for a text that is no cursor. All of one state of
/// the database; hold a db::Snapshot where `job` and `remarks` are to be of the same.
nlohmann::json job_news(const db::Reader& database, const db::Job& job,
                        const std::vector<std::string>& remarks, const std::string& since = {});

/// What the list of jobs shows.
nlohmann::json jobs_news(const db::Reader& database, const std::vector<db::Job>& jobs);

/// The page of a job: the measured Pareto front among all its networks, hypervolume over
/// evaluations, predictions against measurements, training curves, the log of timings, what the job
/// is. A part for which the job has no data says so. `remarks`: what a reader of the front
/// must know, shown at the top.
std::string job_page(const db::Reader& database, const db::Job& job,
                     const std::vector<std::string>& remarks = {});

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_job_page(const db::Reader& database, const db::Job& job,
                    const std::vector<std::string>& remarks, const std::string& path);

/// Pages that fetch their scripts (live_files()) and their numbers:
/// "/job.json?name=JOB&since=CURSOR" and "/jobs.json".
std::string live_job_page(const std::string& job);
std::string live_jobs_page(const std::string& database);

/// Style and scripts of the live pages: text by name ("plot.js").
const std::map<std::string, std::string, std::less<>>& live_files();

/// Where the page of a job is written by default: DATABASE-JOB.html beside the database (without
/// its extension), so that jobs and databases do not replace each other's.
std::string job_page_path(const std::string& job, const std::string& db);

/// The page of a ranking, from what `mosaic rank --json` prints: the statistics of each score with
/// their intervals, truth against score for each, and the numbers of all networks.
std::string rank_page(const nlohmann::json& ranking);

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_rank_page(const nlohmann::json& ranking, const std::string& path);

}  // namespace mosaic::report
