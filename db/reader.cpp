#include <algorithm>
#include <limits>
#include <map>

#include "impl.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/pareto.hpp"
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

std::vector<Job> jobs_of(Connection& connection) {
  std::vector<Job> jobs;
  auto rows = connection.prepare(std::string("SELECT ") + kJobColumns + " FROM jobs ORDER BY id");
  while (rows.step()) jobs.push_back(read_job(rows));
  for (auto& job : jobs) job.objectives = objectives_of(connection, job.id);
  return jobs;
}

/// Networks of a job by architecture id; with `only`, that one network.
std::map<std::int64_t, Network> load_networks(Connection& connection, std::int64_t job,
                                              std::optional<std::int64_t> only = std::nullopt) {
  const std::string filter = only ? " AND t.architecture = ?2" : "";
  std::map<std::int64_t, Network> networks;

  auto measured = connection.prepare(std::string("SELECT m.architecture, ") + kMeasurementColumns +
                                         " FROM (SELECT * FROM measurements t WHERE t.job = ?1" +
                                         filter + ") m ORDER BY m.id",
                                     job, only);
  while (measured.step()) {
    auto& network = networks[measured.integer(0)];
    auto measurement = read_measurement(measured, 1);
    if (measurement.ok()) network.metrics[measurement.metric] = std::move(measurement);
  }
  auto predicted = connection.prepare(
      "SELECT t.architecture, t.metric, t.mean, t.deviation, t.predictor FROM predictions t "
      "WHERE t.job = ?1" +
          filter + " ORDER BY t.id",
      job, only);
  while (predicted.step())
    networks[predicted.integer(0)].predicted[predicted.text(1)] = {
        read_number(predicted, 2), read_number(predicted, 3), predicted.text(4)};
  auto evaluated = connection.prepare(
      "SELECT t.architecture, t.number FROM evaluations t WHERE t.job = ?1" + filter, job, only);
  while (evaluated.step()) networks[evaluated.integer(0)].evaluation = evaluated.integer(1);

  for (auto& [id, network] : networks) {
    network.architecture = id;
    auto row = connection.prepare("SELECT arch, hash FROM architectures WHERE id = ?", id);
    if (!row.step()) continue;
    network.arch = row.text(0);
    network.hash = row.text(1);
  }
  return networks;
}

struct Candidate {
  std::int64_t architecture;
  std::int64_t found;  ///< evaluation number; the last of all where it has none
  std::vector<double> costs;
};

constexpr auto kNeverNumbered = std::numeric_limits<std::int64_t>::max();

/// Condition of the index measurements_good, word for word: SQLite uses it only so.
constexpr const char* kLatestValue =
    "SELECT value FROM measurements INDEXED BY measurements_good WHERE job = ? AND metric = ? "
    "AND architecture = ? AND status = 'ok' AND value IS NOT NULL ORDER BY id DESC LIMIT 1";
constexpr const char* kAllValues =
    "SELECT architecture, value FROM measurements INDEXED BY measurements_good WHERE job = ? "
    "AND metric = ? AND status = 'ok' AND value IS NOT NULL ORDER BY architecture, id";

double cost_of(const Objective& objective, double value) {
  return objective.maximise ? -value : value;
}

/// The networks numbered up to `at` with all objectives measured.
std::vector<Candidate> candidates_at(Connection& connection, const Job& job, std::int64_t at) {
  std::vector<Candidate> candidates;
  auto rows = connection.prepare(
      "SELECT architecture, number FROM evaluations WHERE job = ? AND number <= ? ORDER BY number",
      job.id, at);
  while (rows.step()) {
    Candidate candidate{rows.integer(0), rows.integer(1), {}};
    for (const auto& objective : job.objectives) {
      auto value =
          connection.prepare(kLatestValue, job.id, objective.metric, candidate.architecture);
      if (!value.step()) break;
      candidate.costs.push_back(cost_of(objective, value.real(0)));
    }
    if (candidate.costs.size() == job.objectives.size()) candidates.push_back(std::move(candidate));
  }
  return candidates;
}

/// Puts this objective's latest value behind the costs of each candidate, and drops those that have
/// none. Candidates and rows are sorted by architecture.
void add_costs(std::vector<Candidate>& candidates, const Objective& objective, Statement rows) {
  std::size_t kept = 0;
  std::size_t next = 0;
  bool more = rows.step();
  while (more) {
    const auto architecture = rows.integer(0);
    double value = rows.real(1);
    while ((more = rows.step()) && rows.integer(0) == architecture) value = rows.real(1);
    while (next < candidates.size() && candidates[next].architecture < architecture) ++next;
    if (next == candidates.size()) break;
    if (candidates[next].architecture != architecture) continue;
    candidates[next].costs.push_back(cost_of(objective, value));
    if (kept != next) candidates[kept] = std::move(candidates[next]);
    ++kept;
    ++next;
  }
  candidates.resize(kept);
}

/// All networks with all objectives measured, in the order in which they were found.
std::vector<Candidate> all_candidates(Connection& connection, const Job& job) {
  std::vector<Candidate> candidates;
  if (job.objectives.empty()) return candidates;
  auto rows = connection.prepare(
      "SELECT m.architecture, e.number FROM "
      "(SELECT DISTINCT architecture FROM measurements INDEXED BY measurements_good WHERE job = ?1 "
      "AND metric = ?2 AND status = 'ok' AND value IS NOT NULL) m "
      "LEFT JOIN evaluations e ON e.job = ?1 AND e.architecture = m.architecture "
      "ORDER BY m.architecture",
      job.id, job.objectives.front().metric);
  while (rows.step())
    candidates.push_back({rows.integer(0), rows.null(1) ? kNeverNumbered : rows.integer(1), {}});
  for (const auto& objective : job.objectives)
    add_costs(candidates, objective, connection.prepare(kAllValues, job.id, objective.metric));
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.found < b.found; });
  return candidates;
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
  job.objectives = objectives_of(connection, job.id);
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

std::vector<Network> Reader::front(const Job& job, std::optional<std::int64_t> at) const {
  const Snapshot snapshot(*impl_->connection, impl_->mutex);
  auto& connection = *impl_->connection;
  auto candidates = at ? candidates_at(connection, job, *at) : all_candidates(connection, job);
  std::vector<std::vector<double>> points;
  points.reserve(candidates.size());
  for (auto& candidate : candidates) points.push_back(std::move(candidate.costs));
  std::vector<Network> result;
  for (const auto index : core::pareto_front(points)) {
    const auto id = candidates[index].architecture;
    result.push_back(std::move(load_networks(connection, job.id, id).at(id)));
  }
  return result;
}

std::optional<core::Measurement> Reader::find_measurement(
    std::optional<std::int64_t> job, const std::string& space_hash, const std::string& arch_hash,
    const std::string& metric, const std::string& fidelity,
    const std::optional<std::string>& device) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->connection->prepare(
      std::string("SELECT ") + kMeasurementColumns +
          " FROM architectures a CROSS JOIN measurements m ON m.architecture = a.id "
          "WHERE a.space_hash = ?1 AND a.hash = ?2 AND m.metric = ?3 AND m.fidelity = ?4 "
          "AND (?5 IS NULL OR m.job = ?5) AND (?6 IS NULL OR m.device = ?6) "
          "ORDER BY m.id DESC LIMIT 1",
      space_hash, arch_hash, metric, fidelity, job, device);
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

}  // namespace mosaic::db
