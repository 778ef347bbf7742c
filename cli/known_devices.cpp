#include "known_devices.hpp"

#include <limits>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {

void add_known_devices_options(App& app, KnownDevicesOptions& options) {
  app.add_option("--known", options.file,
                 "CSV(.gz) of known devices: a column arch, and one of latencies in ms a device")
      ->required();
  app.add_option("--device", options.devices,
                 "take only these columns: a name or a pattern ('latency_ms_*'; may be repeated)");
  app.add_option("--drop", options.drop, "leave out these columns: a name or a pattern");
  app.add_option("--space", options.space,
                 "search space of the networks: their structure sharpens the tables. Without it "
                 "the tables speak alone");
  app.add_option("--set", options.set, "option of the space, key=value (may be repeated)");
}

KnownNetworks open_known_devices(const KnownDevicesOptions& options,
                                 const std::string& measured_file) {
  if (options.space.empty() && !options.set.empty())
    throw core::UsageError("--set is an option of a space, but there is no --space",
                           "add --space NAME");
  std::optional<spaces::Space> space;
  predictors::NameOf name;  // as the space writes it, so that a table and measurements meet
  if (!options.space.empty()) {
    space = spaces::Space::make(options.space, {}, options_of(options.set));
    name = [&](const std::string& arch) { return space->text(space->parse(arch)); };
  }
  KnownNetworks result;
  auto& known = result.known;
  known = predictors::read_known_devices(options.file, options.devices, options.drop, name);
  result.in_table = known.archs.size();
  core::log_info(std::to_string(known.devices.size()) + " columns of " + options.file +
                 " taken as devices: " + core::join(known.devices));
  if (!measured_file.empty()) result.measured = predictors::read_measured(measured_file, name);
  if (!space) return result;
  std::set<std::string> names(known.archs.begin(), known.archs.end());
  for (const auto& one : result.measured) {
    if (!names.insert(one.arch).second) continue;
    known.archs.push_back(one.arch);
    for (auto& column : known.latency) column.push_back(std::numeric_limits<double>::quiet_NaN());
  }
  result.structure = predictors::structure_of(*space, known.archs);
  return result;
}

}  // namespace mosaic::cli
