// `mosaic predictor predict`: mean and deviation for every row of a table.
#include <iostream>
#include <sstream>

#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"
#include "predictor.hpp"
#include "predictor_table.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  std::string model;
  std::string file;
  std::string out;
};

void predict(const Options& options) {
  std::vector<std::string> names;
  const auto predictor = predictors::load_predictor(options.model, &names);
  const core::CsvTable table = core::read_csv(options.file);
  const auto predicted = predictor->predict(features_by_name(table, names));
  const auto arch = table.find("arch");

  std::ostringstream text;
  std::vector<std::string> cells{"mean", "deviation"};
  if (arch) cells.insert(cells.begin(), "arch");
  core::write_csv_row(text, cells);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    cells = {core::format_double(predicted[i].mean), core::format_double(predicted[i].deviation)};
    if (arch) cells.insert(cells.begin(), table.rows[i][*arch]);
    core::write_csv_row(text, cells);
  }
  if (options.out.empty() || options.out == "-") {
    std::cout << text.str();
    return;
  }
  core::write_file_atomic(options.out, text.view());
  std::cout << core::with_commas(std::ssize(predicted)) << " predictions written to " << options.out
            << "\n";
}

void setup_predict(App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "file that 'mosaic predictor fit' wrote")->required();
  app.add_option("TABLE", options->file,
                 "CSV file, .gz or not, with the columns that it was fitted on")
      ->required();
  app.add_option("--out", options->out, "CSV file to write (default: standard output)");
  all_or_nothing(
      app,
      "One row each: mean and standard deviation of the prediction's error, after arch where the "
      "table has that column.\n"
      "Example: mosaic predictor predict p.model rows.csv --out predictions.csv",
      [options] { predict(*options); });
}

const core::Registered kEntry{predictor_commands(), "predict",
                              "predict every row of a table, with deviations", setup_predict};

}  // namespace
}  // namespace mosaic::cli
