#include "columns.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace mosaic::db {
namespace {

constexpr std::size_t kBlockBytes = static_cast<std::size_t>(kBlockValues) * sizeof(double);

// Doubles lie in the file as this machine has them in memory: 8 bytes, the least significant first.
static_assert(std::endian::native == std::endian::little);

using Block = std::vector<double>;

Block read_block(const std::string& bytes) {
  Block block(static_cast<std::size_t>(kBlockValues), std::numeric_limits<double>::quiet_NaN());
  std::memcpy(block.data(), bytes.data(), std::min(bytes.size(), kBlockBytes));
  return block;
}

std::int64_t place_of(Connection& connection, std::int64_t job, std::int64_t architecture) {
  {
    auto row = connection.prepare("SELECT place FROM members WHERE job = ? AND architecture = ?",
                                  job, architecture);
    if (row.step()) return row.integer(0);
  }
  auto next =
      connection.prepare("SELECT coalesce(max(place) + 1, 0) FROM members WHERE job = ?", job);
  next.step();
  const auto place = next.integer(0);
  connection.run("INSERT INTO members (job, place, architecture, replaced) VALUES (?, ?, ?, 0)",
                 job, place, architecture);
  return place;
}

std::int64_t series_of(Connection& connection, std::int64_t job, const std::string& metric) {
  {
    auto row =
        connection.prepare("SELECT id FROM series WHERE job = ? AND metric = ?", job, metric);
    if (row.step()) return row.integer(0);
  }
  connection.run("INSERT INTO series (job, metric) VALUES (?, ?)", job, metric);
  return connection.last_id();
}

/// The blocks that one flush touches.
class Blocks {
 public:
  explicit Blocks(Connection& connection) : connection_(connection) {}

  double& at(std::int64_t series, std::int64_t place) {
    const std::pair key{series, place / kBlockValues};
    auto found = blocks_.find(key);
    if (found == blocks_.end()) {
      auto row = connection_.prepare("SELECT content FROM blocks WHERE series = ? AND number = ?",
                                     key.first, key.second);
      found = blocks_.emplace(key, read_block(row.step() ? row.blob(0) : std::string())).first;
    }
    return found->second[static_cast<std::size_t>(place % kBlockValues)];
  }

  void write() {
    for (const auto& [key, block] : blocks_)
      connection_.run(
          "INSERT INTO blocks (series, number, content) VALUES (?1, ?2, ?3) "
          "ON CONFLICT (series, number) DO UPDATE SET content = ?3",
          key.first, key.second,
          Blob{std::string_view(reinterpret_cast<const char*>(block.data()), kBlockBytes)});
  }

 private:
  Connection& connection_;
  std::map<std::pair<std::int64_t, std::int64_t>, Block> blocks_;
};

}  // namespace

void PendingValues::flush(Connection& connection) {
  if (flushed_ == values_.size()) return;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> places;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> series;
  Blocks blocks(connection);
  for (; flushed_ < values_.size(); ++flushed_) {
    const auto& value = values_[flushed_];
    const auto place = places.try_emplace({value.job, value.architecture}, -1).first;
    if (place->second < 0) place->second = place_of(connection, value.job, value.architecture);
    const auto column = series.try_emplace({value.job, value.metric}, -1).first;
    if (column->second < 0) column->second = series_of(connection, value.job, value.metric);
    double& cell = blocks.at(column->second, place->second);
    if (!std::isnan(cell))
      connection.run("UPDATE members SET replaced = 1 WHERE job = ? AND place = ? AND replaced = 0",
                     value.job, place->second);
    cell = value.value;
  }
  blocks.write();
}

void PendingValues::clear() {
  values_.clear();
  flushed_ = 0;
}

std::vector<double> read_column(Connection& connection, std::int64_t job,
                                const std::string& metric) {
  std::vector<double> values;
  auto rows = connection.prepare(
      "SELECT b.number, b.content FROM series s JOIN blocks b ON b.series = s.id "
      "WHERE s.job = ? AND s.metric = ? ORDER BY b.number",
      job, metric);
  while (rows.step()) {
    const auto begin = static_cast<std::size_t>(rows.integer(0) * kBlockValues);
    values.resize(begin + static_cast<std::size_t>(kBlockValues),
                  std::numeric_limits<double>::quiet_NaN());
    const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(rows.handle(), 1));
    if (const void* content = sqlite3_column_blob(rows.handle(), 1))
      std::memcpy(values.data() + begin, content, std::min(bytes, kBlockBytes));
  }
  return values;
}

Members read_members(Connection& connection, std::int64_t job) {
  Members members;
  auto rows = connection.prepare(
      "SELECT architecture, replaced FROM members WHERE job = ? ORDER BY place", job);
  while (rows.step()) {
    members.architectures.push_back(rows.integer(0));
    members.replaced.push_back(rows.integer(1) != 0);
  }
  return members;
}

void rebuild_columns(Connection& connection) {
  connection.script("DELETE FROM blocks; DELETE FROM series; DELETE FROM members");
  constexpr std::size_t kChunk = 50'000;
  PendingValues pending;
  auto rows = connection.prepare(
      "SELECT job, architecture, metric, value FROM measurements "
      "WHERE status = 'ok' AND value IS NOT NULL ORDER BY id");
  while (rows.step()) {
    pending.add(rows.integer(0), rows.integer(1), rows.text(2), rows.real(3));
    if (pending.size() == kChunk) {
      pending.flush(connection);
      pending.clear();
    }
  }
  pending.flush(connection);
}

}  // namespace mosaic::db
