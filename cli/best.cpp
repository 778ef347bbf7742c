// `mosaic best`: the best measured networks under bounds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  DatabaseOptions database;
  OutputOptions output;
  std::vector<std::string> max;
  std::vector<std::string> min;
  std::string metric;
  std::string goal;
  std::size_t count = 1;
  bool wide = false;
};

db::Constraint parse(const std::string& text, bool upper) {
  const auto equals = text.find('=');
  double bound = 0;
  const char* begin = text.c_str() + (equals == std::string::npos ? text.size() : equals + 1);
  const char* end = text.c_str() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, bound);
  if (equals == 0 || begin == end || rest != end || error != std::errc() || !std::isfinite(bound))
    throw core::UsageError("'" + text + "' is no bound",
                           "write metric=number, such as latency_ms=2");
  return {text.substr(0, equals), upper, bound};
}

/// The bounds given, and the job's own on metrics that none was given for.
std::vector<db::Constraint> bounds_of(const Options& options, const db::Job& job) {
  std::vector<db::Constraint> bounds;
  for (const auto& text : options.max) bounds.push_back(parse(text, true));
  for (const auto& text : options.min) bounds.push_back(parse(text, false));
  const auto given = bounds;
  for (const auto& constraint : job.constraints)
    if (std::none_of(given.begin(), given.end(),
                     [&](const auto& bound) { return bound.metric == constraint.metric; }))
      bounds.push_back(constraint);
  return bounds;
}

bool maximises(const Options& options, const db::Job& job, const std::string& metric) {
  if (!options.goal.empty()) return options.goal == "max";
  for (const auto& objective : job.objectives)
    if (objective.metric == metric) return objective.maximise;
  throw core::UsageError(
      "'" + metric + "' is no objective of job '" + job.name + "', so which values are good?",
      "add --goal max or --goal min");
}

void run(const Options& options) {
  const db::Reader reader(options.database.db);
  const auto job = reader.job(options.database.job_name());
  if (options.metric.empty() && job.objectives.empty())
    throw core::UsageError("job '" + job.name + "' has no objective", "say what is best: --best");
  const auto metric = options.metric.empty() ? job.objectives.front().metric : options.metric;
  const auto networks = reader.best(
      job, {metric, maximises(options, job, metric), bounds_of(options, job), options.count});
  print_networks(networks, job, options.output, options.wide);
}

void setup(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  app.add_option("--max", options->max,
                 "upper bound of a measured metric, such as latency_ms=2; may be repeated");
  app.add_option("--min", options->min,
                 "lower bound of a measured metric, such as accuracy=90; may be repeated");
  app.add_option("--best", options->metric,
                 "metric to optimise within the bounds (default: first objective)");
  app.add_option("--goal", options->goal, "max or min, for a metric that is no objective")
      ->check(CLI::IsMember({"max", "min"}));
  app.add_option("--count", options->count, "so many networks, best first")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--wide", options->wide, "print the architectures too");
  app.footer(
      "Only measured values count. Constraints of the job hold as well, but for metrics that a "
      "bound is\n"
      "given for. Example: mosaic best --max latency_ms=5 --min accuracy=90 --best accuracy "
      "--count 5");
  app.callback([options] { run(*options); });
}

const core::Registered kBest{commands(), "best", "the best measured networks under bounds",
                             CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
