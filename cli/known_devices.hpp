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
void add_known_devices_options(App& app, KnownDevicesOptions& options);

/// Networks of the table, then those of the measurements that no known device has, with their
/// structure.
struct KnownNetworks {
  predictors::KnownDevices known;
  std::optional<predictors::Structure> structure;
  std::size_t in_table = 0;
  std::vector<predictors::Measured> measured;
};
/// Reads the table and, unless its name is empty, the file of measurements; the log names the
/// devices. Rows that the space cannot read are an error with file and line. Networks measured that
/// the table lacks are added where there is a space.
KnownNetworks open_known_devices(const KnownDevicesOptions& options,
                                 const std::string& measured_file = {});

}  // namespace mosaic::cli
