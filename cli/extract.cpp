// mosaic extract: a network of a job, ready to deploy.
#include <iostream>

#include "command.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/extract.hpp"
#include "output.hpp"
#include "selection.hpp"

namespace mosaic::cli {
namespace {

void print(const jobs::Extracted& found, const std::string& out) {
  std::cout << "extracted " << found.arch << "\n";
  if (found.known) print_networks({*found.known}, found.job, {}, false);
  std::cout << "it computes what the supernet computes (largest relative difference "
            << core::format_double(found.difference) << ")\nwritten to " << out
            << ": model.safetensors, config.json, and what else it needs\n"
            << "test it once: mosaic eval " << out << " --split test\n";
}

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    jobs::ExtractOptions extract;
  };
  auto options = std::make_shared<Options>();
  add_database_options(app, options->database);
  add_selection_options(app, options->extract.selection);
  auto arch = app.add_option("--arch", options->extract.arch,
                             "architecture or hash of one network, or largest, or smallest, "
                             "instead of bounds");
  for (const char* other : {"--max", "--min", "--best", "--goal"})
    arch->excludes(app.get_option(other));
  app.add_option("--path", options->extract.path,
                 "where the data lies, if elsewhere than when the job began");
  app.add_option("--out", options->extract.out, "folder to write")->required();
  app.footer(
      "Writes DIR/model.safetensors (weights) and DIR/config.json (architecture, preprocessing, "
      "provenance);\n"
      "mosaic_nas.load(DIR) of the Python package reads them into plain PyTorch. The written "
      "network is read back and "
      "compared\n"
      "with the supernet.");
  app.callback([options] {
    options->extract.db = options->database.db;
    options->extract.job = options->database.job_name();
    print(jobs::extract_subnet(options->extract), options->extract.out);
  });
}

const core::Registered kEntry{commands(), "extract",
                              "hand over the best network under given bounds", setup};

}  // namespace
}  // namespace mosaic::cli
