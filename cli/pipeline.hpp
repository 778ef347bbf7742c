/// Jobs from file to front: what run, train, measure, search and resume share. Free of torch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"
#include "selection.hpp"

namespace mosaic::cli {

/// How far a command takes a job.
enum class Goal { train, measure, search, run };

struct RunOptions {
  std::string job_file;
  std::string db = "results.db";
  std::string report;  ///< where `run` writes its page; empty: report.html beside the database
};

/// Takes a job as far as `goal`. A new name begins a job; for run an old one is an error that says
/// how to go on, for the single steps a job goes on from where it is, if the job file is the same.
void run_job(const RunOptions& options, Goal goal);

/// Goes on with an unfinished job as its database knows it.
void resume_job(const std::string& db, const std::optional<std::string>& name,
                const std::string& report);

/// Measures again, for the same job on the same device, what was taken while the device was slow.
void remeasure_job(const std::string& db, const std::optional<std::string>& name);

/// What `mosaic measure JOB --archs FILE --out CSV` does: latencies of given networks, to a CSV of
/// arch, latency_ms, standard_error, note, reference_ms (what the reference network took then).
/// Rows are written as soon as they are final. `resume`: rows that `out` has stay, and are not
/// measured again.
void measure_list(const RunOptions& options, const std::string& archs, const std::string& out,
                  bool resume = false);

struct ExtractOptions {
  std::string db = "results.db";
  std::optional<std::string> job;
  Selection selection;
  std::string arch;  ///< text or hash of one network, instead of a selection
  std::string path;  ///< of the data, where it lies elsewhere than when the job began
  std::string out;
};
void extract_subnet(const ExtractOptions& options);

}  // namespace mosaic::cli
