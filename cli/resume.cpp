// mosaic resume: goes on with a job.
#include "command.hpp"
#include "job_output.hpp"
#include "rank.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    std::string report;
    std::vector<std::string> set;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_set_option(app, options->set);
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "The job goes on as it began, whatever happened to its job file: same settings, seed, "
      "threads and device.\n"
      "Nothing that was measured is measured again. Limits of the search may be raised, also of a "
      "job that\n"
      "is finished: mosaic resume --set search.evaluations=400 ends as a run of 400 would have "
      "ended.");
  app.callback([options] {
    const auto& [database, report, set] = *options;
    const auto run = jobs::resume_job(database.db, database.job_name(), set);
    if (run.ranking)
      show_ranking(*run.ranking, database.db, report, false);
    else
      show(run, database.db, report);
  });
}

const core::Registered kEntry{commands(), "resume", "go on where a stopped or killed job stood",
                              setup};

}  // namespace
}  // namespace mosaic::cli
