// mosaic jobs: the jobs of a database.
#include "command.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto db = std::make_shared<std::string>("results.db");
  auto output = std::make_shared<OutputOptions>();
  app.add_option("--db", *db, "results database")->capture_default_str();
  add_output_options(app, *output);
  app.callback([db, output] {
    const db::Reader reader(*db);
    db::Table table;
    table.columns = {"job",         "status", "phase",   "space",  "task",
                     "evaluations", "device", "created", "message"};
    for (const auto& recorded : reader.jobs()) {
      const auto job = jobs::as_it_stands(reader, recorded);
      table.rows.push_back(
          {text_cell(job.name), text_cell(job.status), text_cell(job.phase), text_cell(job.space),
           text_cell(job.task),
           number_cell(static_cast<double>(reader.evaluation_count(job.id)), "%.0f"),
           text_cell(job.device), text_cell(job.created), text_cell(job.message)});
    }
    print_table(table, *output);
  });
}

const core::Registered kEntry{commands(), "jobs", "list the jobs of a database",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
