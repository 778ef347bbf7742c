// `mosaic predictor fit`: a predictor from a table of measured networks.
#include <iostream>

#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "predictor.hpp"
#include "predictor_table.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  PredictorTableOptions table;
  std::string out;
};

void fit(const Options& options) {
  const PredictorRecords records = read_predictor_records(options.table);
  const std::string spec = options.table.spec();
  const auto predictor = predictors::make_predictor(spec);
  core::log_info("fitting " + spec + " to " + core::with_commas(std::ssize(records.rows)) +
                 " rows of " + core::with_commas(std::ssize(records.names)) + " features");
  predictor->fit(records.rows, records.targets, options.table.seed);
  predictors::save_predictor(*predictor, spec, records.names, options.out);
  std::cout << "fitted " << spec << " to " << core::with_commas(std::ssize(records.rows))
            << " rows of " << records.names.size() << " features\n"
            << predictor->describe() << "written to " << options.out << "\n";
}

void setup_fit(App& app) {
  auto options = std::make_shared<Options>();
  add_predictor_table_options(app, options->table);
  app.add_option("--out", options->out, "file to write")->required();
  all_or_nothing(
      app,
      "Columns that are neither target nor dropped are features: numbers as they are, text as one "
      "column a level. The column arch (or --group) names the network and is none.\n"
      "Example: mosaic predictor fit train.csv --target latency_ms --drop 'std_*' --ordered --out "
      "p.model",
      [options] { fit(*options); });
}

const core::Registered kEntry{predictor_commands(), "fit",
                              "fit a predictor to a table of measured networks", setup_fit};

}  // namespace
}  // namespace mosaic::cli
