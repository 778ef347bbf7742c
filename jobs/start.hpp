/// Warm starts: the networks with which a search begins.
#pragma once

#include <string>
#include <vector>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

/// The networks that the job file's [search] start lists, as texts, each once. Throws
/// core::UsageError with file and line where one cannot be read, or is none that the search may
/// evaluate.
std::vector<std::string> given_networks(const Workplace& work);

/// given_networks(), then the front of the earlier job that start_job and start_db name (of this
/// space, or of one in which its architectures can be read), at most a population. Throws
/// core::UsageError where there is no such front, or no network of it can be used.
std::vector<std::string> found_networks(const db::Reader& database, const Workplace& work);

/// Keeps what was found with the job, so that it goes on as it began.
void keep_start(db::Database& database, const db::Job& job, const std::vector<std::string>& archs);

/// The texts of the networks with which the search of a begun job begins: those kept with it; found
/// where there are none yet.
std::vector<std::string> begun_networks(const db::Reader& database, const db::Job& job,
                                        const Workplace& work);

/// The networks kept with the job; found and kept now where there are none yet.
std::vector<spaces::Genotype> start_networks(db::Database& database, const db::Job& job,
                                             const Workplace& work);

}  // namespace mosaic::jobs
