#include "command.hpp"

#include "mosaic/core/error.hpp"

namespace mosaic::cli {

core::Registry<CommandSetup>& commands() {
  static core::Registry<CommandSetup> registry("command");
  return registry;
}

void add_database_options(App& app, DatabaseOptions& options) {
  app.add_option("--db", options.db, "results database")->capture_default_str();
  app.add_option("--job,JOB", options.job,
                 "name of the job (default: the only one, or the latest)");
}

void add_set_option(App& app, std::vector<std::string>& set) {
  app.add_option("--set", set,
                 "KEY=VALUE instead of the job file's, such as search.evaluations=400 or "
                 "objective.latency_ms.samples=60; may be repeated")
      ->one_at_a_time();
}

std::map<std::string, std::string> options_of(const std::vector<std::string>& set) {
  std::map<std::string, std::string> result;
  for (const auto& text : set) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw core::UsageError("'" + text + "' is no option of a space", "write --set key=value");
    result[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return result;
}

void add_output_options(App& app, OutputOptions& options) {
  auto json = app.add_flag("--json", options.json, "print JSON");
  app.add_flag("--csv", options.csv, "print CSV")->excludes(json);
}

}  // namespace mosaic::cli
