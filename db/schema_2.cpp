#include "schema.hpp"

namespace mosaic::db {

// Constraints, provenance of every number beyond its job's row, when an evaluation was numbered,
// and columns of latest values (see columns.hpp), which rebuild_columns() fills.
const char* const kVersion2 = R"sql(
CREATE TABLE constraints (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric TEXT NOT NULL,
  relation TEXT NOT NULL CHECK (relation IN ('<=', '>=')),
  bound REAL NOT NULL,
  PRIMARY KEY (job, position)
) WITHOUT ROWID;

-- A process that worked at a job: a job may be resumed by another build.
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  version TEXT NOT NULL,
  revision TEXT NOT NULL,
  libraries TEXT NOT NULL,
  device TEXT NOT NULL,
  threads INTEGER NOT NULL,
  data_checksum TEXT NOT NULL,
  process INTEGER NOT NULL,
  created TEXT NOT NULL
);
ALTER TABLE measurements ADD COLUMN session INTEGER REFERENCES sessions(id);
ALTER TABLE predictions ADD COLUMN session INTEGER REFERENCES sessions(id);

-- The latest measurement when the number was given: what was known then.
ALTER TABLE evaluations ADD COLUMN known INTEGER;

-- Latest good values by column. All of this follows from the measurements.
CREATE TABLE members (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  replaced INTEGER NOT NULL,
  PRIMARY KEY (job, place),
  UNIQUE (job, architecture)
) WITHOUT ROWID;
CREATE INDEX members_by_architecture ON members (architecture);

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  metric TEXT NOT NULL,
  UNIQUE (job, metric)
);

CREATE TABLE blocks (
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  content BLOB NOT NULL,
  UNIQUE (series, number)
);

DROP VIEW front;
-- Networks of which every objective was measured, which keep every constraint of their job, and
-- which none such dominates; of equal ones the first found. Four costs are compared as columns because that is fast, any further ones by look-up.
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
     AND NOT EXISTS (
           SELECT 1 FROM constraints k
           WHERE k.job = s.job AND NOT EXISTS (
             SELECT 1 FROM latest l
             WHERE l.job = k.job AND l.architecture = s.architecture AND l.metric = k.metric
               AND CASE k.relation WHEN '<=' THEN l.value <= k.bound ELSE l.value >= k.bound END))
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

-- Every number with everything that is known of where it comes from. A row written by schema
-- version 1 has no session: what its job's row says then is of the process that wrote last.
CREATE VIEW provenance AS
SELECT j.name AS job, a.arch AS arch, a.hash AS hash, m.metric AS metric, m.value AS value,
       m.standard_error AS standard_error, NULL AS predicted, NULL AS deviation, m.unit AS unit,
       m.fidelity AS fidelity, NULL AS predictor, m.status AS status, m.message AS message,
       m.seed AS seed, m.device AS device, m.created AS created, m.id AS measurement,
       m.session AS session, coalesce(s.version, j.version) AS version,
       coalesce(s.revision, j.revision) AS revision,
       coalesce(s.libraries, j.libraries) AS libraries,
       coalesce(s.threads, j.threads) AS threads,
       coalesce(s.data_checksum, j.data_checksum) AS data_checksum,
       j.config_hash AS config_hash, j.seed AS job_seed, j.space AS space, j.task AS task
FROM measurements m
JOIN jobs j ON j.id = m.job
JOIN architectures a ON a.id = m.architecture
LEFT JOIN sessions s ON s.id = m.session
UNION ALL
SELECT j.name, a.arch, a.hash, p.metric, NULL, NULL, p.mean, p.deviation, NULL, NULL, p.predictor,
       NULL, NULL, NULL, NULL, p.created, NULL, p.session, coalesce(s.version, j.version),
       coalesce(s.revision, j.revision), coalesce(s.libraries, j.libraries),
       coalesce(s.threads, j.threads), coalesce(s.data_checksum, j.data_checksum),
       j.config_hash, j.seed, j.space, j.task
FROM predictions p
JOIN jobs j ON j.id = p.job
JOIN architectures a ON a.id = p.architecture
LEFT JOIN sessions s ON s.id = p.session;
)sql";

}  // namespace mosaic::db
