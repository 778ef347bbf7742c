/// Tabular benchmarks: metrics that were measured before, looked up.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "mosaic/core/csv.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::evaluators {

/// A CSV file (plain or gzipped) with a column `arch`, the text form of an architecture, and a
/// column a metric. Networks are found by genotype: two that compute the same function are two
/// networks. A network may have several rows: its value is the mean of theirs, of those that are
/// numbers.
class Table {
 public:
  /// `metrics`: the columns that are going to be looked up. The log tells, once each, how many rows
  /// are of no network of the space, how many networks have several rows and how far those differ,
  /// and how many have no number. Throws core::Error for a table that has no column `arch`, holds
  /// no network of the space, has a metric without any number, or no network with all of them.
  Table(const core::CsvTable& csv, const spaces::Space& space,
        const std::vector<std::string>& metrics = {});

  const core::CsvTable& csv() const { return csv_; }
  /// Of the file's content.
  const std::string& checksum() const { return checksum_; }
  std::size_t networks() const { return networks_.size(); }
  /// Whether some network has several rows.
  bool repeats() const { return repeats_; }
  /// Networks that have a value of every metric that the table was made for, in the order of rows.
  std::vector<spaces::Genotype> complete() const;
  /// A metric of a network; failed where the table lacks the network, or it has no number (the
  /// message tells the line).
  core::Measurement look_up(const Candidate& candidate, std::size_t column) const;

 private:
  struct Network {
    spaces::Genotype genotype;
    std::string arch;
    std::vector<std::size_t> rows;
  };
  void read_rows(const spaces::Space& space);
  void check_metric(std::size_t column) const;
  void tell_repeats() const;
  std::vector<double> numbers(const Network& network, std::size_t column) const;

  core::CsvTable csv_;
  std::string checksum_;
  std::vector<std::size_t> metrics_;                     // columns
  std::vector<Network> networks_;                        // in the order of their first rows
  std::unordered_map<std::string, std::size_t> places_;  // by text of the canonical genotype
  bool repeats_ = false;
};

/// Columns of the table as metrics. Throws core::UsageError for an unknown column.
std::unique_ptr<Evaluator> table_evaluator(std::shared_ptr<const Table> table,
                                           const std::vector<std::string>& metrics);

}  // namespace mosaic::evaluators
