// mosaic run: a whole job.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  jobs::RunOptions job;
  std::string report;
};

void setup(App& app) {
  auto options = std::make_shared<Options>();
  add_job_options(app, options->job);
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "Trains the supernet, measures latencies and fits their predictor, searches, re-measures the "
      "front,\n"
      "prints it and writes the report. Ctrl-C stops it cleanly; 'mosaic resume' goes on.");
  app.callback([options] {
    show(jobs::run_job(options->job, jobs::Goal::run), options->job.db, options->report);
  });
}

const core::Registered kEntry{commands(), "run",
                              "the whole job: train, measure, search, re-measure, report", setup};

}  // namespace
}  // namespace mosaic::cli
