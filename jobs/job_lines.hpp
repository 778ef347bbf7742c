/// What is wrong with a job, told at its line in the job's file.
#pragma once

#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/job_file.hpp"

namespace mosaic::jobs {

/// The values of a job.
core::Section root_of(const JobFile& file);

/// Runs a check; what is wrong is reported at the line of a key of the job file, of the section
/// where the key is empty. `section`: "rank", or "rank.truth".
template <class Check>
void at_key(const JobFile& file, const std::string& section, const std::string& key,
            const Check& check) {
  try {
    check();
  } catch (const core::UsageError& error) {
    auto place = root_of(file);
    for (const auto& name : core::split(section, '.')) place = place.section(name);
    throw core::UsageError(place.where(key) + ": " + error.message(), error.advice());
  }
}

/// Throws UsageError for a key that says nothing beside the others of the job. Jobs that began with
/// such keys go on.
void refuse_idle_keys(const JobFile& file);

}  // namespace mosaic::jobs
