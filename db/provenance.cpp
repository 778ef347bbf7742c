// Where the numbers of a network come from.
#include "impl.hpp"

namespace mosaic::db {
namespace {

/// ?1 is the text form or, where nothing is called so, the hash; ?2 a job, or NULL. A value of
/// another job that is repeated to the last bit was taken from there: no clock and no noise says
/// the same thing twice. CROSS JOIN: the network first, and what is known of it by the index.
constexpr const char* kProvenance = R"sql(
WITH network AS (
  SELECT id, arch, hash FROM architectures WHERE arch = ?1
    OR (hash = ?1 AND NOT EXISTS (SELECT 1 FROM architectures WHERE arch = ?1))),
numbers AS (
  SELECT m.metric, m.value, m.standard_error, NULL AS predicted, NULL AS deviation, m.unit,
         m.fidelity AS how, m.status, m.message, m.device, m.seed, m.job, m.created, m.session,
         m.id, a.arch, a.hash,
         (SELECT min(o.id) FROM measurements o
          WHERE o.architecture = m.architecture AND o.id < m.id AND o.job <> m.job
            AND o.status = 'ok' AND m.status = 'ok' AND o.metric = m.metric AND o.value = m.value
            AND o.standard_error = m.standard_error AND o.fidelity = m.fidelity
            AND o.seed = m.seed AND o.seconds = m.seconds AND o.device = m.device
            AND o.message = m.message) AS taken_from
  FROM network a CROSS JOIN measurements m ON m.architecture = a.id
  UNION ALL
  SELECT p.metric, NULL, NULL, p.mean, p.deviation, '', p.predictor, '', '', '', NULL, p.job,
         p.created, p.session, p.id, a.arch, a.hash, NULL
  FROM network a CROSS JOIN predictions p ON p.architecture = a.id)
SELECT n.metric, n.value, n.standard_error, n.predicted, n.deviation, n.unit, n.how, n.status,
       n.message, n.device, n.seed, j.name AS job, coalesce(s.version, j.version) AS version,
       coalesce(s.revision, j.revision) AS revision,
       coalesce(s.libraries, j.libraries) AS libraries, coalesce(s.threads, j.threads) AS threads,
       coalesce(s.data_checksum, j.data_checksum) AS data_checksum, j.space, j.task,
       j.seed AS job_seed, j.config_hash, n.created, n.session, n.id, n.taken_from, n.arch, n.hash
FROM numbers n JOIN jobs j ON j.id = n.job LEFT JOIN sessions s ON s.id = n.session
WHERE ?2 IS NULL OR n.job = ?2
ORDER BY n.status = '', n.id)sql";

}  // namespace

Table Reader::provenance(const std::string& arch_or_hash, std::optional<std::int64_t> job) const {
  const Snapshot snapshot(*this);
  auto rows = impl_->connection->prepare(kProvenance, arch_or_hash, job);
  Table table;
  for (int i = 0; i < rows.columns(); ++i)
    table.columns.emplace_back(sqlite3_column_name(rows.handle(), i));
  while (rows.step()) {
    auto& row = table.rows.emplace_back();
    for (int i = 0; i < rows.columns(); ++i) row.push_back(read_cell(rows.handle(), i));
  }
  return table;
}

}  // namespace mosaic::db
