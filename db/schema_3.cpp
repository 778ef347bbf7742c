#include "schema.hpp"

namespace mosaic::db {

// What failed, and what was noted of good values (a slow device), found without reading all.
const char* const kVersion3 = R"sql(
CREATE INDEX measurements_failed ON measurements (job, metric, architecture)
  WHERE status = 'failed';
CREATE INDEX measurements_noted ON measurements (job, metric, architecture)
  WHERE status = 'ok' AND message <> '';
)sql";

}  // namespace mosaic::db
