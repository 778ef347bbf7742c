// mosaic front: the Pareto front of a job.
#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/selection.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

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

void setup(App& app) {
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
  auto at_option =
      app.add_option("--at", options->at, "the front as it was after so many evaluations")
          ->check(count());
  auto generation_option =
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
    const db::Job job = jobs::named_job(reader, options->database.job_name());
    auto at = options->at > 0 ? std::optional(options->at) : std::nullopt;
    if (options->generation > 0) at = evaluations_at(reader, job, options->generation);
    const auto networks = options->all ? reader.networks(job.id) : reader.front(job, at);
    if (networks.empty()) throw jobs::empty_front(reader, job);
    print_networks(networks, job, options->output, options->wide);
    if (!at) jobs::comment_on(reader, job, networks);
  });
}

const core::Registered kEntry{commands(), "front", "the Pareto front of a job",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
