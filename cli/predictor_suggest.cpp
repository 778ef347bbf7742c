// `mosaic predictor suggest`: which networks to measure on a new device.
#include <iostream>
#include <nlohmann/json.hpp>

#include "known_devices.hpp"
#include "mosaic/core/files.hpp"
#include "numbers.hpp"
#include "predictor.hpp"

namespace mosaic::cli {
namespace {

struct SuggestOptions {
  KnownDevicesOptions known;
  std::size_t count = 10;
  std::uint64_t seed = 1;
  std::string out;
  bool json = false;
};

void suggest(const SuggestOptions& options) {
  KnownNetworks networks = open_known_devices(options.known);
  const predictors::Transfer transfer(std::move(networks.known), std::move(networks.structure));
  std::string lines;
  auto list = nlohmann::json::array();
  for (const std::size_t i : transfer.suggest(options.count, options.seed)) {
    lines += transfer.known().archs[i] + "\n";
    list.push_back(transfer.known().archs[i]);
  }
  const bool to_file = !options.out.empty() && options.out != "-";
  if (to_file) core::write_file_atomic(options.out, lines);
  if (options.json)
    std::cout << list.dump(1) << "\n";
  else if (!to_file)
    std::cout << lines;
  else
    std::cout << options.count << " networks written to " << options.out
              << "; measure them on the new device: mosaic measure JOB.toml --archs " << options.out
              << " --out measured.csv\n";
}

void setup(App& app) {
  auto options = std::make_shared<SuggestOptions>();
  add_known_devices_options(app, options->known);
  app.add_option("--count", options->count, "how many networks")
      ->capture_default_str()
      ->check(count());
  app.add_option("--seed", options->seed,
                 "another seed, another list (networks are chosen among "
                 "2,000 random ones)")
      ->capture_default_str()
      ->check(seed());
  app.add_option("--out", options->out, "file to write, a network a line; else standard output");
  app.add_flag("--json", options->json, "print a JSON array");
  all_or_nothing(
      app,
      "Chosen one by one so that, if the new device is a combination of the known ones, its\n"
      "latencies of all networks are known best. The list is in order of worth.\n"
      "Example: mosaic predictor suggest --space nasbench201 --known known.csv.gz --count 10 > "
      "list.txt",
      [options] { suggest(*options); });
}

const core::Registered kEntry{predictor_commands(), "suggest",
                              "which networks to measure on a new device", setup};

}  // namespace
}  // namespace mosaic::cli
