/// What one evaluation costs.
#pragma once

#include <functional>
#include <string>

#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

/// Seconds that one evaluation of the largest network takes; nothing is recorded. `predicted`: in
/// the metrics that are measured for a predictor; else in those that every network of a search is
/// measured in, timings only where `timed`. Tables and counts take no time.
double evaluation_seconds(const Workplace& work,
                          const std::function<evaluators::Workbench()>& workbench, bool predicted,
                          bool timed);

}  // namespace mosaic::jobs
