// `mosaic decisions`: which decisions matter for a metric.
#include <algorithm>
#include <cmath>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/effects.hpp"
#include "mosaic/jobs/job_space.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void add_row(db::Table& table, const jobs::DecisionEffect& decision,
             const jobs::OptionEffect& option, bool inactive) {
  const auto bound = [&](double sign) {
    return option.half_width ? number_cell(option.mean + sign * *option.half_width) : null_cell();
  };
  table.rows.push_back(
      {text_cell(decision.decision),
       decision.explained && !inactive ? number_cell(*decision.explained) : null_cell(),
       text_cell(option.option), count_cell(option.networks), number_cell(option.mean), bound(-1),
       bound(1)});
}

void run(const DatabaseOptions& database, const std::string& given, const OutputOptions& output) {
  const db::Reader reader(database.db);
  const auto job = jobs::named_job(reader, database.job_name());
  if (given.empty() && job.objectives.empty())
    throw core::UsageError("job '" + job.name + "' has no objective", "name a metric: --metric");
  const auto metric = given.empty() ? job.objectives.front().metric : given;
  const auto values = reader.values(job.id, {metric});
  const auto networks = reader.measured_networks(job.id);
  const auto space = jobs::space_of_job(job);
  jobs::Effects effects(space.genes());
  std::optional<std::int64_t> counted;
  for (std::size_t i = 0; i < std::min(networks.size(), values.columns[0].size()); ++i) {
    if (std::isnan(values.columns[0][i])) continue;
    core::check_interrupt();
    const auto genotype = space.parse(networks[i].arch);
    effects.add(genotype, space.active_genes(genotype), values.columns[0][i]);
    counted = networks[i].architecture;
  }
  if (!counted)
    throw core::UsageError("job '" + job.name + "' has no good measurement of '" + metric + "'",
                           "measured: " + core::join(reader.metrics(job.id)));
  const auto suspects = reader.suspects(job.id);
  const auto slow = std::count_if(suspects.begin(), suspects.end(), [&](const auto& suspect) {
    return suspect.measurement.metric == metric;
  });
  if (slow > 0)
    core::log_warning(std::to_string(slow) +
                      " of these were timed while the device was slow, and are too long: mosaic "
                      "remeasure measures them again");
  db::Table table;
  table.columns = {"decision", "explained", "option", "networks", "mean", "low", "high"};
  if (!output.json && !output.csv) {
    const auto unit = reader.networks(job.id, {*counted}).at(0).metrics.at(metric).unit;
    table.columns[4] += " " + metric + (unit.empty() ? "" : " (" + unit + ")");
  }
  for (const auto& decision : effects.decisions()) {
    for (const auto& option : decision.options) add_row(table, decision, option, false);
    if (decision.inactive) add_row(table, decision, *decision.inactive, true);
  }
  print_table(table, output);
}

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    OutputOptions output;
    std::string metric;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  app.add_option("--metric", options->metric, "a measured metric (default: first objective)");
  app.footer(
      "For each option of each decision: in how many measured networks it was chosen, their mean, "
      "and\n"
      "its 95% interval (Student's t). explained is the share of the metric's variance that a "
      "decision\n"
      "explains by itself (one-way eta squared, adjusted for its degrees of freedom), the largest "
      "first.\n"
      "Only networks in which a decision has an effect count; the others are its line (inactive). "
      "A\n"
      "search looks where networks are good, so these are averages over what it saw, not over the "
      "space.\n"
      "An interval needs three networks. Example: mosaic decisions --job fashion-front --metric "
      "accuracy");
  app.callback([options] { run(options->database, options->metric, options->output); });
}

const core::Registered kDecisions{commands(), "decisions", "which decisions matter for a metric",
                                  setup};

}  // namespace
}  // namespace mosaic::cli
