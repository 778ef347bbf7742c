#include "impl.hpp"
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

std::vector<Job> Reader::jobs() const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
  return jobs_of(*impl_->connection);
}

std::optional<Job> Reader::find_job(const std::string& name) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
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
  std::vector<std::string> names;
  for (const auto& job : known) names.push_back(job.name);
  const auto nearest = core::nearest_name(*name, names);
  throw core::UsageError(
      impl_->path + " holds no job '" + *name + "'",
      (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") + "known: " + core::join(names));
}

std::vector<Network> Reader::networks(std::int64_t job) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
  std::vector<Network> result;
  for (auto& [id, network] : load_networks(*impl_->connection, job))
    result.push_back(std::move(network));
  return result;
}

std::optional<Network> Reader::network(std::int64_t job, const std::string& arch_or_hash) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
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

std::vector<TrainingPoint> Reader::training_curve(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<TrainingPoint> curve;
  auto rows = impl_->connection->prepare(
      "SELECT step, epoch, loss, accuracy, learning_rate, images_per_second FROM training "
      "WHERE job = ? ORDER BY step",
      job);
  while (rows.step())
    curve.push_back({rows.integer(0), read_number(rows, 1), read_number(rows, 2),
                     read_number(rows, 3), read_number(rows, 4), read_number(rows, 5)});
  return curve;
}

std::vector<Generation> Reader::generations(std::int64_t job) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
  auto& connection = *impl_->connection;
  std::vector<Generation> result;
  auto rows = connection.prepare(
      "SELECT number, evaluations, hypervolume FROM generations WHERE job = ? ORDER BY number",
      job);
  while (rows.step())
    result.push_back({rows.integer(0), rows.integer(1), read_number(rows, 2), {}});
  auto members = connection.prepare(
      "SELECT generation, architecture FROM generation_front WHERE job = ? "
      "ORDER BY generation, position",
      job);
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

std::int64_t Reader::evaluation_count(std::int64_t job) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT count(*) FROM evaluations WHERE job = ?", job);
  row.step();
  return row.integer(0);
}

}  // namespace mosaic::db
