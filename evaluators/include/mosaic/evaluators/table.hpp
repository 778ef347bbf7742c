/// Tabular benchmarks: metrics that were measured before, looked up.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mosaic/core/csv.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::evaluators {

/// A CSV file (plain or gzipped) with a column `arch`, the text form of an architecture, and a
/// column a metric. Networks are found by genotype: two that compute the same function are two
/// rows.
class Table {
 public:
  /// Throws core::Error for a file that cannot be read, has no column `arch`, or holds no network
  /// of the space. Rows whose architecture cannot be read, or repeats an earlier one, are left out;
  /// the log tells their lines.
  Table(const core::CsvTable& csv, const spaces::Space& space);

  /// Whether a metric is a column of the file.
  static bool has_metric(const core::CsvTable& csv, const std::string& metric);

  const core::CsvTable& csv() const { return csv_; }
  /// Of the file's content.
  const std::string& checksum() const { return checksum_; }
  std::size_t networks() const { return rows_.size(); }
  /// A metric of a network; failed where the table lacks the network, or its cell is no number (the
  /// message tells the line).
  core::Measurement look_up(const Candidate& candidate, std::size_t column) const;

 private:
  core::CsvTable csv_;
  std::string checksum_;
  std::map<std::string, std::size_t> rows_;  // by text of the canonical genotype
};

/// A column of the table as a metric. Throws core::UsageError for an unknown column.
std::unique_ptr<Evaluator> table_evaluator(std::shared_ptr<const Table> table,
                                           const std::string& metric);

}  // namespace mosaic::evaluators
