/// Jobs that begin, and jobs that go on.
#pragma once

#include <string>

#include "mosaic/db/database.hpp"
#include "session.hpp"

namespace mosaic::cli {

/// The row of a job that begins here and now.
db::Job new_job(const Workplace& work, const std::string& db);

/// Opens what a begun job works on, as it began: threads and kind of device are part of its
/// identity. Throws UsageError or Error where this machine, the data or the space is another.
Workplace reopen(const JobFile& file, const db::Job& job);

}  // namespace mosaic::cli
