// mosaic eval: what an extracted network reaches.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "mosaic/jobs/extract.hpp"

namespace mosaic::cli {
namespace {

void print(const jobs::Evaluated& found, const jobs::EvalOptions& options, bool json) {
  if (json) {
    std::cout << nlohmann::json({{"arch", found.arch},
                                 {"split", options.split},
                                 {"images", found.images},
                                 {"accuracy", found.accuracy},
                                 {"standard_error", found.standard_error},
                                 {"loss", found.loss},
                                 {"passes", found.passes}})
                     .dump(1)
              << "\n";
    return;
  }
  std::printf("%s: accuracy %.2f%% +- %.2f (loss %.4f) on %lld %s images of %s\n",
              options.folder.c_str(), found.accuracy, found.standard_error, found.loss,
              static_cast<long long>(found.images), options.split.c_str(), found.task.c_str());
}

void setup(CLI::App& app) {
  auto options = std::make_shared<jobs::EvalOptions>();
  auto json = std::make_shared<bool>(false);
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
  app.add_flag("--json", *json, "print JSON");
  app.callback([options, json] { print(jobs::eval_subnet(*options), *options, *json); });
}

const core::Registered kEntry{commands(), "eval", "true accuracy of an extracted network",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
