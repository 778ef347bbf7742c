// mosaic eval: what an extracted network reaches.
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "mosaic/jobs/extract.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void print(const jobs::Evaluated& found, const jobs::EvalOptions& options, bool json) {
  const auto& leading = found.figures.at(0);
  if (json) {
    nlohmann::json object{{"arch", found.arch},
                          {"split", options.split},
                          {"examples", leading.examples},
                          {"standard_error", leading.error},
                          {"passes", found.passes}};
    for (const auto& figure : found.figures) object[figure.metric] = figure.value;
    std::cout << object.dump(1) << "\n";
    return;
  }
  std::string text;
  for (const auto& figure : found.figures)
    text += (text.empty() ? "" : ", ") + figure.metric + " " +
            value_text(figure.value, figure.unit) +
            (figure.error > 0 ? " +- " + value_text(figure.error, figure.unit) : "");
  std::printf("%s: %s on %lld %s examples of %s\n", options.folder.c_str(), text.c_str(),
              static_cast<long long>(leading.examples), options.split.c_str(), found.task.c_str());
}

void setup(App& app) {
  auto options = std::make_shared<jobs::EvalOptions>();
  auto json = std::make_shared<bool>(false);
  app.add_option("DIR", options->folder, "folder of an extracted network")->required();
  app.add_option("--split", options->split, "train, validation or test")->capture_default_str();
  app.add_option("--path", options->path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", options->device, "auto, cpu or cuda")
      ->capture_default_str()
      ->check(one_of({"auto", "cpu", "cuda"}));
  app.add_option("--db", options->db,
                 "note the result in this database, as metrics such as test_accuracy");
  app.add_option(
      "--outputs", options->outputs,
      "write the first eight inputs, by name, and the network's outputs (y) to this safetensors "
      "file");
  app.add_flag("--json", *json, "print JSON");
  app.callback([options, json] { print(jobs::eval_subnet(*options), *options, *json); });
}

const core::Registered kEntry{commands(), "eval", "true figures of an extracted network", setup};

}  // namespace
}  // namespace mosaic::cli
