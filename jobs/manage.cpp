#include "mosaic/jobs/manage.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "begin.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/file.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/workplace.hpp"

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

/// Whether a file in a job's folder is one that Mosaic wrote for it: a supernet, several, networks
/// alone, or the predictor of a metric.
bool is_written(const db::Reader& database, const db::Job& job, const std::string& name) {
  if (name == "supernet.safetensors" || name == "supernets.safetensors") return true;
  const std::string alone = "alone-", weights = ".safetensors", predictor = ".predictor.json";
  if (name.starts_with(alone) && name.ends_with(weights) &&
      name.size() == alone.size() + 12 + weights.size())
    return name.find_first_not_of("0123456789abcdef", alone.size()) == name.rfind(weights);
  return name.ends_with(predictor) &&
         database.state(job.id, "predictor " + name.substr(0, name.size() - predictor.size()));
}

std::vector<std::string> written_files(const db::Reader& database, const db::Job& job,
                                       const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_regular_file(ignored) &&
        is_written(database, job, entry.path().filename().string()))
      files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// What tells where a job has its files if its file does not say so.
JobFile named(const std::string& job) {
  JobFile file;
  file.name = job;
  return file;
}

fs::path real_path(const fs::path& path) {
  std::error_code error;
  auto real = fs::weakly_canonical(path, error);
  return error ? path : real;
}

bool is_sqlite(const fs::path& path) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::string begin(kMagic.size(), ' ');
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return file && begin == kMagic;
}

/// Another database whose jobs' files would have the same place: "r.bak" beside "r.db".
bool has_namesake(const fs::path& db) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(db.parent_path(), ignored))
    if (entry.path().stem() == db.stem() && entry.path() != db && entry.is_regular_file(ignored) &&
        !fs::equivalent(entry.path(), db, ignored) && is_sqlite(entry.path()))
      return true;
  return false;
}

/// Why the folder of a job may be in use by others than this job of this database; empty: it is its
/// own. Copies of a database, and what it was merged into, name the same folder, but only here does
/// it lie where the database has the files of its jobs.
std::string shared_by(const db::Reader& database, const db::Job& job, const std::string& folder) {
  const auto real = real_path(folder);
  for (const auto& other : database.jobs())
    if (other.id != job.id && real_path(other.folder) == real)
      return "job '" + other.name + "' uses it too";
  const auto db = fs::absolute(database.path());
  const auto own = fs::path(job_folder(named(job.name), db.string())).parent_path();
  if (real.parent_path() != real_path(own)) return "it is not in " + own.string();
  return has_namesake(db) ? "another database beside " + database.path() + " may use it" : "";
}

/// Throws UsageError where a file of this name, or a log of one that was there, is left: SQLite
/// would take the log for part of the new file.
void expect_nothing(const std::string& out) {
  if (fs::exists(fs::symlink_status(out)))
    throw core::UsageError(out + " exists already", "name a new file with --out");
  for (const char* suffix : {"-wal", "-shm", "-journal"})
    if (const auto left = out + suffix; fs::exists(fs::symlink_status(left)))
      throw core::UsageError(
          left + " is left of a database that is gone, and would become part of the new one",
          "name another file with --out, or, if nothing is missing, remove it: rm " +
              core::quoted(left));
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
  if (folder.filename() != from || !fs::is_directory(folder) ||
      !shared_by(database, job, job.folder).empty())
    return;
  const auto wanted = folder.parent_path() / to;
  if (fs::exists(wanted)) return;
  std::error_code error;
  fs::rename(folder, wanted, error);
  if (error) return;
  job = database.job(to);
  job.folder = wanted.string();
  database.update_job(job);
}

Deleted delete_job(const std::string& db, const std::string& name, bool with_files) {
  auto database = existing(db);
  const auto job = database.job(name);
  Deleted deleted;
  deleted.folder = existing_folder(job, named(name), db);
  deleted.files = written_files(database, job, deleted.folder);
  for (const auto& file : deleted.files) {
    std::error_code gone;
    const auto bytes = fs::file_size(file, gone);
    if (!gone) deleted.bytes += static_cast<double>(bytes);
  }
  deleted.shared = shared_by(database, job, deleted.folder);
  database.remove_job(job.id);
  if (!with_files || !deleted.shared.empty()) return deleted;
  std::error_code error;
  for (const auto& file : deleted.files) {
    fs::remove(file, error);
    if (error)
      throw core::Error(
          "job '" + name + "' is deleted, but not its file " + file + ": " + error.message(),
          "delete it yourself");
  }
  if (fs::is_directory(deleted.folder)) fs::remove(deleted.folder, error);  // where it is empty
  deleted.removed = true;
  return deleted;
}

std::size_t merge_databases(const std::vector<std::string>& sources, const std::string& out,
                            const std::vector<Renaming>& renamings) {
  expect_nothing(out);
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
      if (const auto own = db::own_tables(parts.file(i)); !own.empty())
        core::log_warning("left out of " + sources[i] + ", as Mosaic did not make them: " +
                          (own.size() == 1 ? "table " : "tables ") + core::join(own));
      merged.append(parts.file(i));
    }
  }
  db::take_log_in(parts.file(0));
  fs::rename(parts.file(0), out);
  return owner.size();
}

}  // namespace mosaic::jobs
