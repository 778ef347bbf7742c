#include "schema.hpp"

#include <array>
#include <cstdio>

#include "mosaic/core/error.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::db {
namespace {

// Nothing here asks for a recent SQLite (no STRICT, no MATERIALIZED): a `sqlite3` of some years ago
// must be able to open the file, and one word that it does not know makes it refuse all of it.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  phase TEXT NOT NULL,
  message TEXT NOT NULL,
  config TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  config_path TEXT NOT NULL,
  seed TEXT NOT NULL,
  space TEXT NOT NULL,
  space_hash TEXT NOT NULL,
  task TEXT NOT NULL,
  data_checksum TEXT NOT NULL,
  device TEXT NOT NULL,
  threads INTEGER NOT NULL,
  version TEXT NOT NULL,
  revision TEXT NOT NULL,
  libraries TEXT NOT NULL,
  folder TEXT NOT NULL,
  created TEXT NOT NULL,
  updated TEXT NOT NULL
);

CREATE TABLE objectives (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric TEXT NOT NULL,
  goal TEXT NOT NULL CHECK (goal IN ('min', 'max')),
  PRIMARY KEY (job, position)
) WITHOUT ROWID;

CREATE TABLE architectures (
  id INTEGER PRIMARY KEY,
  space_hash TEXT NOT NULL,
  arch TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (space_hash, arch)
);
CREATE INDEX architectures_by_hash ON architectures (space_hash, hash);

CREATE TABLE measurements (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  metric TEXT NOT NULL,
  value REAL,
  unit TEXT NOT NULL,
  standard_error REAL,
  fidelity TEXT NOT NULL,
  seed TEXT NOT NULL,
  seconds REAL,
  device TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
  message TEXT NOT NULL,
  created TEXT NOT NULL
);
CREATE INDEX measurements_good ON measurements (job, metric, architecture, id, status, value)
  WHERE status = 'ok' AND value IS NOT NULL;
CREATE INDEX measurements_by_architecture ON measurements (architecture, metric);
CREATE INDEX measurements_by_job ON measurements (job, architecture);

CREATE TABLE predictions (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  metric TEXT NOT NULL,
  mean REAL,
  deviation REAL,
  predictor TEXT NOT NULL,
  created TEXT NOT NULL,
  UNIQUE (job, architecture, metric, predictor)
);
CREATE INDEX predictions_by_architecture ON predictions (architecture);

CREATE TABLE evaluations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  created TEXT NOT NULL,
  PRIMARY KEY (job, number),
  UNIQUE (job, architecture)
) WITHOUT ROWID;
CREATE INDEX evaluations_by_architecture ON evaluations (architecture);

CREATE TABLE training (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  epoch REAL,
  loss REAL,
  accuracy REAL,
  learning_rate REAL,
  images_per_second REAL,
  PRIMARY KEY (job, step)
) WITHOUT ROWID;

