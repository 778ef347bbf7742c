#include <algorithm>
#include <map>
#include <utility>

#include "impl.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/database.hpp"
#include "open.hpp"
#include "rows.hpp"

namespace mosaic::db {
namespace {

std::vector<Objective> objectives_of(Connection& connection, std::int64_t job) {
  std::vector<Objective> objectives;
  auto rows = connection.prepare(
      "SELECT metric, goal FROM objectives WHERE job = ? ORDER BY position", job);
  while (rows.step()) objectives.push_back({rows.text(0), rows.text(1) == "max"});
  return objectives;
}

std::vector<Constraint> constraints_of(Connection& connection, std::int64_t job) {
  std::vector<Constraint> constraints;
  auto rows = connection.prepare(
      "SELECT metric, relation, bound FROM constraints WHERE job = ? ORDER BY position", job);
  while (rows.step()) constraints.push_back({rows.text(0), rows.text(1) == "<=", rows.real(2)});
  return constraints;
}

void complete(Connection& connection, Job& job) {
  job.objectives = objectives_of(connection, job.id);
  job.constraints = constraints_of(connection, job.id);
}

std::vector<Job> jobs_of(Connection& connection) {
  std::vector<Job> jobs;
  auto rows = connection.prepare(std::string("SELECT ") + kJobColumns + " FROM jobs ORDER BY id");
  while (rows.step()) jobs.push_back(read_job(rows));
  for (auto& job : jobs) complete(connection, job);
  return jobs;
}

}  // namespace

Reader::Reader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {
  impl_->connection = open_reader(path);
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Reader::~Reader() = default;

const std::string& Reader::path() const { return impl_->path; }

Snapshot::Snapshot(const Reader& reader)
    : impl_(*reader.impl_), guard_(impl_.mutex), own_(!impl_.connection->in_transaction()) {
  if (own_) impl_.connection->run("BEGIN");
}

Snapshot::~Snapshot() {
  if (own_) sqlite3_exec(impl_.connection->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

std::vector<Job> Reader::jobs() const {
  const Snapshot snapshot(*this);
  return jobs_of(*impl_->connection);
}

std::optional<Job> Reader::find_job(const std::string& name) const {
  const Snapshot snapshot(*this);
  auto& connection = *impl_->connection;
  auto row =
      connection.prepare(std::string("SELECT ") + kJobColumns + " FROM jobs WHERE name = ?", name);
  if (!row.step()) return std::nullopt;
  Job job = read_job(row);
  complete(connection, job);
  return job;
}

Job Reader::job(const std::optional<std::string>& name) const {
  if (name) {
    if (auto found = find_job(*name)) return *found;
  }
  const auto known = jobs();
  if (known.empty())
    throw core::Error(impl_->path + " holds no job yet",
                      "`mosaic run JOB.toml --db " + impl_->path + "` makes one");
  // The latest by id, not by date: clocks jump.
  if (!name) return known.back();
  const auto names = core::mapped(known, &Job::name);
  throw core::UsageError(impl_->path + " holds no job '" + *name + "'",
                         core::known_names(*name, names));
}

std::vector<Network> Reader::networks(std::int64_t job) const {
  const Snapshot snapshot(*this);
  std::vector<Network> result;
  for (auto& [id, network] : load_networks(*impl_->connection, job))
    result.push_back(std::move(network));
  return result;
}

std::optional<Network> Reader::network(std::int64_t job, const std::string& arch_or_hash) const {
  const Snapshot snapshot(*this);
  auto& connection = *impl_->connection;
  std::vector<std::int64_t> ids;
  {
    auto rows = connection.prepare(
        "SELECT id FROM architectures a WHERE space_hash = (SELECT space_hash FROM jobs WHERE id = "
        "?1) "
        "AND (arch = ?2 OR hash = ?2) ORDER BY arch = ?2 DESC, id",
        job, arch_or_hash);
    while (rows.step()) ids.push_back(rows.integer(0));
  }
  for (const auto id : ids) {
    auto networks = load_networks(connection, job, id);
    if (!networks.empty()) return std::move(networks.begin()->second);
  }
  return std::nullopt;
}

std::optional<core::Measurement> Reader::find_measurement(
    std::optional<std::int64_t> job, const std::string& space_hash, const std::string& arch_hash,
    const std::string& metric, const std::string& fidelity,
    const std::optional<std::string>& device) const {
  const std::lock_guard guard(impl_->mutex);
  static const std::string sql =
      std::string("SELECT ") + kMeasurementColumns +
      " FROM architectures a CROSS JOIN measurements m ON m.architecture = a.id "
      "WHERE a.space_hash = ?1 AND a.hash = ?2 AND m.metric = ?3 AND m.fidelity = ?4 "
      "AND (?5 IS NULL OR m.job = ?5) AND (?6 IS NULL OR m.device = ?6) "
      "ORDER BY m.id DESC LIMIT 1";
  auto row = impl_->connection->prepare(sql, space_hash, arch_hash, metric, fidelity, job, device);
  if (!row.step()) return std::nullopt;
  return read_measurement(row, 0);
}

std::vector<Reader::Timed> Reader::measurements(std::int64_t job, const std::string& metric) const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<Timed> result;
  auto rows = impl_->connection->prepare(
      std::string("SELECT m.id, a.arch, a.hash, ") + kMeasurementColumns +
          " FROM measurements m JOIN architectures a ON a.id = m.architecture "
          "WHERE m.job = ? AND m.metric = ? ORDER BY m.id",
      job, metric);
  while (rows.step())
    result.push_back({rows.integer(0), rows.text(1), rows.text(2), read_measurement(rows, 3)});
  return result;
}

std::vector<Failure> Reader::failures(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<Failure> result;
  std::map<std::pair<std::string, std::string>, std::size_t>
      kinds;  // metric, message without numbers
  auto rows = impl_->connection->prepare(
      "SELECT f.metric, f.message FROM measurements f WHERE f.job = ?1 AND f.status = 'failed' "
      "AND f.id = (SELECT max(l.id) FROM measurements l WHERE l.job = ?1 AND l.metric = f.metric "
      "  AND l.architecture = f.architecture AND l.status = 'failed') "
      "AND NOT EXISTS (SELECT 1 FROM measurements g WHERE g.job = ?1 AND g.metric = f.metric "
      "  AND g.architecture = f.architecture AND g.status = 'ok' AND g.value IS NOT NULL) "
      "ORDER BY f.id",
      job);
  while (rows.step()) {
    std::string kind;
    for (const char c : rows.text(1))
      if (c < '0' || c > '9')
        kind += c;
      else if (!kind.ends_with('#'))
        kind += '#';
    const auto [found, fresh] = kinds.emplace(std::pair(rows.text(0), kind), result.size());
    if (fresh) result.push_back({0, rows.text(0), rows.text(1)});
    ++result[found->second].networks;
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Failure& a, const Failure& b) { return a.networks > b.networks; });
  return result;
}

std::vector<Suspect> Reader::suspects(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<Suspect> result;
  auto rows = impl_->connection->prepare(
      std::string("SELECT a.id, a.arch, a.hash, ") + kMeasurementColumns +
          " FROM measurements m JOIN architectures a ON a.id = m.architecture "
          "WHERE m.job = ?1 AND m.status = 'ok' AND m.message <> '' AND m.value IS NOT NULL "
          "AND m.metric <> 'latency_reference_ms' AND m.id = (SELECT max(l.id) FROM measurements l "
          "  WHERE l.job = ?1 AND l.metric = m.metric AND l.architecture = m.architecture "
          "  AND l.status = 'ok' AND l.value IS NOT NULL) ORDER BY m.id",
      job);
  while (rows.step()) {
    auto measurement = read_measurement(rows, 3);
    if (measurement.suspect())
      result.push_back({rows.integer(0), rows.text(1), rows.text(2), std::move(measurement)});
  }
  return result;
}

std::vector<TrainingPoint> Reader::training_curve(std::int64_t job, std::int64_t after) const {
  const Snapshot snapshot(*this);
  std::vector<TrainingPoint> curve;
  auto rows = impl_->connection->prepare(
      "SELECT step, epoch, learning_rate, examples_per_second FROM training_steps "
      "WHERE job = ? AND step > ? ORDER BY step",
      job, after);
  while (rows.step())
    curve.push_back({rows.integer(0), rows.real(1), rows.real(2), rows.real(3), {}});
  auto values = impl_->connection->prepare(
      "SELECT step, metric, value FROM training_metrics WHERE job = ? AND step > ? ORDER BY step",
      job, after);
  for (auto point = curve.begin(); values.step();) {
    while (point->step < values.integer(0)) ++point;
    point->metrics[values.text(1)] = values.real(2);
  }
  return curve;
}

std::vector<Generation> Reader::generations(std::int64_t job, std::int64_t after) const {
  const Snapshot snapshot(*this);
  auto& connection = *impl_->connection;
  std::vector<Generation> result;
  auto rows = connection.prepare(
      "SELECT number, evaluations, hypervolume FROM generations WHERE job = ? AND number > ? "
      "ORDER BY number",
      job, after);
  while (rows.step()) result.push_back({rows.integer(0), rows.integer(1), rows.real(2), {}});
  auto members = connection.prepare(
      "SELECT generation, architecture FROM generation_front WHERE job = ? AND generation > ? "
      "ORDER BY generation, position",
      job, after);
  auto generation = result.begin();
  while (members.step()) {
    while (generation != result.end() && generation->number < members.integer(0)) ++generation;
    if (generation == result.end()) break;
    generation->front.push_back(members.integer(1));
  }
  return result;
}

std::optional<std::string> Reader::state(std::int64_t job, const std::string& phase) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT state FROM states WHERE job = ? AND phase = ?", job,
                                        phase);
  if (!row.step()) return std::nullopt;
  return row.blob(0);
}

std::vector<Reader::Evaluation> Reader::evaluations(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<Evaluation> result;
  auto rows = impl_->connection->prepare(
      "SELECT e.number, a.arch, a.hash FROM evaluations e JOIN architectures a "
      "ON a.id = e.architecture WHERE e.job = ? ORDER BY e.number",
      job);
  while (rows.step()) result.push_back({rows.integer(0), rows.text(1), rows.text(2)});
  return result;
}

bool Reader::has_nothing(std::int64_t job) const {
  const Snapshot snapshot(*this);
  for (const auto* table : {"measurements", "predictions", "evaluations", "training_steps"})
    if (impl_->connection->prepare("SELECT 1 FROM " + std::string(table) + " WHERE job = ?", job)
            .step())
      return false;
  return true;
}

std::int64_t Reader::evaluation_count(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT count(*) FROM evaluations WHERE job = ?", job);
  row.step();
  return row.integer(0);
}

}  // namespace mosaic::db
