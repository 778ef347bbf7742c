// `mosaic provenance`: every number of a network and where it comes from.
#include <cmath>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

using Cell = db::Table::Cell;

Cell exact(double value) {
  return std::isnan(value) ? null_cell() : Cell{db::Table::Type::real, core::format_double(value)};
}
Cell whole(std::int64_t value) { return {db::Table::Type::integer, std::to_string(value)}; }

/// Predicted and measured values have columns of their own.
std::vector<Cell> row_of(const db::Origin& origin) {
  const auto& m = origin.measurement;
  const bool predicted = origin.predicted;
  return {text_cell(m.metric),
          predicted ? null_cell() : exact(m.value),
          predicted ? null_cell() : exact(m.standard_error),
          predicted ? exact(m.value) : null_cell(),
          predicted ? exact(m.standard_error) : null_cell(),
          text_cell(m.unit),
          text_cell(m.fidelity),
          text_cell(predicted                      ? ""
                    : m.status == core::Status::ok ? "ok"
                                                   : "failed"),
          text_cell(m.message),
          text_cell(m.device),
          predicted ? null_cell() : text_cell(std::to_string(m.seed)),
          text_cell(origin.job),
          text_cell(origin.version),
          text_cell(origin.revision),
          text_cell(origin.libraries),
          whole(origin.threads),
          text_cell(origin.data_checksum),
          text_cell(origin.space),
          text_cell(origin.task),
          text_cell(std::to_string(origin.job_seed)),
          text_cell(origin.config_hash),
          text_cell(origin.created),
          origin.session ? whole(*origin.session) : null_cell(),
          whole(origin.id),
          origin.taken_from ? whole(*origin.taken_from) : null_cell(),
          text_cell(origin.arch),
          text_cell(origin.hash)};
}

const std::vector<std::string> kColumns = {
    "metric",      "value",         "standard_error", "predicted", "deviation",
    "unit",        "how",           "status",         "message",   "device",
    "seed",        "job",           "version",        "revision",  "libraries",
    "threads",     "data_checksum", "space",          "task",      "job_seed",
    "config_hash", "created",       "session",        "id",        "taken_from",
    "arch",        "hash"};
/// What fits a terminal; --csv, --json and --wide have them all.
const std::vector<std::string> kNarrow = {"metric",  "value", "predicted", "unit",    "how",
                                          "device",  "seed",  "job",       "version", "revision",
                                          "created", "id",    "taken_from"};

db::Table narrowed(const db::Table& table) {
  db::Table result;
  result.columns = kNarrow;
  for (const auto& row : table.rows) {
    auto& short_row = result.rows.emplace_back();
    for (const auto& column : kNarrow)
      for (std::size_t i = 0; i < kColumns.size(); ++i)
        if (kColumns[i] == column) short_row.push_back(row[i]);
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
      "and\n"
      "seed, job and its config, version and revision of the process that wrote it, checksum of "
      "its\n"
      "data. taken_from is the id of another job's measurement that was reused, not made again.\n"
      "Example: mosaic provenance 0123456789abcdef --db results.db --json");
  app.callback([options] {
    const db::Reader reader(options->db);
    const auto job =
        options->job.empty() ? std::nullopt : std::optional(reader.job(options->job).id);
    db::Table table;
    table.columns = kColumns;
    for (const auto& origin : reader.provenance(options->network, job))
      table.rows.push_back(row_of(origin));
    if (table.rows.empty())
      throw core::UsageError(
          options->db + " holds no number of a network '" + options->network + "'",
          "give the text form or the hash of a network, as `mosaic front --wide` prints them");
    const bool all = options->wide || options->output.csv || options->output.json;
    print_table(all ? table : narrowed(table), options->output);
  });
}

const core::Registered kProvenance{commands(), "provenance",
                                   "every number of a network and where it comes from",
                                   CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
