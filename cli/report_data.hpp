/// The numbers of a report, as the page's script reads them.
#pragma once

#include <string>

#include "mosaic/db/database.hpp"

namespace mosaic::cli {

/// Columns, not records: one list per quantity, null where there is no finite value. `networks`,
/// `metrics[].values` and the like run in parallel; `front` and `timings.network` are indices into
/// them. Numbers of 64 bits that a script cannot hold are not in it. The text has no '<', so that
/// it can stand inside a script element.
std::string report_json(const db::Reader& database, const db::Job& job);

}  // namespace mosaic::cli
