#include "mosaic/jobs/job_state.hpp"

#include <nlohmann/json.hpp>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/writer.hpp"

namespace mosaic::jobs {

std::string job_option(const std::string& name) {
  return (name.starts_with("-") ? "--job=" : "--job ") + core::quoted(name);
}

std::string job_command(const std::string& verb, const std::string& name, const std::string& db,
                        const std::string& options) {
  const std::string in = " --db " + core::quoted(db) + (options.empty() ? "" : " " + options);
  return "mosaic " + verb +
         (name.starts_with("-") ? in + " -- " + core::quoted(name) : " " + core::quoted(name) + in);
}

std::string way_on(const db::Job& job, const std::string& db) {
  return job_command("resume", job.name, db);
}

db::Job named_job(const db::Reader& reader, const std::optional<std::string>& name) {
  constexpr std::size_t kMost = 5;
  const auto job = reader.job(name);
  if (name) return job;
  const auto all = reader.jobs();
  if (all.size() == 1) return job;
  std::vector<std::string> others;
  for (auto other = all.rbegin(); other != all.rend() && others.size() < kMost; ++other)
    if (other->id != job.id) others.push_back(other->name);
  const auto left = all.size() - 1 - others.size();
  if (left > 0) others.push_back(std::to_string(left) + " more");
  core::log_info("job '" + job.name + "', the latest of " + std::to_string(all.size()) +
                 " (others: " + core::join(others) + ")");
  return job;
}

std::string how_far(const db::Reader& reader, const db::Job& job) {
  const auto recorded = reader.state(job.id, "progress");
  const auto progress = nlohmann::json::parse(recorded.value_or("null"), nullptr, false);
  if (!progress.is_object()) return {};
  const auto done = progress.value("done", std::int64_t{0});
  const auto total = progress.value("total", std::int64_t{0});
  auto text =
      progress.value("label", "") + " " + core::with_commas(done) + "/" + core::with_commas(total);
  if (const auto left = progress.find("seconds_left");
      job.status == "running" && left != progress.end() && left->is_number())
    text += ", " + core::human_seconds(left->get<double>()) + " left";
  return text;
}

db::Job as_it_stands(const db::Reader& reader, db::Job job) {
  if (job.status != "running" || db::writer_of(reader.path())) return job;
  job = reader.job(job.name);  // it may have ended since it was read
  if (job.status != "running") return job;
  // A snapshot does not show that: then the job was running in the state that it is of.
  const auto now = db::Reader(reader.path()).find_job(job.name);
  if (!now || now->status != "running") return job;
  job.status = "interrupted";
  job.message = kKilled;  // added to: GCC 12 warns of a sum of these that nothing is wrong with
  job.message += "; go on with: " + way_on(job, reader.path());
  return job;
}

}  // namespace mosaic::jobs
