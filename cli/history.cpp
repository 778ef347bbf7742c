// `mosaic history`: hypervolume by generation.
#include "command.hpp"
#include "mosaic/db/analysis.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  app.footer(
      "hypervolume and front are what the search saw: predictions stand in for measurements, and "
      "the\n"
      "first generation sets the units; the reference is 0.1 beyond the worst of it and of every "
      "front.\nmeasured_hypervolume is of the measured, feasible front "
      "after\n"
      "so many evaluations, scaled by ideal and nadir of the job's front today, reference (1.1, "
      "...).\n"
      "Example: mosaic history --db results.db --job fashion-front --csv");
  app.callback([options] {
    const db::Reader reader(options->database.db);
    const auto job = jobs::named_job(reader, options->database.job_name());
    db::Table table;
    table.columns = {"generation", "evaluations",    "hypervolume",
                     "front",      "measured_front", "measured_hypervolume"};
    for (const auto& row : db::history(reader, job))
      table.rows.push_back({count_cell(row.generation), count_cell(row.evaluations),
                            number_cell(row.hypervolume), count_cell(row.front_size),
                            count_cell(row.measured_front_size),
                            number_cell(row.measured_hypervolume)});
    print_table(table, options->output);
  });
}

const core::Registered kHistory{commands(), "history", "hypervolume of a job by generation", setup};

}  // namespace
}  // namespace mosaic::cli
