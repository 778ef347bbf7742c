/// Jobs from file to front: train, measure, search, and going on where a job stood. Nothing is
/// printed but through the log and the progress of core. Free of torch.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::jobs {

/// How far a command takes a job.
enum class Goal { train, measure, search, run };

struct RunOptions {
  std::string job_file;
  std::string db = "results.db";
  std::vector<std::string> set = {};  ///< "KEY=VALUE" over the job file's
};

/// How a job stands after a call.
struct JobRun {
  db::Job job;
  Goal goal = Goal::run;                                ///< as far as the job is to go
  bool found_front = false;                             ///< its search ended in this call
  std::shared_ptr<const RankResult> ranking = nullptr;  ///< of a ranking that ended in this call
};

/// Takes a job as far as `goal`. A new name begins a job; one that has begun goes on from where it
/// is, if the job file is the same or allows its search more than before.
JobRun run_job(const RunOptions& options, Goal goal);

/// Goes on with an unfinished job as its database knows it, but for limits of its search that `set`
/// raises: then one that is finished goes on as well.
JobRun resume_job(const std::string& db, const std::optional<std::string>& name,
                  const std::vector<std::string>& set = {});

struct Remeasured {
  db::Job job;
  std::size_t suspects = 0;  ///< timings that were taken while the device was slow
  std::size_t left = 0;      ///< so many were taken again, and the device was slow again
};
/// Measures again, for the same job on the same device, what was taken while the device was slow.
Remeasured remeasure_job(const std::string& db, const std::optional<std::string>& name);

/// What `mosaic measure JOB --archs FILE --out CSV` does: latencies of given networks, to a CSV of
/// arch, latency_ms, standard_error, note, reference_ms (what the reference network took then).
/// Rows are written as soon as they are final. `resume`: rows that `out` has stay, and are not
/// measured again.
void measure_list(const RunOptions& options, const std::string& archs, const std::string& out,
                  bool resume = false);

}  // namespace mosaic::jobs
