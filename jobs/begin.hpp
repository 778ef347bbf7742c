/// Jobs that begin, and jobs that go on.
#pragma once

#include <optional>
#include <string>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

/// Throws UsageError where a job file has no objective, or no [rank] section.
void expect_objective(const JobFile& file);
void expect_ranking(const JobFile& file);

/// A begun job as it goes on with this file (update_job() keeps it): as it is where the file has
/// the values that it began with, and not done any more where the file allows its search more than
/// before. Throws UsageError where anything else differs: what, and `advice`.
db::Job with_file(const db::Reader& database, const db::Job& known, const JobFile& file,
                  const std::string& advice);

/// The job of this name, which goes on with_file(); nothing where it begins now. A job that has
/// nothing yet and whose file was changed is discarded, and begins anew. Jobs that were killed are
/// marked so.
std::optional<db::Job> begun_job(db::Database& database, const JobFile& file,
                                 const std::string& advice);

/// Whether a job that is known begins anew with this file, which was changed: it has nothing yet.
bool begins_anew(const db::Reader& database, const db::Job& known, const JobFile& file);

/// Throws core::Error where the supernet of a job was trained and its file is gone.
void expect_supernet(const db::Reader& database, const db::Job& job);

/// Whether all of a job is done, not only a step of it.
bool is_done(const db::Job& job);

/// Remembers how the file of a job is now, without what was set from outside ...
void keep_file(db::Database& database, const db::Job& job, const JobFile& file);
/// ... and tells whether it was changed since.
bool file_changed(const db::Reader& database, const db::Job& job);

/// Marks jobs that are said to be running: this process writes the database, so none is.
void settle_killed_jobs(db::Database& database);

/// Workplace::open() of a job that begins. Throws UsageError for keys that say nothing in it, too.
Workplace open_new(JobFile file);
/// open_new() of a job that begins where there is no database yet: one that is refused
/// leaves none behind.
std::optional<Workplace> opened_before(const std::string& db, const JobFile& file);
/// The row of a job that begins here and now.
db::Job new_job(const Workplace& work, const std::string& db);

/// Opens what a begun job works on, as it began: threads and kind of device are part of its
/// identity. Throws UsageError or Error where this machine, the data or the space is another.
Workplace reopen(const JobFile& file, const db::Job& job);

}  // namespace mosaic::jobs
