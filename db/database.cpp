#include "mosaic/db/database.hpp"

#include <unistd.h>

#include <cmath>
#include <limits>

#include "impl.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "open.hpp"
#include "schema.hpp"

namespace mosaic::db {
namespace {

/// What SQLite can compare and sort; the rest is NULL.
double finite_or_nan(double value) {
  return std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
}

void set_journal(Connection& connection) {
  const auto& path = connection.path();
  const auto system = network_file_system_of(folder_of(real_path(path)));
  // The write-ahead log needs memory shared by all who have the file open, which machines have not.
  const std::string wanted = system.empty() ? "wal" : "delete";
  std::string mode;
  {
    auto row = connection.prepare("PRAGMA journal_mode = " + wanted);
    if (row.step()) mode = row.text(0);
  }
  if (!system.empty()) {
    if (mode == "wal")
      throw core::Error(
          path + " is on a network file system (" + system +
              ") and its write-ahead log cannot be given up while others have it open",
          "end the programs that read it, or use a database on a local disk (--db)");
    core::log_warning(network_advice(path, system, true, false));
  } else if (mode != wanted) {
    core::log_warning(path + " lies where SQLite's write-ahead log does not work (journal mode " +
                      mode +
                      "): readers wait while results are written. Another disk is faster "
                      "(--db)");
  }
  connection.run("PRAGMA journal_size_limit = 67108864");
  // 32 MiB: a page that many generations change goes into the file once, not every other
  // generation.
  connection.run("PRAGMA wal_autocheckpoint = 8192");
}

void add_objectives(Connection& connection, const Job& job) {
  std::int64_t position = 0;
  for (const auto& objective : job.objectives)
    connection.run("INSERT INTO objectives (job, position, metric, goal) VALUES (?, ?, ?, ?)",
                   job.id, position++, objective.metric, objective.maximise ? "max" : "min");
}

void add_constraints(Connection& connection, const Job& job) {
  std::int64_t position = 0;
  for (const auto& constraint : job.constraints) {
    if (!std::isfinite(constraint.bound))
      throw core::UsageError(
          "the bound on " + constraint.metric + " of job '" + job.name + "' is not a finite number",
          "give a number, or leave the constraint out");
    connection.run(
        "INSERT INTO constraints (job, position, metric, relation, bound) VALUES (?, ?, ?, ?, ?)",
        job.id, position++, constraint.metric, constraint.upper ? "<=" : ">=", constraint.bound);
  }
}

/// Brings a file to this build's version of the schema, all at once. Columns are made where they
/// are missing: version 1 had none, and who deletes `members` by hand gets them anew.
void migrate(Connection& connection) {
  if (stored_version(connection) < schema_version()) {
    for (const View& view : views()) {
      const std::string name = view.name;  // before version 4 `training` was a table
      if (connection.integer("SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name = '" +
                             name + "'") > 0)
        connection.script("DROP VIEW " + name);
    }
    for (int from = stored_version(connection); from < schema_version(); ++from)
      connection.script(migration(from));
    for (const View& view : views()) connection.script(view.sql);
  }
  connection.script("PRAGMA application_id = " + std::to_string(kApplicationId) +
                    "; PRAGMA user_version = " + std::to_string(schema_version()));
}

bool lacks_columns(Connection& connection) {
  return connection.integer(
             "SELECT NOT EXISTS (SELECT 1 FROM members) AND EXISTS (SELECT 1 FROM measurements "
             "WHERE status = 'ok' AND value IS NOT NULL)") != 0;
}

}  // namespace

Database::Database(const std::string& path, const WriterOptions& options)
    : Reader(std::make_unique<Impl>(path)) {
  check_folder(path);
  inspect_file(path);
  impl_->lock = std::make_unique<WriterLock>(path);
  impl_->connection = open_writer(path, options.busy_milliseconds);
  auto& connection = *impl_->connection;
  connection.run("PRAGMA foreign_keys = ON");
  // What a savepoint needs to be rolled back: in a file it would be written and thrown away.
  connection.run("PRAGMA temp_store = MEMORY");
  // Results are no secret. Some builds of SQLite (Debian's) overwrite what is replaced with zeros,
  // and so write a state twice.
  connection.run("PRAGMA secure_delete = OFF");
  survive_power_failure(options.survive_power_failure);
  impl_->libraries = options.libraries;
  const bool older = stored_version(connection) < schema_version();
  if (older || lacks_columns(connection))
    transaction([&] {
      if (older) migrate(connection);
      rebuild_columns(connection);
    });
  set_journal(connection);
}

Database::~Database() = default;

void Database::survive_power_failure(bool survive) {
  const std::lock_guard guard(impl_->mutex);
  // With NORMAL, a commit survives a kill of this process but not a power failure, because the log
  // is only synchronised at checkpoints. FULL is the default: a measurement may have cost minutes,
  // and trained weights are synchronised when they are written, which the database must not fall
  // behind. Who has many small things to write puts them in one transaction().
  impl_->connection->run(survive ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

void Database::transaction(const std::function<void()>& body) {
  const std::lock_guard guard(impl_->mutex);
  auto& connection = *impl_->connection;
  const bool outermost = impl_->depth == 0;
  if (!outermost && !connection.in_transaction())
    throw core::Error("a transaction on " + impl_->path + " was rolled back by an earlier error",
                      "begin it again");
  connection.run(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT nested");
  ++impl_->depth;
  const auto before = impl_->pending.mark();
  try {
    body();
    if (outermost) {
      impl_->pending.flush(connection);
      core::crash_point("db commit");
    }
    connection.run(outermost ? "COMMIT" : "RELEASE nested");
    --impl_->depth;
    if (outermost) impl_->pending.clear();
  } catch (...) {
    --impl_->depth;
    impl_->pending.go_back(before);
    impl_->forget();
    // Some errors (a full disk) have rolled everything back already.
    if (connection.in_transaction())
      sqlite3_exec(connection.handle(),
                   outermost ? "ROLLBACK" : "ROLLBACK TO nested; RELEASE nested", nullptr, nullptr,
                   nullptr);
    throw;
  }
  if (outermost) core::crash_point("db commit");
}

void Database::write(const std::function<void()>& body) {
  const std::lock_guard guard(impl_->mutex);
  // One statement is all or nothing by itself. A savepoint for each costs more than the statement.
  if (impl_->depth > 0 && impl_->connection->in_transaction())
    body();
  else
    transaction(body);
}

void Database::create_job(Job& job) {
  transaction([&] {
    auto& connection = *impl_->connection;
    if (const auto taken = find_job(job.name))
      throw core::Error(impl_->path + " already holds a job '" + job.name + "' (" + taken->status +
                            ", begun " + taken->created + ")",
                        "choose another name, go on with it by `mosaic resume " + job.name +
                            "`, or use another database with --db");
    Job made = job;
    made.created = core::utc_now();
    made.updated = made.created;
    connection.run(
        "INSERT INTO jobs (name, status, phase, config, config_hash, config_path, seed, space, "
        "space_hash, task, data_checksum, device, threads, version, revision, libraries, folder, "
        "message, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?)",
        made.name, made.status, made.phase, made.config, made.config_hash, made.config_path,
        std::to_string(made.seed), made.space, made.space_hash, made.task, made.data_checksum,
        made.device, made.threads, made.version, made.revision, made.libraries, made.folder,
        made.message, made.created, made.updated);
    made.id = connection.last_id();
    add_objectives(connection, made);
    add_constraints(connection, made);
    job = made;
  });
}

void Database::update_job(const Job& job) {
  transaction([&] {
    auto& connection = *impl_->connection;
    {
      // What is measured from now on comes from elsewhere than what was measured before.
      auto same = connection.prepare(
          "SELECT 1 FROM jobs WHERE id = ? AND device = ? AND threads = ? AND data_checksum = ? "
          "AND libraries = ?",
          job.id, job.device, job.threads, job.data_checksum, job.libraries);
      if (!same.step()) impl_->sessions.erase(job.id);
    }
    connection.run(
        "UPDATE jobs SET status = ?, phase = ?, message = ?, config = ?, config_hash = ?, device = "
        "?, threads = ?, folder = ?, data_checksum = ?, version = ?, revision = ?, libraries = ?, "
        "updated = ? WHERE id = ?",
        job.status, job.phase, job.message, job.config, job.config_hash, job.device, job.threads,
        job.folder, job.data_checksum, job.version, job.revision, job.libraries, core::utc_now(),
        job.id);
    if (sqlite3_changes(connection.handle()) == 0)
      throw core::Error(impl_->path + " holds no job with id " + std::to_string(job.id) + " ('" +
                        job.name + "')");
  });
}

bool Database::discard_job(std::int64_t job) {
  bool gone = false;
  transaction([&] {
    if (!has_nothing(job)) return;
    auto& connection = *impl_->connection;
    connection.run("DELETE FROM jobs WHERE id = ?", job);
    gone = sqlite3_changes(connection.handle()) > 0;
    if (gone) impl_->sessions.erase(job);
  });
  return gone;
}

std::int64_t Database::architecture(const std::string& space_hash, const std::string& arch,
                                    const std::string& hash) {
  constexpr std::size_t kRemembered = 20'000;
  const std::lock_guard guard(impl_->mutex);
  auto& connection = *impl_->connection;
  auto& remembered = impl_->architectures;
  const std::string key = space_hash + "\n" + arch;
  auto known = remembered.find(key);
  if (known == remembered.end()) {
    if (remembered.size() >= kRemembered) remembered.clear();
    auto row = connection.prepare(
        "SELECT id, hash FROM architectures WHERE space_hash = ? AND arch = ?", space_hash, arch);
    if (row.step()) known = remembered.emplace(key, Impl::Known{row.integer(0), row.text(1)}).first;
  }
  if (known != remembered.end()) {
    if (known->second.hash != hash)
      throw core::Error("network " + arch + " has hash " + hash + ", but " + known->second.hash +
                            " in " + impl_->path,
                        "the space changed without changing its identity: use a new database");
    return known->second.id;
  }
  std::int64_t id = 0;
  write([&] {
    connection.run("INSERT INTO architectures (space_hash, arch, hash) VALUES (?, ?, ?)",
                   space_hash, arch, hash);
    id = connection.last_id();
  });
  remembered.emplace(key, Impl::Known{id, hash});
  return id;
}

std::optional<std::int64_t> Database::session(std::int64_t job) {
  const auto known = impl_->sessions.find(job);
  if (known != impl_->sessions.end()) return known->second;
  auto& connection = *impl_->connection;
  // Of libraries the job's row speaks only if this build began the job.
  connection.run(
      "INSERT INTO sessions (job, version, revision, libraries, device, threads, data_checksum, "
      "process, created) SELECT id, ?2, ?3, CASE WHEN ?4 <> '' THEN ?4 WHEN version = ?2 AND "
      "revision = ?3 THEN libraries ELSE '' END, device, threads, data_checksum, ?5, ?6 "
      "FROM jobs WHERE id = ?1",
      job, core::version(), core::revision(), impl_->libraries,
      static_cast<std::int64_t>(::getpid()), core::utc_now());
  if (sqlite3_changes(connection.handle()) == 0) return std::nullopt;
  return impl_->sessions[job] = connection.last_id();
}

void Database::add_measurement(std::int64_t job, std::int64_t architecture,
                               const core::Measurement& m) {
  write([&] {
    impl_->connection->run(
        "INSERT INTO measurements (job, architecture, metric, value, unit, standard_error, "
        "fidelity, seed, seconds, device, status, message, created, session) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        job, architecture, m.metric, finite_or_nan(m.value), m.unit,
        finite_or_nan(m.standard_error), m.fidelity, std::to_string(m.seed),
        finite_or_nan(m.seconds), m.device, m.status == core::Status::ok ? "ok" : "failed",
        m.message, core::utc_now(), session(job));
    if (m.ok()) impl_->pending.add(job, architecture, m.metric, m.value);
  });
}

void Database::add_prediction(std::int64_t job, std::int64_t architecture,
                              const std::string& metric, double mean, double deviation,
                              const std::string& predictor) {
  // A job that goes on says again what it said before: the same predictor's word replaces the old
  // one and is the latest again.
  write([&] {
    impl_->connection->run(
        "INSERT OR REPLACE INTO predictions (job, architecture, metric, mean, deviation, "
        "predictor, created, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        job, architecture, metric, finite_or_nan(mean), finite_or_nan(deviation), predictor,
        core::utc_now(), session(job));
  });
}

std::int64_t Database::number_evaluation(std::int64_t job, std::int64_t architecture) {
  const std::lock_guard guard(impl_->mutex);
  auto& connection = *impl_->connection;
  {
    auto row = connection.prepare(
        "SELECT number FROM evaluations WHERE job = ? AND architecture = ?", job, architecture);
    if (row.step()) return row.integer(0);
  }
  std::int64_t number = 0;
  write([&] {
    {
      auto row = connection.prepare(
          "SELECT coalesce(max(number), 0) + 1 FROM evaluations WHERE job = ?", job);
      row.step();
      number = row.integer(0);
    }
    connection.run(
        "INSERT INTO evaluations (job, number, architecture, created, known) VALUES (?, ?, ?, ?, "
        "(SELECT coalesce(max(id), 0) FROM measurements))",
        job, number, architecture, core::utc_now());
  });
  return number;
}

void Database::add_training_point(std::int64_t job, const TrainingPoint& point) {
  transaction([&] {
    auto& connection = *impl_->connection;
    connection.run("DELETE FROM training_steps WHERE job = ? AND step = ?", job, point.step);
    connection.run(
        "INSERT INTO training_steps (job, step, epoch, learning_rate, examples_per_second) "
        "VALUES (?, ?, ?, ?, ?)",
        job, point.step, finite_or_nan(point.epoch), finite_or_nan(point.learning_rate),
        finite_or_nan(point.examples_per_second));
    for (const auto& [metric, value] : point.metrics)
      connection.run("INSERT INTO training_metrics (job, step, metric, value) VALUES (?, ?, ?, ?)",
                     job, point.step, metric, finite_or_nan(value));
  });
}

void Database::truncate_training(std::int64_t job, std::int64_t step) {
  write([&] {
    impl_->connection->run("DELETE FROM training_steps WHERE job = ? AND step > ?", job, step);
  });
}

void Database::add_generation(std::int64_t job, const Generation& generation) {
  transaction([&] {
    auto& connection = *impl_->connection;
    connection.run("DELETE FROM generations WHERE job = ? AND number = ?", job, generation.number);
    connection.run(
        "INSERT INTO generations (job, number, evaluations, hypervolume, created) "
        "VALUES (?, ?, ?, ?, ?)",
        job, generation.number, generation.evaluations, finite_or_nan(generation.hypervolume),
        core::utc_now());
    std::int64_t position = 0;
    for (const auto architecture : generation.front)
      connection.run(
          "INSERT INTO generation_front (job, generation, position, architecture) "
          "VALUES (?, ?, ?, ?)",
          job, generation.number, position++, architecture);
  });
}

void Database::save_state(std::int64_t job, const std::string& phase, const std::string& state) {
  write([&] {
    impl_->connection->run(
        "INSERT OR REPLACE INTO states (job, phase, state, updated) VALUES (?, ?, ?, ?)", job,
        phase, Blob{state}, core::utc_now());
  });
}

void Database::rewind(std::int64_t job, std::int64_t generation, std::int64_t evaluations) {
  transaction([&] {
    auto& connection = *impl_->connection;
    connection.run("DELETE FROM generations WHERE job = ? AND number > ?", job, generation);
    connection.run("DELETE FROM evaluations WHERE job = ? AND number > ?", job, evaluations);
  });
}

}  // namespace mosaic::db
