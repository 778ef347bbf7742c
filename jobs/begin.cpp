#include "begin.hpp"

#include <algorithm>
#include <filesystem>

#include "job_lines.hpp"
#include "mosaic/core/config.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/plugin.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/search/search.hpp"
#include "mosaic/supernet/engine/device.hpp"

namespace mosaic::jobs {

void settle_killed_jobs(db::Database& database) {
  for (auto& job : database.jobs())
    if (job.status == "running") {
      job.status = "interrupted";
      job.message = kKilled;
      database.update_job(job);
    }
}

void expect_objective(const JobFile& file) {
  if (std::any_of(file.objectives.begin(), file.objectives.end(),
                  [](const auto& objective) { return objective.optimise; }))
    return;
  throw core::UsageError(file.path + " has no objective: there is nothing to search",
                         "rank its networks with: mosaic rank " + core::quoted(file.path));
}

void expect_ranking(const JobFile& file) {
  if (!file.rank)
    throw core::UsageError(file.path + " has no [rank] section",
                           "add one; examples/rank.toml explains every key");
}

bool is_done(const db::Job& job) { return job.status == "finished" && job.phase == "done"; }

namespace {

std::string text_of(const std::vector<core::Config::Change>& changes) {
  constexpr std::size_t kMost = 5;
  std::vector<std::string> texts;
  for (const auto& change : changes)
    if (texts.size() < kMost) texts.push_back(change.text());
  if (changes.size() > kMost) texts.push_back(std::to_string(changes.size() - kMost) + " more");
  return core::join(texts);
}

/// Whether nothing is changed but limits of the search.
bool only_limits(const std::vector<core::Config::Change>& changes) {
  const auto& limits = search::SearchSettings::limits();
  return std::all_of(changes.begin(), changes.end(), [&](const auto& change) {
    return std::any_of(limits.begin(), limits.end(),
                       [&](const auto& limit) { return change.key == "search." + limit; });
  });
}

}  // namespace

db::Job with_file(const db::Reader& database, const db::Job& known, const JobFile& file,
                  const std::string& advice) {
  if (known.config_hash == file.hash) return known;
  auto before = core::Config::from_text(known.config, known.config_path, former_keys());
  const auto changes =
      core::Config::from_text(file.text, file.path, former_keys()).changes_since(before);
  const bool raised =
      file.search.allows_as_much_as(search::SearchSettings::read(before.root().section("search")));
  if (only_limits(changes) && !raised && is_done(known)) {
    core::log_info("job '" + known.name +
                   "' was allowed more, and keeps what it found: " + text_of(changes));
    return known;
  }
  if (!only_limits(changes) || !raised)
    throw core::UsageError("job '" + known.name + "' in " + database.path() +
                               " was begun with other settings than " + file.path +
                               " has now: " + text_of(changes),
                           advice);
  core::log_info("job '" + known.name + "' may search on: " + text_of(changes));
  db::Job job = known;
  job.config = file.text;
  job.config_hash = file.hash;
  if (is_done(job)) {
    job.status = "interrupted";
    job.phase = "search";
  }
  return job;
}

bool begins_anew(const db::Reader& database, const db::Job& known, const JobFile& file) {
  return known.config_hash != file.hash && known.status != "finished" &&
         database.has_nothing(known.id);
}

void expect_supernet(const db::Reader& database, const db::Job& job) {
  const auto checkpoint = supernet_path(job.folder);
  if (database.state(job.id, "trained") && !std::filesystem::exists(checkpoint))
    throw core::Error(
        "the supernet of job '" + job.name + "' is gone: " + checkpoint + " does not exist",
        "restore the file, or begin a new job");
}

std::optional<db::Job> begun_job(db::Database& database, const JobFile& file,
                                 const std::string& advice) {
  settle_killed_jobs(database);
  const auto known = database.find_job(file.name);
  if (!known) return known;
  if (begins_anew(database, *known, file) && database.discard_job(known->id)) {
    core::log_info("job '" + file.name + "' had not come to its first step (" + known->status +
                   "): it begins anew with " + file.path + " as it is now");
    return std::nullopt;
  }
  return with_file(database, *known, file, advice);
}

void keep_file(db::Database& database, const db::Job& job, const JobFile& file) {
  database.save_state(job.id, "file", file.file_hash);
}

bool file_changed(const db::Reader& database, const db::Job& job) {
  if (!std::filesystem::exists(job.config_path)) return false;
  return core::Config::from_file(job.config_path, former_keys()).hash() !=
         database.state(job.id, "file").value_or(job.config_hash);
}

Workplace open_new(JobFile file) {
  refuse_idle_keys(file);
  return Workplace::open(std::move(file));
}

std::optional<Workplace> opened_before(const std::string& db, const JobFile& file) {
  if (std::filesystem::exists(db)) return std::nullopt;
  return open_new(file);
}

db::Job new_job(const Workplace& work, const std::string& db) {
  db::Job job;
  const JobFile& file = work.file;
  job.name = file.name;
  job.status = "running";
  job.phase = "begin";
  job.config = file.text;
  job.config_hash = file.hash;
  job.config_path = std::filesystem::absolute(file.path).string();
  job.seed = file.seed;
  job.space = work.space->name();
  job.space_hash = work.space->hash();
  job.task = work.task ? work.task->name() : "";
  job.data_checksum = work.data_checksum();
  job.device = supernet::describe_device(work.device);
  job.threads = supernet::threads();
  job.version = core::version();
  job.revision = core::revision();
  job.libraries = libraries();
  job.folder = std::filesystem::absolute(job_folder(file, db)).string();
  for (const auto& objective : file.objectives)
    if (objective.optimise) job.objectives.push_back({objective.metric, objective.maximise});
  job.constraints = file.constraints;
  return job;
}

namespace {

std::string device_kind(const db::Job& job) { return job.device.substr(0, job.device.find(':')); }

}  // namespace

Workplace reopen(const JobFile& file, const db::Job& job) {
  if (file.threads > 0 && file.threads != job.threads)
    throw core::UsageError("job '" + job.name + "' began with " + std::to_string(job.threads) +
                               " threads, not " + std::to_string(file.threads),
                           "restore [job] threads, or begin a new job: results depend on it");
  Workplace work = Workplace::open(file, job.threads, device_kind(job));
  if (const auto found = supernet::describe_device(work.device); found != job.device)
    throw core::UsageError(
        "job '" + job.name + "' began on " + job.device + ", this is " + found,
        "go on where it began, or begin a new job: results depend on the device");
  if (job.libraries != libraries())
    core::log_warning("job '" + job.name + "' began with " + job.libraries + ", this is " +
                      libraries() + ": results may differ" +
                      (core::plugins().empty() ? " in the last digits" : ""));
  if (work.data_checksum() != job.data_checksum)
    throw core::Error(
        (work.task ? "the data of task '" + job.task : "the table '" + work.file.table->origin) +
            "' changed since job '" + job.name + "' began",
        "restore the data, or begin a new job");
  if (work.space->hash() != job.space_hash)
    throw core::Error("space '" + job.space + "' changed since job '" + job.name + "' began",
                      "go on with the version of Mosaic that began it (" + job.version + ", " +
                          job.revision + "), or begin a new job");
  return work;
}

}  // namespace mosaic::jobs
