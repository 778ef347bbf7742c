// The subcommands that work on a job: run, train, measure, search, resume.
#include <CLI/CLI.hpp>

#include "command.hpp"
#include "pipeline.hpp"

namespace mosaic::cli {
namespace {

void job_options(CLI::App& app, RunOptions& options) {
  app.add_option("JOB", options.job_file,
                 "job file (TOML); examples/ has some with every key explained")
      ->required();
  app.add_option("--db", options.db, "results database; made where it does not exist")
      ->capture_default_str();
}

void setup_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  job_options(app, *options);
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "Trains the supernet, measures latencies and fits their predictor, searches, re-measures the "
      "front,\n"
      "prints it and writes the report. Ctrl-C stops it cleanly; 'mosaic resume' goes on.");
  app.callback([options] { run_job(*options, Goal::run); });
}

void setup_train(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  job_options(app, *options);
  app.callback([options] { run_job(*options, Goal::train); });
}

void setup_search(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  job_options(app, *options);
  app.footer("Trains first, if the job has a supernet that is not trained yet.");
  app.callback([options] { run_job(*options, Goal::search); });
}

void setup_measure(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  auto lists = std::make_shared<std::pair<std::string, std::string>>();
  job_options(app, *options);
  auto* archs = app.add_option("--archs", lists->first,
                               "file with an architecture a line: measure just these");
  auto* out =
      app.add_option("--out", lists->second,
                     "CSV file for --archs: arch, latency_ms, standard_error, note, reference_ms");
  auto resume = std::make_shared<bool>(false);
  app.add_flag("--resume", *resume, "keep the rows that --out has and measure the others")
      ->needs(out);
  archs->needs(out);
  out->needs(archs);
  app.footer(
      "Without --archs it measures the job's latency samples into the database and fits the "
      "predictor.");
  app.callback([options, lists, resume] {
    if (lists->first.empty())
      run_job(*options, Goal::measure);
    else
      measure_list(*options, lists->first, lists->second, *resume);
  });
}

void setup_resume(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  auto name = std::make_shared<std::string>();
  app.add_option("JOB", *name, "name of the job (default: the only one, or the latest)");
  app.add_option("--db", options->db, "results database of the job")->capture_default_str();
  app.add_option("--report", options->report,
                 "HTML page to write at the end (default: DATABASE-JOB.html beside the database)");
  app.footer(
      "The job goes on as it began, whatever happened to its job file: same settings, seed, "
      "threads and device.\n"
      "Nothing that was measured is measured again.");
  app.callback([options, name] {
    resume_job(options->db, name->empty() ? std::nullopt : std::optional(*name), options->report);
  });
}

void setup_remeasure(CLI::App& app) {
  auto options = std::make_shared<DatabaseOptions>();
  app.add_option("JOB", options->job, "name of the job (default: the only one, or the latest)");
  app.add_option("--db", options->db, "results database of the job")->capture_default_str();
  app.footer(
      "Timings that were taken while the device was slower than at its best are marked so when "
      "they "
      "are\n"
      "stored. This measures just those again, on the device of the job, and prints the front as "
      "it "
      "is then.");
  app.callback([options] { remeasure_job(options->db, options->job_name()); });
}

const core::Registered kRemeasure{commands(), "remeasure",
                                  "measure again what was timed while the device was slow",
                                  CommandSetup(setup_remeasure)};
const core::Registered kRun{commands(), "run",
                            "the whole job: train, measure, search, re-measure, report",
                            CommandSetup(setup_run)};
const core::Registered kTrain{commands(), "train", "train the supernet of a job",
                              CommandSetup(setup_train)};
const core::Registered kMeasure{commands(), "measure", "measure latencies on this device",
                                CommandSetup(setup_measure)};
const core::Registered kSearch{commands(), "search",
                               "search of a job, with a trained supernet or none",
                               CommandSetup(setup_search)};
const core::Registered kResume{commands(), "resume", "go on where a stopped or killed job stood",
                               CommandSetup(setup_resume)};

}  // namespace
}  // namespace mosaic::cli
