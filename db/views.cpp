#include "schema.hpp"

namespace mosaic::db {
namespace {

// The latest good value of each metric of each network of each job.
constexpr const char* kViewLatest = R"sql(CREATE VIEW latest AS
SELECT m.job AS job, m.architecture AS architecture, m.metric AS metric, m.value AS value,
       m.id AS measurement
FROM measurements m
WHERE m.status = 'ok' AND m.value IS NOT NULL
  AND m.id = (SELECT max(n.id) FROM measurements n
              WHERE n.job = m.job AND n.metric = m.metric AND n.architecture = m.architecture
                AND n.status = 'ok' AND n.value IS NOT NULL))sql";

constexpr const char* kViewLatestPredictions = R"sql(CREATE VIEW latest_predictions AS
SELECT p.job AS job, p.architecture AS architecture, p.metric AS metric, p.mean AS mean,
       p.deviation AS deviation, p.predictor AS predictor
FROM predictions p
WHERE p.id = (SELECT max(q.id) FROM predictions q
              WHERE q.job = p.job AND q.architecture = p.architecture AND q.metric = p.metric))sql";

// The training curve with the usual metrics, under the columns that it had as a table.
constexpr const char* kViewTraining = R"sql(CREATE VIEW training AS
SELECT s.job AS job, s.step AS step, s.epoch AS epoch,
       (SELECT value FROM training_metrics m
        WHERE m.job = s.job AND m.step = s.step AND m.metric = 'loss') AS loss,
       (SELECT value FROM training_metrics m
        WHERE m.job = s.job AND m.step = s.step AND m.metric = 'accuracy') AS accuracy,
       s.learning_rate AS learning_rate, s.examples_per_second AS examples_per_second,
       s.examples_per_second AS images_per_second
FROM training_steps s)sql";

// One row per network of a job, the usual metrics side by side.
constexpr const char* kViewResults = R"sql(CREATE VIEW results AS
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
       (SELECT group_concat(l.metric || '=' || l.value, ', ') FROM latest l
        WHERE l.job = n.job AND l.architecture = n.architecture) AS metrics,
       n.architecture AS architecture
FROM (SELECT job, architecture FROM measurements
      UNION SELECT job, architecture FROM evaluations
      UNION SELECT job, architecture FROM predictions) n
JOIN jobs j ON j.id = n.job
JOIN architectures a ON a.id = n.architecture
LEFT JOIN evaluations e ON e.job = n.job AND e.architecture = n.architecture)sql";

// Measured objectives as costs (smaller is better).
constexpr const char* kViewScores = R"sql(CREATE VIEW scores AS
SELECT o.job AS job, l.architecture AS architecture, o.position AS position, o.metric AS metric,
       o.goal AS goal, l.value AS value,
       CASE o.goal WHEN 'max' THEN -l.value ELSE l.value END AS cost
FROM objectives o CROSS JOIN latest l ON l.job = o.job AND l.metric = o.metric)sql";

// Networks of which every objective was measured, which keep every constraint of their job, and
// which none such dominates; of equal ones the first found. Four costs are compared as columns
// because that is fast, any further ones by look-up. Candidates are tried good ones first (sum of
// ranks): most networks are soon found dominated.
constexpr const char* kViewFront = R"sql(CREATE VIEW front AS
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
         OR (b.found = c.found AND b.architecture < c.architecture))))sql";

constexpr const char* kViewMeasurementLog = R"sql(CREATE VIEW measurement_log AS
SELECT m.id AS id, m.created AS created, j.name AS job, a.arch AS arch, a.hash AS hash,
       m.metric AS metric, m.value AS value, m.unit AS unit, m.standard_error AS standard_error,
       m.fidelity AS fidelity, m.device AS device, m.seed AS seed, m.seconds AS seconds,
       m.status AS status, m.message AS message
FROM measurements m
JOIN jobs j ON j.id = m.job
JOIN architectures a ON a.id = m.architecture
ORDER BY m.id)sql";

constexpr const char* kViewHistory = R"sql(CREATE VIEW history AS
SELECT j.name AS job, g.number AS generation, g.evaluations AS evaluations,
       g.hypervolume AS hypervolume,
       (SELECT count(*) FROM generation_front f WHERE f.job = g.job AND f.generation = g.number)
         AS front_size,
       g.created AS created
FROM generations g
JOIN jobs j ON j.id = g.job
ORDER BY g.job, g.number)sql";

// Every number with everything that is known of where it comes from. A row written by schema
// version 1 has no session: what its job's row says then is of the process that wrote last.
constexpr const char* kViewProvenance = R"sql(CREATE VIEW provenance AS
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
LEFT JOIN sessions s ON s.id = p.session)sql";

constexpr View kAll[] = {
    {"latest", kViewLatest},     {"latest_predictions", kViewLatestPredictions},
    {"results", kViewResults},   {"scores", kViewScores},
    {"front", kViewFront},       {"measurement_log", kViewMeasurementLog},
    {"history", kViewHistory},   {"provenance", kViewProvenance},
    {"training", kViewTraining},
};

}  // namespace

std::span<const View> views() { return kAll; }

}  // namespace mosaic::db
