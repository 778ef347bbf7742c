/// Jobs that begin, and jobs that go on.
#pragma once

#include <optional>
#include <string>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

/// The job of this name, which goes on with this file; nothing where it begins now. A job that has
/// nothing yet and whose file was changed is discarded, and begins anew. Throws UsageError where it
/// was begun with other settings: which, and `advice`. Jobs that were killed are marked so.
std::optional<db::Job> begun_job(db::Database& database, const JobFile& file,
                                 const std::string& advice);

/// Marks jobs that are said to be running: this process writes the database, so none is.
void settle_killed_jobs(db::Database& database);

/// The row of a job that begins here and now.
db::Job new_job(const Workplace& work, const std::string& db);

/// Opens what a begun job works on, as it began: threads and kind of device are part of its
/// identity. Throws UsageError or Error where this machine, the data or the space is another.
Workplace reopen(const JobFile& file, const db::Job& job);

}  // namespace mosaic::jobs
