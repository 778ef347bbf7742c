/// Rankings that go on.
#pragma once

#include <memory>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/job_file.hpp"
#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::jobs {

/// Does what is left of a ranking, or of the part of it that was asked for last; null where that
/// part ranks nothing.
std::shared_ptr<const RankResult> resume_rank(db::Database& database, const JobFile& file,
                                              const db::Job& job);

}  // namespace mosaic::jobs
