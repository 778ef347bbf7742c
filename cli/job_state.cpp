#include "job_state.hpp"

#include "mosaic/db/writer.hpp"
#include "output.hpp"

namespace mosaic::cli {

std::string job_option(const std::string& name) {
  return (name.starts_with("-") ? "--job=" : "--job ") + quoted(name);
}

std::string way_on(const db::Job& job, const std::string& db) {
  const std::string in = " --db " + quoted(db);
  if (job.phase == "rank") return "mosaic rank " + quoted(job.config_path) + in;
  const std::string name = quoted(job.name);
  return job.name.starts_with("-") ? "mosaic resume" + in + " -- " + name
                                   : "mosaic resume " + name + in;
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
