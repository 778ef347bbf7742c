#include "known_devices.hpp"

#include <CLI/CLI.hpp>
#include <limits>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {

namespace {

spaces::Space make_space(const KnownDevicesOptions& options) {
  std::map<std::string, std::string> given;
  for (const auto& text : options.set) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw core::UsageError("'" + text + "' is no option of a space", "write --set key=value");
    given[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return spaces::Space::make(options.space, {}, given);
}

/// Names as the space writes them, so that a table and measurements meet.
std::string canonical(const spaces::Space& space, const std::string& arch,
                      const std::string& where) {
  try {
    return space.text(space.parse(arch));
  } catch (const core::UsageError& error) {
    throw core::UsageError(where + ": " + error.message(), error.advice());
  }
}

}  // namespace

void add_known_devices_options(CLI::App& app, KnownDevicesOptions& options) {
  app.add_option("--known", options.file,
                 "CSV(.gz) of known devices: a column arch, and one of latencies in ms a device")
      ->required();
  app.add_option("--device", options.devices,
                 "take only columns that match this pattern ('latency_ms_*'; may be repeated)");
  app.add_option("--drop", options.drop, "leave out columns that match this pattern");
  app.add_option("--space", options.space,
                 "search space of the networks: their structure sharpens the tables. Without it "
                 "the tables speak alone");
  app.add_option("--set", options.set, "option of the space, key=value (may be repeated)");
}

KnownNetworks open_known_devices(const KnownDevicesOptions& options,
                                 std::vector<predictors::Measured>& measured) {
  KnownNetworks result;
  auto& known = result.known;
  known = predictors::read_known_devices(options.file, options.devices, options.drop);
  result.in_table = known.archs.size();
  if (options.space.empty()) {
    if (!options.set.empty())
      throw core::UsageError("--set is an option of a space, but there is no --space",
                             "add --space NAME");
    return result;
  }
  const spaces::Space space = make_space(options);
  std::set<std::string> names;
  for (auto& arch : known.archs) {
    arch = canonical(space, arch, options.file);
    if (!names.insert(arch).second)
      throw core::Error(
          options.file + ": two rows are the network " + arch + " of space " + options.space,
          "keep one row for each network");
  }
  for (auto& one : measured) {
    one.arch = canonical(space, one.arch, "the measured networks");
    if (!names.insert(one.arch).second) continue;
    known.archs.push_back(one.arch);
    for (auto& column : known.latency) column.push_back(std::numeric_limits<double>::quiet_NaN());
  }
  result.structure = predictors::structure_of(space, known.archs);
  return result;
}

}  // namespace mosaic::cli
