// The subcommands about stand-alone networks: extract, eval, finetune.
#include <CLI/CLI.hpp>

#include "command.hpp"
#include "models.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "numbers.hpp"
#include "pipeline.hpp"

namespace mosaic::cli {
namespace {

void setup_extract(CLI::App& app) {
  struct Options {
    ExtractOptions extract;
    std::string job;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--db", options->extract.db, "results database")->capture_default_str();
  app.add_option("--job", options->job, "name of the job (default: the only one, or the latest)");
  add_selection_options(app, options->extract.selection);
  auto* arch = app.add_option("--arch", options->extract.arch,
                              "architecture or hash of one network, instead of bounds");
  for (const char* other : {"--max", "--min", "--best", "--goal"})
    arch->excludes(app.get_option(other));
  app.add_option("--path", options->extract.path,
                 "where the data lies, if elsewhere than when the job began");
  app.add_option("--out", options->extract.out, "folder to write")->required();
  app.footer(
      "Writes DIR/model.safetensors (weights) and DIR/config.json (architecture, preprocessing, "
      "provenance);\n"
      "examples/load_subnet.py reads them into plain PyTorch. The written network is read back and "
      "compared\n"
      "with the supernet.");
  app.callback([options] {
    if (!options->job.empty()) options->extract.job = options->job;
    extract_subnet(options->extract);
  });
}

void setup_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  app.add_option("DIR", options->folder, "folder of an extracted network")->required();
  app.add_option("--split", options->split, "train, validation or test")->capture_default_str();
  app.add_option("--path", options->path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", options->device, "auto, cpu or cuda")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option("--db", options->db,
                 "note the result in this database, as metric <split>_accuracy");
  app.add_option(
      "--outputs", options->outputs,
      "write the first eight inputs (x) and the network's outputs (y) to this safetensors file");
  app.add_flag("--json", options->json, "print JSON");
  app.callback([options] { eval_subnet(*options); });
}

void setup_finetune(CLI::App& app) {
  auto options = std::make_shared<FinetuneOptions>();
  app.add_option("DIR", options->folder, "folder of an extracted network")->required();
  app.add_option("--out", options->out, "folder to write")->required();
  app.add_option("--epochs", options->epochs, "passes over the training split")
      ->capture_default_str()
      ->check(whole_number(1, 100'000));
  app.add_option("--batch-size", options->batch_size, "images a step")
      ->capture_default_str()
      ->check(whole_number(2, 1 << 20));
  app.add_option("--learning-rate", options->learning_rate, "at the start; cosine to 0")
      ->capture_default_str()
      ->check(number(1e-9, 100));
  app.add_option("--path", options->path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", options->device, "auto, cpu or cuda")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.callback([options] { finetune_subnet(*options); });
}

const core::Registered kExtract{commands(), "extract",
                                "hand over the best network under given bounds",
                                CommandSetup(setup_extract)};
const core::Registered kEval{commands(), "eval", "true accuracy of an extracted network",
                             CommandSetup(setup_eval)};
const core::Registered kFinetune{commands(), "finetune", "train an extracted network further",
                                 CommandSetup(setup_finetune)};

}  // namespace
}  // namespace mosaic::cli
