/// Warm starts: the networks with which a search begins.
#pragma once

#include <vector>

#include "mosaic/db/database.hpp"
#include "session.hpp"

namespace mosaic::cli {

/// What the job file's [search] start, start_job and start_db name: the networks given, then the
/// front of the earlier job (of this space, or of one in which its architectures can be read), at
/// most a population. They are found once and then kept with the job, so that it goes on as it
/// began. Throws core::UsageError where a network given cannot be read, or no network of the
/// earlier job can.
std::vector<spaces::Genotype> start_networks(db::Database& database, const db::Job& job,
                                             const Workplace& work);

}  // namespace mosaic::cli
