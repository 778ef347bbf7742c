#include "mosaic/evaluators/table.hpp"

#include <algorithm>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"

namespace mosaic::evaluators {

namespace {

constexpr const char* kArch = "arch";
constexpr std::size_t kMostTold = 5;

/// Tells of the first few bad rows, and how many there are.
class BadRows {
 public:
  explicit BadRows(const core::CsvTable& csv) : csv_(csv) {}
  void add(std::size_t row, const std::string& why) {
    if (count_++ < kMostTold)
      core::log_warning(csv_.origin + ":" + std::to_string(csv_.lines[row]) +
                        ": row left out: " + why);
  }
  void finish() const {
    if (count_ > kMostTold)
      core::log_warning(csv_.origin + ": " + std::to_string(count_) + " rows were left out in all");
  }
  std::size_t count() const { return count_; }

 private:
  const core::CsvTable& csv_;
  std::size_t count_ = 0;
};

std::string checksum_of(const core::CsvTable& csv) {
  core::Hasher hasher;
  for (const auto& column : csv.columns) hasher.add(column);
  for (const auto& row : csv.rows)
    for (const auto& cell : row) hasher.add(cell);
  return hasher.hex();
}

class TableEvaluator : public Evaluator {
 public:
  TableEvaluator(std::shared_ptr<const Table> table, std::string metric)
      : table_(std::move(table)),
        metric_(std::move(metric)),
        column_(table_->csv().column(metric_)) {}

  const std::string& metric() const override { return metric_; }
  const std::string& unit() const override { return unit_; }
  std::string fidelity() const override {
    return "table(" + table_->checksum().substr(0, 12) + ")";
  }
  bool exact() const override { return true; }
  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink) override {
    return evaluate_each(*this, candidates, sink, [this](const Candidate& candidate) {
      return table_->look_up(candidate, column_);
    });
  }

 private:
  std::shared_ptr<const Table> table_;
  std::string metric_;
  std::string unit_;
  std::size_t column_;
};

}  // namespace

Table::Table(const core::CsvTable& csv, const spaces::Space& space)
    : csv_(csv), checksum_(checksum_of(csv)) {
  const std::size_t arch = csv_.column(kArch);
  BadRows bad(csv_);
  for (std::size_t row = 0; row < csv_.rows.size(); ++row) {
    try {
      const auto genotype = space.parse(csv_.rows[row][arch]);
      const auto [known, is_new] = rows_.emplace(space.text(genotype), row);
      if (!is_new)
        bad.add(row, "the network of line " + std::to_string(csv_.lines[known->second]) + " again");
    } catch (const core::UsageError& error) {
      bad.add(row, error.message());
    }
  }
  bad.finish();
  if (rows_.empty())
    throw core::Error(csv_.origin + " holds no network of the space " + space.name() + " (" +
                          std::to_string(csv_.rows.size()) + " rows, none can be read)",
                      "the column 'arch' must hold architectures as `mosaic spaces " +
                          space.name() + "` writes them");
}

bool Table::has_metric(const core::CsvTable& csv, const std::string& metric) {
  return metric != kArch &&
         std::find(csv.columns.begin(), csv.columns.end(), metric) != csv.columns.end();
}

core::Measurement Table::look_up(const Candidate& candidate, std::size_t column) const {
  core::Measurement result;
  const auto found = rows_.find(candidate.arch);
  if (found == rows_.end()) {
    result.status = core::Status::failed;
    result.message = csv_.origin + " has no row for this network";
    return result;
  }
  try {
    result.value = csv_.number(found->second, column);
  } catch (const core::Error& error) {
    result.status = core::Status::failed;
    result.message = error.message();
  }
  return result;
}

std::unique_ptr<Evaluator> table_evaluator(std::shared_ptr<const Table> table,
                                           const std::string& metric) {
  return std::make_unique<TableEvaluator>(std::move(table), metric);
}

}  // namespace mosaic::evaluators
