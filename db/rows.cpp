#include "rows.hpp"

#include <charconv>
#include <limits>

namespace mosaic::db {
namespace {

/// Seeds use all 64 bits, which no SQLite integer holds without turning negative: they are text.
std::uint64_t parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  std::from_chars(text.data(), text.data() + text.size(), seed);
  return seed;
}

}  // namespace

double read_number(const Statement& row, int column) {
  return row.null(column) ? std::numeric_limits<double>::quiet_NaN() : row.real(column);
}

core::Measurement read_measurement(const Statement& row, int first) {
  core::Measurement m;
  m.metric = row.text(first);
  m.value = read_number(row, first + 1);
  m.unit = row.text(first + 2);
  m.standard_error = read_number(row, first + 3);
  m.fidelity = row.text(first + 4);
  m.seed = parse_seed(row.text(first + 5));
  m.seconds = read_number(row, first + 6);
  m.device = row.text(first + 7);
  m.status = row.text(first + 8) == "ok" ? core::Status::ok : core::Status::failed;
  m.message = row.text(first + 9);
  return m;
}

Job read_job(const Statement& row) {
  Job job;
  job.id = row.integer(0);
  job.name = row.text(1);
  job.status = row.text(2);
  job.phase = row.text(3);
  job.config = row.text(4);
  job.config_hash = row.text(5);
  job.config_path = row.text(6);
  job.seed = parse_seed(row.text(7));
  job.space = row.text(8);
  job.space_hash = row.text(9);
  job.task = row.text(10);
  job.data_checksum = row.text(11);
  job.device = row.text(12);
  job.threads = static_cast<int>(row.integer(13));
  job.version = row.text(14);
  job.revision = row.text(15);
  job.libraries = row.text(16);
  job.folder = row.text(17);
  job.message = row.text(18);
  job.created = row.text(19);
  job.updated = row.text(20);
  return job;
}

}  // namespace mosaic::db
