// `mosaic best`: the best measured networks under bounds.
#include "command.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "numbers.hpp"
#include "output.hpp"
#include "selection.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  DatabaseOptions database;
  OutputOptions output;
  jobs::Selection selection;
  bool wide = false;
};

void run(const Options& options) {
  const db::Reader reader(options.database.db);
  const auto job = jobs::named_job(reader, options.database.job_name());
  print_networks(jobs::choose(reader, job, options.selection), job, options.output, options.wide);
}

void setup(App& app) {
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  add_selection_options(app, options->selection);
  app.add_option("--count", options->selection.count, "so many networks, best first")
      ->capture_default_str()
      ->check(count());
  app.add_flag("--wide", options->wide, "print the architectures too");
  app.footer(
      "Only measured values count. Constraints of the job hold as well, but for metrics that a "
      "bound is\n"
      "given for. Of equal networks the one that is better in the other objectives comes first.\n"
      "Status 1 where no network keeps the bounds. Example: mosaic best --max latency_ms=5 --min "
      "accuracy=90 --count 5");
  app.callback([options] { run(*options); });
}

const core::Registered kBest{commands(), "best", "the best measured networks under bounds", setup};

}  // namespace
}  // namespace mosaic::cli
