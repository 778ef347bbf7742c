#include "rows.hpp"

#include <charconv>
#include <limits>

namespace mosaic::db {
namespace {

/// Seeds use all 64 bits, which no SQLite integer holds without turning negative: they are text.
std::uint64_t parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  std::from_chars(text.data(), text.data() + text.size(), seed);
  return seed;
}

}  // namespace

std::uint64_t read_seed(const Statement& row, int column) { return parse_seed(row.text(column)); }

double read_number(const Statement& row, int column) {
  return row.null(column) ? std::numeric_limits<double>::quiet_NaN() : row.real(column);
}

core::Measurement read_measurement(const Statement& row, int first) {
  core::Measurement m;
  m.metric = row.text(first);
  m.value = read_number(row, first + 1);
  m.unit = row.text(first + 2);
  m.standard_error = read_number(row, first + 3);
  m.fidelity = row.text(first + 4);
  m.seed = parse_seed(row.text(first + 5));
  m.seconds = read_number(row, first + 6);
  m.device = row.text(first + 7);
  m.status = row.text(first + 8) == "ok" ? core::Status::ok : core::Status::failed;
  m.message = row.text(first + 9);
  return m;
}

Job read_job(const Statement& row) {
  Job job;
  job.id = row.integer(0);
  job.name = row.text(1);
  job.status = row.text(2);
  job.phase = row.text(3);
  job.config = row.text(4);
  job.config_hash = row.text(5);
  job.config_path = row.text(6);
  job.seed = parse_seed(row.text(7));
  job.space = row.text(8);
  job.space_hash = row.text(9);
  job.task = row.text(10);
  job.data_checksum = row.text(11);
  job.device = row.text(12);
  job.threads = static_cast<int>(row.integer(13));
  job.version = row.text(14);
  job.revision = row.text(15);
  job.libraries = row.text(16);
  job.folder = row.text(17);
  job.message = row.text(18);
  job.created = row.text(19);
  job.updated = row.text(20);
  return job;
}

std::map<std::int64_t, Network> load_networks(Connection& connection, std::int64_t job,
                                              std::optional<std::int64_t> only,
                                              std::optional<std::int64_t> known) {
  const std::string filter = only ? " AND t.architecture = ?2" : "";
  std::map<std::int64_t, Network> networks;

  auto measured = connection.prepare(
      std::string("SELECT m.architecture, m.id, ") + kMeasurementColumns +
          " FROM (SELECT * FROM measurements t WHERE t.job = ?1" + filter + ") m ORDER BY m.id",
      job, only);
  while (measured.step()) {
    auto& network = networks[measured.integer(0)];
    auto measurement = read_measurement(measured, 2);
    if (!measurement.ok()) continue;
    if (known && measured.integer(1) > *known && network.metrics.contains(measurement.metric))
      continue;
    network.metrics[measurement.metric] = std::move(measurement);
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

}  // namespace mosaic::db
