#include "job_state.hpp"

#include "mosaic/db/writer.hpp"
#include "output.hpp"

namespace mosaic::cli {

std::string job_option(const std::string& name) {
  return (name.starts_with("-") ? "--job=" : "--job ") + quoted(name);
}

std::string job_command(const std::string& verb, const std::string& name, const std::string& db) {
  const std::string in = " --db " + quoted(db);
  return "mosaic " + verb +
         (name.starts_with("-") ? in + " -- " + quoted(name) : " " + quoted(name) + in);
}

std::string way_on(const db::Job& job, const std::string& db) {
  if (job.phase == "rank") return "mosaic rank " + quoted(job.config_path) + " --db " + quoted(db);
  return job_command("resume", job.name, db);
}

db::Job as_it_stands(const db::Reader& reader, db::Job job) {
  if (job.status != "running" || db::writer_of(reader.path())) return job;
  job = reader.job(job.name);  // it may have ended since it was read
  if (job.status != "running") return job;
  job.status = "interrupted";
  job.message = std::string(kKilled) + "; go on with: " + way_on(job, reader.path());
  return job;
}

}  // namespace mosaic::cli
