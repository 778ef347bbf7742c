// mosaic run: a whole job.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  jobs::RunOptions job;
  std::string report;
  bool dry = false;
};

void setup(App& app) {
  auto options = std::make_shared<Options>();
  add_job_options(app, options->job);
  app.add_flag("--dry-run", options->dry,
               "check the job and say what it will do and cost; nothing is written");
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "Trains the supernet, measures latencies and fits their predictor, searches, re-measures the "
      "front,\n"
      "prints it and writes the report. Ctrl-C stops it cleanly; the same command, or 'mosaic "
      "resume', goes on.\n"
      "Example: mosaic run job.toml --set search.evaluations=400 --set "
      "objective.latency_ms.samples=60");
  app.callback([options] {
    if (options->dry) return show_plan(jobs::plan_job(options->job));
    show(jobs::run_job(options->job, jobs::Goal::run), options->job.db, options->report);
  });
}

const core::Registered kEntry{commands(), "run",
                              "the whole job: train, measure, search, re-measure, report", setup};

}  // namespace
}  // namespace mosaic::cli
