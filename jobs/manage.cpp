#include "mosaic/jobs/manage.hpp"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "begin.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/job_state.hpp"

namespace mosaic::jobs {
namespace {

namespace fs = std::filesystem;

db::Database existing(const std::string& path) {
  if (!fs::exists(path))
    throw core::UsageError("there is no database " + path, "name one with --db");
  return db::Database(path);
}

/// The name and the job's copy of its file.
void rename(db::Database& database, db::Job job, const std::string& to) {
  check_name(to);
  const auto config = core::Config::from_text(job.config, job.config_path, former_keys(),
                                              {"job.name=" + nlohmann::json(to).dump()});
  job.config = config.text();
  job.config_hash = config.hash();
  database.transaction([&] {
    database.rename_job(job.id, to);
    database.update_job(job);
  });
}

/// Files in a job's folder that Mosaic wrote.
std::vector<std::string> written_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (entry.is_regular_file(ignored) &&
        (name.ends_with(".predictor.json") || name.ends_with(".safetensors")))
      files.push_back(entry.path().string());
  }
  return files;
}

/// A folder beside the merged database, for copies of its parts.
class Parts {
 public:
  explicit Parts(const std::string& out) : folder_(out + ".parts-" + std::to_string(::getpid())) {
    std::error_code error;
    if (!fs::create_directory(folder_, error))
      throw core::Error("cannot make folder " + folder_ + ": " + error.message(),
                        "choose another place with --out");
  }
  ~Parts() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  std::string file(std::size_t i) const { return folder_ + "/" + std::to_string(i) + ".db"; }

 private:
  std::string folder_;
};

/// Renames in the copy of `source`, brings it to this build's schema, and gives its jobs' names.
std::vector<std::string> prepare(const std::string& copy, const std::string& source,
                                 const std::vector<Renaming>& renamings) {
  db::Database database(copy);
  for (const auto& renaming : renamings)
    if (renaming.db == source) rename(database, database.job(renaming.from), renaming.to);
  std::vector<std::string> names;
  for (const auto& job : database.jobs()) {
    names.push_back(job.name);
    if (job.status == "running" && as_it_stands(db::Reader(source), job).status == "running")
      core::log_warning("job '" + job.name + "' of " + source +
                        " is running: what it has by now is merged");
  }
  settle_killed_jobs(database);
  return names;
}

}  // namespace

void rename_job(const std::string& db, const std::string& from, const std::string& to) {
  auto database = existing(db);
  auto job = database.job(from);
  rename(database, job, to);
  const fs::path folder(job.folder);
  if (folder.filename() != from || !fs::is_directory(folder)) return;
  const auto wanted = folder.parent_path() / to;
  if (fs::exists(wanted)) return;
  fs::rename(folder, wanted);
  job = database.job(to);
  job.folder = wanted.string();
  database.update_job(job);
}

Deleted delete_job(const std::string& db, const std::string& name, bool with_files) {
  auto database = existing(db);
  const auto job = database.job(name);
  Deleted deleted;
  bool shared = false;
  for (const auto& other : database.jobs())
    shared = shared || (other.id != job.id && other.folder == job.folder);
  if (!shared && fs::is_directory(job.folder)) {
    deleted.folder = job.folder;
    deleted.files = written_files(job.folder);
    for (const auto& file : deleted.files)
      deleted.bytes += static_cast<double>(fs::file_size(file));
  }
  database.remove_job(job.id);
  if (!with_files) return deleted;
  for (const auto& file : deleted.files) fs::remove(file);
  std::error_code not_empty;
  fs::remove(job.folder, not_empty);
  deleted.removed = true;
  return deleted;
}

std::size_t merge_databases(const std::vector<std::string>& sources, const std::string& out,
                            const std::vector<Renaming>& renamings) {
  if (fs::exists(out))
    throw core::UsageError(out + " exists already", "name a new file with --out");
  const Parts parts(out);
  std::map<std::string, std::string> owner;  // of a name
  for (std::size_t i = 0; i < sources.size(); ++i) {
    core::check_interrupt();
    db::copy_database(sources[i], parts.file(i));
    for (const auto& name : prepare(parts.file(i), sources[i], renamings)) {
      const auto [known, is_new] = owner.emplace(name, sources[i]);
      if (!is_new)
        throw core::UsageError(
            "job '" + name + "' is in " + known->second + " and in " + sources[i],
            "give one of them another name: --rename " +
                core::quoted(sources[i] + ":" + name + "=" + name + "-2"));
    }
  }
  {
    db::Database merged(parts.file(0));
    for (std::size_t i = 1; i < sources.size(); ++i) {
      core::check_interrupt();
      merged.append(parts.file(i));
    }
  }
  fs::rename(parts.file(0), out);
  return owner.size();
}

}  // namespace mosaic::jobs
