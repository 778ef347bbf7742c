/// What the subcommands that work on a job share: run, train, measure, search, resume, remeasure.
#pragma once

#include <string>

#include "command.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/plan.hpp"

namespace mosaic::cli {

/// JOB and --db.
void add_job_options(App& app, jobs::RunOptions& options);

/// Prints what a job would do and cost.
void show_plan(const std::vector<jobs::PlanLine>& plan);

/// Prints the front of a job as it stands in its database, with remarks on it. Throws core::Error
/// where there is none.
void show_front(const db::Job& job, const std::string& db);

/// Writes the page of a job, with remarks on its front.
void write_page(const db::Reader& reader, const db::Job& job, const std::string& path);

/// What is shown at the end of a command: the front where one was found. After a whole job its
/// report is written as well, to `report` or where reports go by default.
void show(const jobs::JobRun& run, const std::string& db, const std::string& report = {});

}  // namespace mosaic::cli
