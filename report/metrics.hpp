/// What pages say of metrics: their labels, units and directions, in one place.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "mosaic/db/records.hpp"

namespace mosaic::report {

inline constexpr const char* kTimedMetric = "latency_ms";
inline constexpr const char* kReferenceMetric = "latency_reference_ms";  ///< the device's

/// {label, unit, better ("higher", "lower" or ""), timed, rank}: from the job's objectives, the
/// registered evaluators, and else the metric's name. Pages show metrics by rank, then by name:
/// objectives first, then other scores, the usual costs, the rest. `measured_unit`: as recorded
/// with its measurements; empty where there is none.
nlohmann::json metric_type(const std::string& metric, const db::Job& job,
                           const std::string& measured_unit);

}  // namespace mosaic::report
