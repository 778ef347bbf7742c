/// How a job stands, and how to go on with it.
#pragma once

#include <optional>
#include <string>

#include "mosaic/db/database.hpp"

namespace mosaic::jobs {

/// Of a job whose process ended without a word.
constexpr const char* kKilled =
    "its process ended without a word (killed, or the machine went down)";

/// "--job NAME" of a command line.
std::string job_option(const std::string& name);

/// "mosaic VERB NAME --db DB OPTIONS", for the commands that take the name of a job.
std::string job_command(const std::string& verb, const std::string& name, const std::string& db,
                        const std::string& options = {});

/// The job of this name; without one the only one, or the latest, which the log then names beside
/// the others.
db::Job named_job(const db::Reader& reader, const std::optional<std::string>& name);

/// The command that goes on with a job that is not finished.
std::string way_on(const db::Job& job, const std::string& db);

/// How far a job is with what it did last: "search 120/200, 3 min left"; empty where that is not
/// recorded.
std::string how_far(const db::Reader& reader, const db::Job& job);

/// The job as it stands now: "interrupted", with the way on, where it is said to be running and no
/// process writes its database.
db::Job as_it_stands(const db::Reader& reader, db::Job job);

}  // namespace mosaic::jobs
