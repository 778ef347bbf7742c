// `mosaic predictor transfer`: latencies on a new device from known devices and a few measurements.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "known_devices.hpp"
#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "predictor.hpp"

namespace mosaic::cli {
namespace {

constexpr std::size_t kNearestShown = 3;

struct TransferOptions {
  KnownDevicesOptions known;
  std::string measured;
  std::string out;
  bool json = false;
};

void write_predictions(const std::string& path, const predictors::KnownDevices& known,
                       const std::vector<predictors::Prediction>& predictions, std::size_t count) {
  std::ostringstream text;
  core::write_csv_row(text, std::vector<std::string>{"arch", "mean", "deviation"});
  for (std::size_t i = 0; i < count; ++i)
    core::write_csv_row(
        text, std::vector<std::string>{known.archs[i], core::format_double(predictions[i].mean),
                                       core::format_double(predictions[i].deviation)});
  core::write_file_atomic(path, text.str());
}

struct Expected {
  double spearman = 0;
  double error = 0;
  const predictors::LeaveOneOut* worst = nullptr;
};
Expected expected(const predictors::Transferred& result) {
  Expected mean;
  for (const auto& one : result.checked) {
    mean.spearman += one.spearman / static_cast<double>(result.checked.size());
    mean.error += one.error / static_cast<double>(result.checked.size());
    if (!mean.worst || one.spearman < mean.worst->spearman) mean.worst = &one;
  }
  return mean;
}

void print_text(const predictors::Transferred& result, std::size_t devices, const std::string& out,
                std::size_t count) {
  std::printf("%zu measured networks, %zu known devices\nnearest known devices:",
              result.measurements, devices);
  for (std::size_t i = 0; i < std::min(kNearestShown, result.nearest.size()); ++i)
    std::printf("%s %s (Spearman %.3f)", i ? "," : "", result.nearest[i].device.c_str(),
                result.nearest[i].spearman);
  std::printf("\na single measurement on the new device strays by about %.1f%%\n",
              100 * result.noise);
  if (result.resolution > 0)
    std::printf(
        "its clock counts in steps of %g ms: networks closer than that cannot be told apart by "
        "measuring\n",
        result.resolution);
  if (result.pruning > 0.5)
    std::printf("its runtime seems to remove dead branches (probability %.2f)\n", result.pruning);
  const Expected mean = expected(result);
  if (!mean.worst)
    std::printf(
        "the error to expect is not known: no known device has 3 of the measured networks\n");
  else
    std::printf(
        "expected error, from each known device taken as the new one with the same networks "
        "measured:\n  median error %.1f%%, Spearman %.3f (least %.3f, %s); 90%% intervals cover "
        "%.0f%%\n",
        mean.error, mean.spearman, mean.worst->spearman, mean.worst->device.c_str(),
        100 * result.coverage);
  std::printf("%zu networks written to %s\n", count, out.c_str());
}

void print_json(const predictors::Transferred& result, const std::string& out, std::size_t count) {
  using nlohmann::json;
  json nearest = json::array();
  for (const auto& one : result.nearest)
    nearest.push_back({{"device", one.device}, {"spearman", one.spearman}});
  json checked = json::array();
  for (const auto& one : result.checked)
    checked.push_back(
        {{"device", one.device}, {"spearman", one.spearman}, {"error_percent", one.error}});
  const Expected mean = expected(result);
  json error = nullptr;
  if (mean.worst) error = {{"spearman", mean.spearman}, {"error_percent", mean.error}};
  std::cout << json{{"measured", result.measurements},
                    {"networks", count},
                    {"out", out},
                    {"nearest", nearest},
                    {"leave_one_out", checked},
                    {"expected", error},
                    {"coverage", result.coverage},
                    {"noise", result.noise},
                    {"misfit", result.misfit},
                    {"astray", result.astray},
                    {"pruning", result.pruning},
                    {"resolution_ms", result.resolution}}
                   .dump(1, ' ', false, json::error_handler_t::replace)
            << "\n";
}

/// Warns where what was measured contradicts the known devices, or says nothing.
void warn_of_misfit(const predictors::Transferred& result,
                    const std::vector<predictors::Measured>& measured) {
  const auto same = [&](const auto& one) { return one.latency_ms == measured[0].latency_ms; };
  if (std::all_of(measured.begin(), measured.end(), same))
    core::log_warning(
        "all measured latencies are the same: nothing is learnt from them; measure again, with a "
        "finer clock or a larger batch");
  if (result.misfit > predictors::kMisfit)
    core::log_warning(
        "the measurements contradict the known devices: each predicted from the others is off by " +
        core::format_double(std::round(10 * result.misfit) / 10) + " of its deviations, farthest " +
        core::join(result.astray) +
        ". Deviations are made larger by that; the expected error is that of known devices, and "
        "too "
        "small here. Look for rows in another unit, exchanged or taken on a busy machine, and "
        "measure them again");
}

void transfer(const TransferOptions& options) {
  KnownNetworks networks = open_known_devices(options.known, options.measured);
  if (networks.measured.empty())
    throw core::Error(
        options.measured + " has no row with a latency",
        "measure first: mosaic measure JOB.toml --archs list.txt --out " + options.measured);
  const predictors::Transfer model(std::move(networks.known), std::move(networks.structure));
  const auto result = model.predict(networks.measured);
  warn_of_misfit(result, networks.measured);
  write_predictions(options.out, model.known(), result.predictions, networks.in_table);
  if (options.json)
    print_json(result, options.out, networks.in_table);
  else
    print_text(result, model.known().devices.size(), options.out, networks.in_table);
}

void setup(App& app) {
  auto options = std::make_shared<TransferOptions>();
  add_known_devices_options(app, options->known);
  app.add_option("--measured", options->measured,
                 "CSV with arch and latency_ms, as mosaic measure --archs --out writes it")
      ->required();
  app.add_option("--out", options->out,
                 "CSV to write: arch, mean and deviation in ms of every network of --known")
      ->required();
  app.add_flag("--json", options->json, "print what was learnt as JSON");
  all_or_nothing(
      app,
      "Example: mosaic predictor transfer --space nasbench201 --known known.csv.gz --measured "
      "ten.csv --out predictions.csv\n"
      "docs/new-device.md goes through it from the beginning.",
      [options] { transfer(*options); });
}

const core::Registered kEntry{predictor_commands(), "transfer",
                              "latencies on a new device from known devices and a few measurements",
                              setup};

}  // namespace
}  // namespace mosaic::cli
