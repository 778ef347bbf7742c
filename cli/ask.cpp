// The subcommands that ask the database: jobs, front, query, report.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "command.hpp"
#include "job_state.hpp"
#include "mosaic/core/error.hpp"
#include "numbers.hpp"
#include "output.hpp"
#include "report.hpp"
#include "selection.hpp"

namespace mosaic::cli {
namespace {

void setup_jobs(CLI::App& app) {
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
      const auto job = as_it_stands(reader, recorded);
      table.rows.push_back(
          {text_cell(job.name), text_cell(job.status), text_cell(job.phase), text_cell(job.space),
           text_cell(job.task),
           number_cell(static_cast<double>(reader.evaluation_count(job.id)), "%.0f"),
           text_cell(job.device), text_cell(job.created), text_cell(job.message)});
    }
    print_table(table, *output);
  });
}

/// Evaluations that a job had done at the end of a generation.
std::int64_t evaluations_at(const db::Reader& reader, const db::Job& job, std::int64_t number) {
  const auto generations = reader.generations(job.id);
  for (const auto& generation : generations)
    if (generation.number == number) return generation.evaluations;
  throw core::UsageError("job '" + job.name + "' has no generation " + std::to_string(number),
                         generations.empty()
                             ? "none is finished yet"
                             : "it has generations " + std::to_string(generations.front().number) +
                                   " to " + std::to_string(generations.back().number));
}

void setup_front(CLI::App& app) {
  struct Options {
    DatabaseOptions database;
    OutputOptions output;
    std::int64_t at = 0;
    std::int64_t generation = 0;
    bool wide = false;
    bool all = false;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  auto* at_option =
      app.add_option("--at", options->at, "the front as it was after so many evaluations")
          ->check(count());
  auto* generation_option =
      app.add_option("--generation", options->generation, "the front as it was after a generation")
          ->check(count())
          ->excludes(at_option);
  app.add_flag("--wide", options->wide, "print the architectures too");
  app.add_flag("--all", options->all, "every network of the job, not only the front")
      ->excludes(at_option)
      ->excludes(generation_option);
  app.footer(
      "The front holds the networks for which every objective was measured, that keep the job's\n"
      "constraints, and that no other such network beats; of equal ones it shows the first. "
      "Predicted and measured values stand side "
      "by\n"
      "side. What it does not show (failed candidates, suspect timings, a job that is not done) is "
      "said on\n"
      "standard error; status 1 where there is no front. Example: mosaic front --job fashion-front "
      "--at 100 --json");
  app.callback([options] {
    const db::Reader reader(options->database.db);
    const db::Job job = reader.job(options->database.job_name());
    auto at = options->at > 0 ? std::optional(options->at) : std::nullopt;
    if (options->generation > 0) at = evaluations_at(reader, job, options->generation);
    const auto networks = options->all ? reader.networks(job.id) : reader.front(job, at);
    if (networks.empty()) throw empty_front(reader, job);
    print_networks(networks, job, options->output, options->wide);
    if (!at) comment_on(reader, job, networks);
  });
}

void setup_query(CLI::App& app) {
  struct Options {
    std::string db = "results.db";
    std::string sql;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--db", options->db, "results database")->capture_default_str();
  app.add_option("--sql,SQL", options->sql,
                 "one SELECT; docs/database.md describes tables and views")
      ->required();
  add_output_options(app, options->output);
  app.footer(
      "Example: mosaic query --db results.db \"SELECT * FROM results ORDER BY accuracy DESC LIMIT "
      "5\"\n"
      "Read-only: whatever would change the file is refused.");
  app.callback(
      [options] { print_table(db::Reader(options->db).query(options->sql), options->output); });
}

void setup_report(CLI::App& app) {
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
    const auto job = as_it_stands(reader, reader.job(options->database.job_name()));
    const auto out =
        options->out.empty() ? default_report(job.name, options->database.db) : options->out;
    write_report(reader, job, out);
    if (out != "-") std::cout << "written to " << out << "\n";
  });
}

const core::Registered kJobs{commands(), "jobs", "list the jobs of a database",
                             CommandSetup(setup_jobs)};
const core::Registered kFront{commands(), "front", "the Pareto front of a job",
                              CommandSetup(setup_front)};
const core::Registered kQuery{commands(), "query", "ask the database in SQL",
                              CommandSetup(setup_query)};
const core::Registered kReport{commands(), "report", "one self-contained HTML page about a job",
                               CommandSetup(setup_report)};

}  // namespace
}  // namespace mosaic::cli
