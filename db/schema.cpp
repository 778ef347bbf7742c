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
)sql";

// Constraints, provenance of every number beyond its job's row, when an evaluation was numbered,
// and columns of latest values (see columns.hpp), which rebuild_columns() fills.
constexpr const char* kVersion2 = R"sql(
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
)sql";

// What failed, and what was noted of good values (a slow device), found without reading all.
constexpr const char* kVersion3 = R"sql(
CREATE INDEX measurements_failed ON measurements (job, metric, architecture)
  WHERE status = 'failed';
CREATE INDEX measurements_noted ON measurements (job, metric, architecture)
  WHERE status = 'ok' AND message <> '';
)sql";

// The training curve holds whatever metrics a task has. `training`, once the table, is a view
// (views.cpp) of the usual ones under its old columns.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE training RENAME TO training_3;

CREATE TABLE training_steps (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  epoch REAL,
  learning_rate REAL,
  examples_per_second REAL,
  PRIMARY KEY (job, step)
) WITHOUT ROWID;

CREATE TABLE training_metrics (
  job INTEGER NOT NULL,
  step INTEGER NOT NULL,
  metric TEXT NOT NULL,
  value REAL,
  PRIMARY KEY (job, step, metric),
  FOREIGN KEY (job, step) REFERENCES training_steps(job, step) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO training_steps (job, step, epoch, learning_rate, examples_per_second)
SELECT job, step, epoch, learning_rate, images_per_second FROM training_3;
INSERT INTO training_metrics (job, step, metric, value)
SELECT job, step, 'loss', loss FROM training_3
UNION ALL SELECT job, step, 'accuracy', accuracy FROM training_3;
DROP TABLE training_3;
)sql";

// Migration i makes version i + 1. A released one never changes: a new version is a new entry.
const std::array kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4};

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
