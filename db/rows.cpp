#include "rows.hpp"

namespace mosaic::db {

core::Measurement read_measurement(const Statement& row, int first) {
  core::Measurement m;
  std::string status;
  read(row, first, m.metric, m.value, m.unit, m.standard_error, m.fidelity, m.seed, m.seconds,
       m.device, status, m.message);
  m.status = status == "ok" ? core::Status::ok : core::Status::failed;
  return m;
}

Job read_job(const Statement& row) {
  Job job;
  read(row, 0, job.id, job.name, job.status, job.phase, job.config, job.config_hash,
       job.config_path, job.seed, job.space, job.space_hash, job.task, job.data_checksum,
       job.device, job.threads, job.version, job.revision, job.libraries, job.folder, job.message,
       job.created, job.updated);
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
  while (predicted.step()) {
    auto& one = networks[predicted.integer(0)].predicted[predicted.text(1)];
    read(predicted, 2, one.mean, one.deviation, one.predictor);
  }
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
