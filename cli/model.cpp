// The subcommands about stand-alone networks: extract, eval, finetune.
#include <CLI/CLI.hpp>

#include "command.hpp"
#include "models.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "pipeline.hpp"

namespace mosaic::cli {
namespace {

Bound parse_bound(const std::string& text, bool upper) {
  const auto equals = text.find('=');
  char* end = nullptr;
  const std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
  const double value = std::strtod(number.c_str(), &end);
  if (equals == 0 || number.empty() || *end != '\0')
    throw core::UsageError("'" + text + "' is no bound",
                           "write metric=number, such as latency_ms=2");
  return {text.substr(0, equals), value, upper};
}

void setup_extract(CLI::App& app) {
  struct Options {
    ExtractOptions extract;
    std::string job;
    std::vector<std::string> max;
    std::vector<std::string> min;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--db", options->extract.db, "results database")->capture_default_str();
  app.add_option("--job", options->job, "name of the job (default: the only one, or the latest)");
  app.add_option("--max", options->max,
                 "upper bound of a measured metric, such as latency_ms=2; may be repeated");
  app.add_option("--min", options->min,
                 "lower bound of a measured metric, such as accuracy=90; may be repeated");
  app.add_option("--best", options->extract.best,
                 "metric to optimise within the bounds (default: first objective)");
  app.add_option("--arch", options->extract.arch,
                 "architecture or hash of one network, instead of bounds");
  app.add_option("--out", options->extract.out, "folder to write")->required();
  app.footer(
      "Writes DIR/model.safetensors (weights) and DIR/config.json (architecture, preprocessing, "
      "provenance);\n"
      "examples/load_subnet.py reads them into plain PyTorch. The written network is read back and "
      "compared\n"
      "with the supernet.");
  app.callback([options] {
    for (const auto& text : options->max)
      options->extract.bounds.push_back(parse_bound(text, true));
    for (const auto& text : options->min)
      options->extract.bounds.push_back(parse_bound(text, false));
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
  app.add_option("--device", options->device, "auto, cpu or cuda")->capture_default_str();
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
      ->check(CLI::PositiveNumber);
  app.add_option("--batch-size", options->batch_size, "images a step")
      ->capture_default_str()
      ->check(CLI::Range(2, 65536));
  app.add_option("--learning-rate", options->learning_rate, "at the start; cosine to 0")
      ->capture_default_str();
  app.add_option("--path", options->path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", options->device, "auto, cpu or cuda")->capture_default_str();
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
