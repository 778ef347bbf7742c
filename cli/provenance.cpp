// `mosaic provenance`: every number of a network and where it comes from.
#include <algorithm>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

/// What fits a terminal; --csv, --json and --wide have them all.
const std::vector<std::string> kNarrow = {"metric",  "value", "predicted", "unit",    "how",
                                          "device",  "seed",  "job",       "version", "revision",
                                          "created", "id",    "taken_from"};

db::Table narrowed(const db::Table& table) {
  db::Table result;
  result.columns = kNarrow;
  result.rows.resize(table.rows.size());
  for (const auto& name : kNarrow) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), name);
    const auto column = static_cast<std::size_t>(found - table.columns.begin());
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      result.rows[i].push_back(table.rows[i].at(column));
  }
  return result;
}

void setup(App& app) {
  struct Options {
    std::string db = "results.db";
    std::string job;
    std::string network;
    bool wide = false;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  app.add_option("ARCH", options->network, "architecture or hash of a network")->required();
  app.add_option("--db", options->db, "results database")->capture_default_str();
  app.add_option("--job,JOB", options->job, "only numbers of this job (default: of every job)");
  app.add_flag("--wide", options->wide, "print every column (as --csv and --json do)");
  add_output_options(app, options->output);
  app.footer(
      "Every measurement, then every prediction, with what made it: fidelity or predictor, device "
      "and\nseed, job and its config, version and revision of the process that wrote it, checksum "
      "of its\n"
      "data. taken_from is the id of another job's measurement that was reused, not made again.\n"
      "Example: mosaic provenance 0123456789abcdef --db results.db --json");
  app.callback([options] {
    const db::Reader reader(options->db);
    const auto job =
        options->job.empty() ? std::nullopt : std::optional(reader.job(options->job).id);
    const auto table = reader.provenance(options->network, job);
    if (table.rows.empty())
      throw core::UsageError(
          options->db + " holds no number of a network '" + options->network + "'",
          "give the text form or the hash of a network, as `mosaic front --wide` prints them");
    const bool all = options->wide || options->output.csv || options->output.json;
    print_table(all ? table : narrowed(table), options->output);
  });
}

const core::Registered kProvenance{commands(), "provenance",
                                   "every number of a network and where it comes from", setup};

}  // namespace
}  // namespace mosaic::cli
