// mosaic resume: goes on with a job.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    std::string report;
  };
  auto options = std::make_shared<Options>();
  app.add_option("JOB", options->database.job,
                 "name of the job (default: the only one, or the latest)");
  app.add_option("--db", options->database.db, "results database of the job")
      ->capture_default_str();
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "The job goes on as it began, whatever happened to its job file: same settings, seed, "
      "threads and device.\n"
      "Nothing that was measured is measured again.");
  app.callback([options] {
    const auto& [database, report] = *options;
    show(jobs::resume_job(database.db, database.job_name()), database.db, report);
  });
}

const core::Registered kEntry{commands(), "resume", "go on where a stopped or killed job stood",
                              setup};

}  // namespace
}  // namespace mosaic::cli