CREATE TABLE generations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  evaluations INTEGER NOT NULL,
  hypervolume REAL,
  created TEXT NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE generation_front (
  job INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  position INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  PRIMARY KEY (job, generation, position),
  FOREIGN KEY (job, generation) REFERENCES generations(job, number) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX generation_front_by_architecture ON generation_front (architecture);

CREATE TABLE states (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  phase TEXT NOT NULL,
  state BLOB NOT NULL,
  updated TEXT NOT NULL,
  PRIMARY KEY (job, phase)
);

-- The latest good value of each metric of each network of each job.
CREATE VIEW latest AS
SELECT m.job AS job, m.architecture AS architecture, m.metric AS metric, m.value AS value,
       m.id AS measurement
FROM measurements m
WHERE m.status = 'ok' AND m.value IS NOT NULL
  AND m.id = (SELECT max(n.id) FROM measurements n
              WHERE n.job = m.job AND n.metric = m.metric AND n.architecture = m.architecture
                AND n.status = 'ok' AND n.value IS NOT NULL);

CREATE VIEW latest_predictions AS
SELECT p.job AS job, p.architecture AS architecture, p.metric AS metric, p.mean AS mean,
       p.deviation AS deviation, p.predictor AS predictor
FROM predictions p
WHERE p.id = (SELECT max(q.id) FROM predictions q
              WHERE q.job = p.job AND q.architecture = p.architecture AND q.metric = p.metric);

-- One row per network of a job, the usual metrics side by side.
CREATE VIEW results AS
SELECT j.name AS job, e.number AS evaluation, a.arch AS arch, a.hash AS hash,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'params') AS params,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'flops') AS flops,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'accuracy') AS accuracy,
       (SELECT mean FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'accuracy') AS predicted_accuracy,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'latency_ms') AS latency_ms,
       (SELECT mean FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_ms,
       (SELECT deviation FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_deviation_ms,
       n.architecture AS architecture
FROM (SELECT job, architecture FROM measurements
      UNION SELECT job, architecture FROM evaluations
      UNION SELECT job, architecture FROM predictions) n
JOIN jobs j ON j.id = n.job
JOIN architectures a ON a.id = n.architecture
LEFT JOIN evaluations e ON e.job = n.job AND e.architecture = n.architecture;

-- Measured objectives as costs (smaller is better).
CREATE VIEW scores AS
SELECT o.job AS job, l.architecture AS architecture, o.position AS position, o.metric AS metric,
       o.goal AS goal, l.value AS value,
       CASE o.goal WHEN 'max' THEN -l.value ELSE l.value END AS cost
FROM objectives o CROSS JOIN latest l ON l.job = o.job AND l.metric = o.metric;

-- Networks of which every objective was measured and which none dominates; of equal ones the first
-- found. Four costs are compared as columns because that is fast, any further ones by look-up.
-- Candidates are tried good ones first (sum of ranks): most networks are soon found dominated.
CREATE VIEW front AS
WITH wanted AS (SELECT job, count(*) AS objectives FROM objectives GROUP BY job),
pivoted AS (
  SELECT s.job AS job, s.architecture AS architecture,
         coalesce(e.number, 9223372036854775807) AS found, w.objectives AS objectives,
         max(CASE s.position WHEN 0 THEN s.cost END) AS c0,
         coalesce(max(CASE s.position WHEN 1 THEN s.cost END), 0) AS c1,
         coalesce(max(CASE s.position WHEN 2 THEN s.cost END), 0) AS c2,
         coalesce(max(CASE s.position WHEN 3 THEN s.cost END), 0) AS c3
  FROM scores s
  JOIN wanted w ON w.job = s.job
  LEFT JOIN evaluations e ON e.job = s.job AND e.architecture = s.architecture
  GROUP BY s.job, s.architecture
  HAVING count(*) = w.objectives
),
ranked AS (
  SELECT *, rank() OVER (PARTITION BY job ORDER BY c0) + rank() OVER (PARTITION BY job ORDER BY c1)
          + rank() OVER (PARTITION BY job ORDER BY c2) + rank() OVER (PARTITION BY job ORDER BY c3)
          AS quality
  FROM pivoted
),
candidates AS (SELECT * FROM ranked ORDER BY job, quality LIMIT -1)
SELECT j.name AS job, e.number AS evaluation, r.arch AS arch, r.hash AS hash,
       (SELECT group_concat(s.metric || '=' || s.value, ', ') FROM scores s
        WHERE s.job = c.job AND s.architecture = c.architecture) AS objectives,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'params') AS params,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'flops') AS flops,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'accuracy') AS accuracy,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'latency_ms') AS latency_ms,
       (SELECT mean FROM latest_predictions p WHERE p.job = c.job
           AND p.architecture = c.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_ms,
       c.architecture AS architecture
FROM candidates c
JOIN jobs j ON j.id = c.job
JOIN architectures r ON r.id = c.architecture
LEFT JOIN evaluations e ON e.job = c.job AND e.architecture = c.architecture
WHERE NOT EXISTS (
  SELECT 1 FROM candidates b
  WHERE b.job = c.job AND b.c0 <= c.c0 AND b.c1 <= c.c1 AND b.c2 <= c.c2 AND b.c3 <= c.c3
    AND (c.objectives <= 4 OR NOT EXISTS (
           SELECT 1 FROM scores x
           JOIN scores y ON y.job = x.job AND y.position = x.position
           WHERE x.job = c.job AND x.architecture = b.architecture AND y.architecture = c.architecture
             AND x.position >= 4 AND x.cost > y.cost))
    AND (b.c0 < c.c0 OR b.c1 < c.c1 OR b.c2 < c.c2 OR b.c3 < c.c3
         OR (c.objectives > 4 AND EXISTS (
               SELECT 1 FROM scores x
               JOIN scores y ON y.job = x.job AND y.position = x.position
               WHERE x.job = c.job AND x.architecture = b.architecture
                 AND y.architecture = c.architecture AND x.position >= 4 AND x.cost < y.cost))
         OR b.found < c.found
         OR (b.found = c.found AND b.architecture < c.architecture)));

CREATE VIEW measurement_log AS
SELECT m.id AS id, m.created AS created, j.name AS job, a.arch AS arch, a.hash AS hash,
       m.metric AS metric, m.value AS value, m.unit AS unit, m.standard_error AS standard_error,
       m.fidelity AS fidelity, m.device AS device, m.seed AS seed, m.seconds AS seconds,
       m.status AS status, m.message AS message
FROM measurements m
JOIN jobs j ON j.id = m.job
JOIN architectures a ON a.id = m.architecture
ORDER BY m.id;

CREATE VIEW history AS
SELECT j.name AS job, g.number AS generation, g.evaluations AS evaluations,
       g.hypervolume AS hypervolume,
       (SELECT count(*) FROM generation_front f WHERE f.job = g.job AND f.generation = g.number)
         AS front_size,
       g.created AS created
FROM generations g
JOIN jobs j ON j.id = g.job
ORDER BY g.job, g.number;
)sql";

// Migration i makes version i + 1. A released one never changes: a new version is a new entry.
const std::array kMigrations = {kVersion1, kVersion2, kVersion3};

}  // namespace

int schema_version() { return static_cast<int>(kMigrations.size()); }

const char* migration(int from) { return kMigrations.at(static_cast<std::size_t>(from)); }

int stored_version(Connection& connection) {
  return static_cast<int>(connection.integer("PRAGMA user_version"));
}

bool is_blank(Connection& connection) {
  return connection.integer("PRAGMA application_id") == 0 &&
         connection.integer("SELECT count(*) FROM sqlite_master") == 0;
}

void check_identity(Connection& connection) {
  const auto& path = connection.path();
  // PRAGMA application_id is a signed 32-bit number.
  const auto id = connection.integer("PRAGMA application_id");
  if (id != kApplicationId) {
    char mark[16];
    std::snprintf(mark, sizeof mark, "0x%08x", static_cast<unsigned>(id));
    throw core::Error(path + " is an SQLite database, but not one of Mosaic's (application id " +
                          mark + ", expected 0x4d6f7361)",
                      "give the path of a results database, or of a new file, with --db");
  }
  const int version = stored_version(connection);
  if (version > schema_version())
    throw core::Error(path + " was written by a newer Mosaic (schema version " +
                          std::to_string(version) + "; this build knows up to " +
                          std::to_string(schema_version()) + ")",
                      "use that Mosaic or a newer one, or another database");
}

}  // namespace mosaic::db
