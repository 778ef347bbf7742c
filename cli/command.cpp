#include "command.hpp"

namespace mosaic::cli {

core::Registry<CommandSetup>& commands() {
  static core::Registry<CommandSetup> registry("command");
  return registry;
}

void add_database_options(App& app, DatabaseOptions& options) {
  app.add_option("--db", options.db, "results database")->capture_default_str();
  app.add_option("--job", options.job, "name of the job (default: the only one, or the latest)");
}

void add_output_options(App& app, OutputOptions& options) {
  auto json = app.add_flag("--json", options.json, "print JSON");
  app.add_flag("--csv", options.csv, "print CSV")->excludes(json);
}

}  // namespace mosaic::cli
