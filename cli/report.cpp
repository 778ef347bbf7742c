// mosaic report: the page of a job.
#include <iostream>

#include "command.hpp"
#include "job_output.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/report/report.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    std::string out;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  app.add_option("--out", options->out,
                 "file to write (default: DATABASE-JOB.html beside the database)");
  app.callback([options] {
    const db::Reader reader(options->database.db);
    const db::Snapshot snapshot(reader);
    const auto job =
        jobs::as_it_stands(reader, jobs::named_job(reader, options->database.job_name()));
    const auto out =
        options->out.empty() ? report::job_page_path(job.name, options->database.db) : options->out;
    write_page(reader, job, out);
    if (out != "-") std::cout << "written to " << out << "\n";
  });
}

const core::Registered kEntry{commands(), "report", "one self-contained HTML page about a job",
                              setup};

}  // namespace
}  // namespace mosaic::cli
