/// The options that `mosaic predictor suggest` and `transfer` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "mosaic/predictors/transfer.hpp"

namespace mosaic::cli {

struct KnownDevicesOptions {
  std::string file;
  std::vector<std::string> devices;  ///< patterns of columns to take; none: all
  std::vector<std::string> drop;     ///< patterns of columns to leave out
  std::string space;                 ///< empty: the table alone
  std::vector<std::string> set;      ///< options of the space, "key=value"
};
void add_known_devices_options(CLI::App& app, KnownDevicesOptions& options);

/// Networks of the table, then `more`, which no known device has measured, with their structure.
struct KnownNetworks {
  predictors::KnownDevices known;
  std::optional<predictors::Structure> structure;
  std::size_t in_table = 0;
};
/// Reads the table. Rows that the space cannot read are an error with file and line. Networks of
/// `measured` that the table lacks are added where there is a space.
KnownNetworks open_known_devices(const KnownDevicesOptions& options,
                                 std::vector<predictors::Measured>& measured);

}  // namespace mosaic::cli
