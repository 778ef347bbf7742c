#include "mosaic/jobs/job_state.hpp"

#include "mosaic/core/describe.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/writer.hpp"

namespace mosaic::jobs {

std::string job_option(const std::string& name) {
  return (name.starts_with("-") ? "--job=" : "--job ") + core::quoted(name);
}

std::string job_command(const std::string& verb, const std::string& name, const std::string& db) {
  const std::string in = " --db " + core::quoted(db);
  return "mosaic " + verb +
         (name.starts_with("-") ? in + " -- " + core::quoted(name) : " " + core::quoted(name) + in);
}

std::string way_on(const db::Job& job, const std::string& db) {
  if (job.phase == "rank")
    return "mosaic rank " + core::quoted(job.config_path) + " --db " + core::quoted(db);
  return job_command("resume", job.name, db);
}

db::Job as_it_stands(const db::Reader& reader, db::Job job) {
  if (job.status != "running" || db::writer_of(reader.path())) return job;
  job = reader.job(job.name);  // it may have ended since it was read
  if (job.status != "running") return job;
  job.status = "interrupted";
  job.message = kKilled;  // added to: GCC 12 warns of a sum of these that nothing is wrong with
  job.message += "; go on with: " + way_on(job, reader.path());
  return job;
}

}  // namespace mosaic::jobs
