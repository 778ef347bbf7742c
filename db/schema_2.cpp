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
)sql";

}  // namespace mosaic::db
