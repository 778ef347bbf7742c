-- A database of schema version 1, made by
--   MOSAIC_DB_DUMP=v1.db test_db 'write a sample database for the stored dumps'; sqlite3 v1.db .dump
-- with the two marks that a dump leaves out. It never changes: it stands for files out there.
PRAGMA application_id = 0x4d6f7361;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO jobs VALUES(1,'fashion-front','finished','done','',replace('[job]\nname = "fashion-front"\n','\n',char(10)),'c0ffee','job.toml','18446744073709551615','resnet-elastic','5bace','fashion-mnist','da7a','cpu: test',2,'0.1.0','abcdef012345','libtorch 2.11.0, pagmo 2.18','models','2026-11-22T10:12:20Z','2026-11-22T10:12:21Z');
INSERT INTO jobs VALUES(2,'fashion-again','finished','done','',replace('[job]\nname = "fashion-again"\n','\n',char(10)),'c0ffee','job.toml','18446744073709551615','resnet-elastic','5bace','fashion-mnist','da7a','cpu: test',2,'0.1.0','abcdef012345','libtorch 2.11.0, pagmo 2.18','models','2026-11-22T10:12:21Z','2026-11-22T10:12:21Z');
CREATE TABLE objectives (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric TEXT NOT NULL,
  goal TEXT NOT NULL CHECK (goal IN ('min', 'max')),
  PRIMARY KEY (job, position)
) WITHOUT ROWID;
INSERT INTO objectives VALUES(1,0,'accuracy','max');
INSERT INTO objectives VALUES(1,1,'latency_ms','min');
INSERT INTO objectives VALUES(2,0,'accuracy','max');
INSERT INTO objectives VALUES(2,1,'latency_ms','min');
CREATE TABLE architectures (
  id INTEGER PRIMARY KEY,
  space_hash TEXT NOT NULL,
  arch TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (space_hash, arch)
);
INSERT INTO architectures VALUES(1,'5bace','network 0','hash-of-network 0');
INSERT INTO architectures VALUES(2,'5bace','network 1','hash-of-network 1');
INSERT INTO architectures VALUES(3,'5bace','network 2','hash-of-network 2');
INSERT INTO architectures VALUES(4,'5bace','network 3','hash-of-network 3');
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
INSERT INTO measurements VALUES(1,1,1,'params',1000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:20Z');
INSERT INTO measurements VALUES(2,1,1,'flops',1000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:20Z');
INSERT INTO measurements VALUES(3,1,1,'accuracy',85.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:20Z');
INSERT INTO measurements VALUES(4,1,1,'latency_ms',1.25,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:20Z');
INSERT INTO measurements VALUES(5,1,2,'params',2000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(6,1,2,'flops',2000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(7,1,2,'accuracy',86.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(8,1,2,'latency_ms',1.75,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(9,1,3,'params',3000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(10,1,3,'flops',3000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(11,1,3,'accuracy',87.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(12,1,3,'latency_ms',2.25,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(13,1,4,'params',4000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(14,1,4,'flops',4000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(15,1,4,'accuracy',88.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(16,1,4,'latency_ms',2.75,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(17,1,1,'latency_ms',1.5,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(18,1,4,'accuracy',NULL,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','failed','out of memory','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(19,2,1,'params',1000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(20,2,1,'flops',1000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(21,2,1,'accuracy',85.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(22,2,1,'latency_ms',1.25,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(23,2,2,'params',2000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(24,2,2,'flops',2000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(25,2,2,'accuracy',86.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(26,2,2,'latency_ms',1.75,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(27,2,3,'params',3000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(28,2,3,'flops',3000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(29,2,3,'accuracy',87.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(30,2,3,'latency_ms',2.25,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(31,2,4,'params',4000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(32,2,4,'flops',4000000.0,'count',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(33,2,4,'accuracy',88.0,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(34,2,4,'latency_ms',2.75,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(35,2,1,'latency_ms',1.5,'ms',0.125,'test','18446744073709551615',0.5,'cpu: test','ok','','2026-11-22T10:12:21Z');
INSERT INTO measurements VALUES(36,2,4,'accuracy',NULL,'%',0.125,'test','18446744073709551615',0.5,'cpu: test','failed','out of memory','2026-11-22T10:12:21Z');
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
INSERT INTO predictions VALUES(1,1,1,'latency_ms',1.0,0.125,'ridge','2026-11-22T10:12:20Z');
INSERT INTO predictions VALUES(2,1,2,'latency_ms',1.5,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(3,1,3,'latency_ms',2.0,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(4,1,4,'latency_ms',2.5,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(5,2,1,'latency_ms',1.0,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(6,2,2,'latency_ms',1.5,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(7,2,3,'latency_ms',2.0,0.125,'ridge','2026-11-22T10:12:21Z');
INSERT INTO predictions VALUES(8,2,4,'latency_ms',2.5,0.125,'ridge','2026-11-22T10:12:21Z');
CREATE TABLE evaluations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  created TEXT NOT NULL,
  PRIMARY KEY (job, number),
  UNIQUE (job, architecture)
) WITHOUT ROWID;
INSERT INTO evaluations VALUES(1,1,1,'2026-11-22T10:12:20Z');
INSERT INTO evaluations VALUES(1,2,2,'2026-11-22T10:12:21Z');
INSERT INTO evaluations VALUES(1,3,3,'2026-11-22T10:12:21Z');
INSERT INTO evaluations VALUES(2,1,1,'2026-11-22T10:12:21Z');
INSERT INTO evaluations VALUES(2,2,2,'2026-11-22T10:12:21Z');
INSERT INTO evaluations VALUES(2,3,3,'2026-11-22T10:12:21Z');
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
INSERT INTO training VALUES(1,100,0.5,1.25,60.500000000000000001,0.10000000000000000555,1000.0);
INSERT INTO training VALUES(2,100,0.5,1.25,60.500000000000000001,0.10000000000000000555,1000.0);
CREATE TABLE generations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  evaluations INTEGER NOT NULL,
  hypervolume REAL,
  created TEXT NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;
INSERT INTO generations VALUES(1,0,2,1.5,'2026-11-22T10:12:21Z');
INSERT INTO generations VALUES(1,1,3,1.75,'2026-11-22T10:12:21Z');
INSERT INTO generations VALUES(2,0,2,1.5,'2026-11-22T10:12:21Z');
INSERT INTO generations VALUES(2,1,3,1.75,'2026-11-22T10:12:21Z');
CREATE TABLE generation_front (
  job INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  position INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  PRIMARY KEY (job, generation, position),
  FOREIGN KEY (job, generation) REFERENCES generations(job, number) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO generation_front VALUES(1,0,1,1);
INSERT INTO generation_front VALUES(1,1,1,1);
INSERT INTO generation_front VALUES(2,0,1,1);
INSERT INTO generation_front VALUES(2,1,1,1);
INSERT INTO generation_front VALUES(1,0,0,2);
INSERT INTO generation_front VALUES(2,0,0,2);
INSERT INTO generation_front VALUES(1,1,0,3);
INSERT INTO generation_front VALUES(2,1,0,3);
CREATE TABLE states (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  phase TEXT NOT NULL,
  state BLOB NOT NULL,
  updated TEXT NOT NULL,
  PRIMARY KEY (job, phase)
);
INSERT INTO states VALUES(1,'search',X'007374617465','2026-11-22T10:12:21Z');
INSERT INTO states VALUES(2,'search',X'007374617465','2026-11-22T10:12:21Z');
CREATE INDEX architectures_by_hash ON architectures (space_hash, hash);
CREATE INDEX measurements_good ON measurements (job, metric, architecture, id, status, value)
  WHERE status = 'ok' AND value IS NOT NULL;
CREATE INDEX measurements_by_architecture ON measurements (architecture, metric);
CREATE INDEX measurements_by_job ON measurements (job, architecture);
CREATE INDEX predictions_by_architecture ON predictions (architecture);
CREATE INDEX evaluations_by_architecture ON evaluations (architecture);
CREATE INDEX generation_front_by_architecture ON generation_front (architecture);
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
CREATE VIEW scores AS
SELECT o.job AS job, l.architecture AS architecture, o.position AS position, o.metric AS metric,
       o.goal AS goal, l.value AS value,
       CASE o.goal WHEN 'max' THEN -l.value ELSE l.value END AS cost
FROM objectives o CROSS JOIN latest l ON l.job = o.job AND l.metric = o.metric;
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
COMMIT;
