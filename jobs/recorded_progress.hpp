/// Progress of a job in its database, for those who watch from elsewhere.
#pragma once

#include "mosaic/core/progress.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::jobs {

/// While it lives, the state "progress" of the job says how far its work is, as JSON: {label, done,
/// total, seconds_left or null, note}.
core::ProgressWatch recorded_progress(db::Database& database, std::int64_t job);

}  // namespace mosaic::jobs
