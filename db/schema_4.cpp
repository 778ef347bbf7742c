#include "schema.hpp"

namespace mosaic::db {

// The training curve holds whatever metrics a task has. `training`, once the table, is a view
// (views.cpp) of the usual ones under its old columns.
const char* const kVersion4 = R"sql(
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

}  // namespace mosaic::db
