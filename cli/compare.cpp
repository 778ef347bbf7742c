// `mosaic compare`: jobs with the same objectives side by side.
#include <cmath>

#include "command.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/analysis.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

db::Table::Cell cell(double value) { return std::isnan(value) ? null_cell() : number_cell(value); }
db::Table table_of(const db::Comparison& comparison) {
  db::Table table;
  table.columns = {"job", "evaluations", "front", "hypervolume_share", "held", "of"};
  for (const auto& objective : comparison.objectives)
    table.columns.push_back("best_" + objective.metric);
  for (const auto& job : comparison.jobs) table.columns.push_back("covers " + job.job);
  for (const auto& job : comparison.jobs) {
    std::vector<db::Table::Cell> row{text_cell(job.job),         count_cell(job.evaluations),
                                     count_cell(job.front_size), cell(job.share),
                                     count_cell(job.held),       count_cell(comparison.union_size)};
    for (const double best : job.best) row.push_back(cell(best));
    for (std::size_t k = 0; k < job.covers.size(); ++k)
      row.push_back(comparison.jobs[k].job == job.job ? null_cell() : cell(job.covers[k]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

void setup(App& app) {
  struct Options {
    std::string db = "results.db";
    std::vector<std::string> jobs;
    std::int64_t at = 0;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--job,JOB", options->jobs, "names of jobs with the same objectives")
      ->required()
      ->expected(2, 1000);
  app.add_option("--db", options->db, "results database")->capture_default_str();
  app.add_option("--at", options->at, "each job as it was after so many evaluations")
      ->check(count());
  add_output_options(app, options->output);
  app.footer(
      "Objectives are scaled by ideal and nadir of the front of all jobs together, and the "
      "reference\n"
      "point is 1.1 in each. hypervolume_share is a job's hypervolume as a share of that front's; "
      "held\n"
      "counts the points of that front that the job has; \"covers X\" is the share of X's front "
      "that some\n"
      "network of the job is at least as good as. Example: mosaic compare first second --at 100");
  app.callback([options] {
    const db::Reader reader(options->db);
    const auto jobs = core::mapped(options->jobs, [&](const auto& job) { return reader.job(job); });
    const auto at = options->at > 0 ? std::optional(options->at) : std::nullopt;
    const auto comparison = db::compare(reader, jobs, at);
    std::int64_t least = comparison.jobs.front().evaluations;
    std::int64_t most = least;
    for (const auto& job : comparison.jobs) {
      least = std::min(least, job.evaluations);
      most = std::max(most, job.evaluations);
    }
    if (least != most)
      core::log_warning("the jobs have between " + std::to_string(least) + " and " +
                        std::to_string(most) + " evaluations: --at " + std::to_string(least) +
                        " compares them at equal numbers");
    print_table(table_of(comparison), options->output);
  });
}

const core::Registered kCompare{commands(), "compare",
                                "jobs with the same objectives, side by side", setup};

}  // namespace
}  // namespace mosaic::cli
