#include "mosaic/db/changes.hpp"

#include <algorithm>
#include <unordered_set>

#include "impl.hpp"
#include "rows.hpp"

namespace mosaic::db {
namespace {

/// Place of a value in a short list, to which it is added where it is new. Most rows are of the
/// same kind as a row just before.
template <class T>
std::size_t place_of(std::vector<T>& known, T value) {
  const auto found = std::find(known.rbegin(), known.rend(), value);
  if (found != known.rend()) return static_cast<std::size_t>(known.rend() - found) - 1;
  known.push_back(std::move(value));
  return known.size() - 1;
}

std::int64_t last(Connection& connection, const char* column, const char* table, std::int64_t job) {
  auto row = connection.prepare(
      std::string("SELECT max(") + column + ") FROM " + table + " WHERE job = ?", job);
  return row.step() && !row.null(0) ? row.integer(0) : -1;
}

/// Whether rows up to `since` may be gone: a job that goes on after a kill goes back a little.
bool went_back(Connection& connection, std::int64_t job, const Cursor& since) {
  return since.step > last(connection, "step", "training_steps", job) ||
         since.generation > last(connection, "number", "generations", job) ||
         since.evaluation >
             std::max<std::int64_t>(0, last(connection, "number", "evaluations", job));
}

/// "+job" keeps SQLite from its index by job: rows by id are read from where they begin, in order.
void read_measurements(Connection& connection, std::int64_t job, Changes& changes) {
  auto rows = connection.prepare(
      "SELECT id, architecture, metric, fidelity, device, unit, status, value, standard_error, "
      "seconds, message FROM measurements WHERE +job = ?1 AND id > ?2 ORDER BY id",
      job, changes.cursor.measurement);
  while (rows.step()) {
    changes.cursor.measurement = rows.integer(0);
    const bool ok = rows.text(6) == "ok" && !rows.null(7);
    if (auto message = rows.text(10); !message.empty())
      changes.notes.emplace(changes.measurements.size(), std::move(message));
    changes.measurements.push_back(
        {rows.integer(1),
         place_of(changes.hows,
                  Changes::How{rows.text(2), rows.text(3), rows.text(4), rows.text(5)}),
         ok, rows.real(7), rows.real(8), rows.real(9)});
  }
}

void read_predictions(Connection& connection, std::int64_t job, Changes& changes) {
  auto rows = connection.prepare(
      "SELECT id, architecture, metric, predictor, mean, deviation FROM predictions "
      "WHERE +job = ?1 AND id > ?2 ORDER BY id",
      job, changes.cursor.prediction);
  while (rows.step()) {
    changes.cursor.prediction = rows.integer(0);
    changes.predictions.push_back({rows.integer(1),
                                   place_of(changes.bys, Changes::By{rows.text(2), rows.text(3)}),
                                   rows.real(4), rows.real(5)});
  }
}

void read_evaluations(Connection& connection, std::int64_t job, Changes& changes) {
  auto rows = connection.prepare(
      "SELECT number, architecture FROM evaluations WHERE job = ? AND number > ? ORDER BY number",
      job, changes.cursor.evaluation);
  while (rows.step()) {
    changes.cursor.evaluation = rows.integer(0);
    changes.evaluations.push_back({rows.integer(0), rows.integer(1)});
  }
}

void read_architectures(Connection& connection, Changes& changes) {
  std::unordered_set<std::int64_t> seen;
  const auto name = [&](std::int64_t id) {
    if (!seen.insert(id).second) return;
    auto row = connection.prepare("SELECT arch, hash FROM architectures WHERE id = ?", id);
    if (row.step()) changes.architectures.push_back({id, row.text(0), row.text(1)});
  };
  // In the order of evaluations, as a reader expects them.
  for (const auto& evaluation : changes.evaluations) name(evaluation.architecture);
  for (const auto& measured : changes.measurements) name(measured.architecture);
  for (const auto& predicted : changes.predictions) name(predicted.architecture);
}

}  // namespace

std::int64_t Reader::version() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->connection->integer("PRAGMA data_version");
}

Changes Reader::changes(std::int64_t job, const Cursor& since) const {
  const Snapshot snapshot(*this);
  auto& connection = *impl_->connection;
  Changes changes;
  changes.whole = since == Cursor() || went_back(connection, job, since);
  if (!changes.whole) changes.cursor = since;
  read_measurements(connection, job, changes);
  read_predictions(connection, job, changes);
  read_evaluations(connection, job, changes);
  read_architectures(connection, changes);
  changes.training = training_curve(job, changes.cursor.step);
  if (!changes.training.empty()) changes.cursor.step = changes.training.back().step;
  changes.generations = generations(job, changes.cursor.generation);
  if (!changes.generations.empty()) changes.cursor.generation = changes.generations.back().number;
  return changes;
}

std::vector<Compared> Reader::compared(std::int64_t job) const {
  const Snapshot snapshot(*this);
  // Conditions of the index measurements_good, word for word: SQLite uses it only so.
  auto rows = impl_->connection->prepare(
      "SELECT p.metric, p.predictor, p.mean, p.deviation, (SELECT m.value FROM measurements m "
      "INDEXED BY measurements_good WHERE m.job = ?1 AND m.metric = p.metric AND m.architecture = "
      "p.architecture AND m.status = 'ok' AND m.value IS NOT NULL ORDER BY m.id DESC LIMIT 1) "
      "FROM predictions p WHERE p.job = ?1 AND p.mean IS NOT NULL AND p.id = (SELECT max(l.id) "
      "FROM predictions l WHERE l.job = ?1 AND l.architecture = p.architecture "
      "AND l.metric = p.metric) ORDER BY p.id",
      job);
  std::vector<Compared> result;
  while (rows.step())
    if (!rows.null(4))
      result.push_back({rows.text(0), rows.text(1), rows.real(2), rows.real(3), rows.real(4)});
  return result;
}

}  // namespace mosaic::db
