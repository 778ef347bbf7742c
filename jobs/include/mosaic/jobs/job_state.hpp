/// How a job stands, and how to go on with it.
#pragma once

#include <string>

#include "mosaic/db/database.hpp"

namespace mosaic::jobs {

/// Of a job whose process ended without a word.
constexpr const char* kKilled =
    "its process ended without a word (killed, or the machine went down)";

/// "--job NAME" of a command line.
std::string job_option(const std::string& name);

/// "mosaic VERB NAME --db DB", for the commands that take the name of a job.
std::string job_command(const std::string& verb, const std::string& name, const std::string& db);

/// The command that goes on with a job that is not finished.
std::string way_on(const db::Job& job, const std::string& db);

/// The job as it stands now: "interrupted", with the way on, where it is said to be running and no
/// process writes its database.
db::Job as_it_stands(const db::Reader& reader, db::Job job);

}  // namespace mosaic::jobs
