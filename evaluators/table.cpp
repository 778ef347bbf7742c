// Tables: what was measured before.
#include "mosaic/evaluators/table.hpp"

#include <algorithm>
#include <cmath>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/catalogue.hpp"

namespace mosaic::evaluators {

namespace {

constexpr const char* kArch = "arch";
constexpr std::size_t kMostTold = 3;
constexpr double kWild = 0.1;  // rows of a network that differ by more are named

std::string checksum_of(const core::CsvTable& csv) {
  core::Hasher hasher;
  for (const auto& column : csv.columns) hasher.add(column);
  for (const auto& row : csv.rows)
    for (const auto& cell : row) hasher.add(cell);
  return hasher.hex();
}

std::string count(std::size_t number, const std::string& what) {
  return core::with_commas(static_cast<long long>(number)) + " " + what + (number == 1 ? "" : "s");
}

/// The first few, and how many there are more.
std::string some_of(std::vector<std::string> parts, std::size_t all,
                    const std::string& between = "; ") {
  if (parts.size() > kMostTold) parts.resize(kMostTold);
  return core::join(parts, between) +
         (all > parts.size() ? between + std::to_string(all - parts.size()) + " more" : "");
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%%", 100 * share);
  return text;
}

bool has_numbers(const core::CsvTable& csv, const std::string& metric) {
  const std::size_t column = csv.column(metric);
  return std::any_of(csv.rows.begin(), csv.rows.end(), [&](const auto& row) {
    return core::parse_number(core::trim(row[column])).has_value();
  });
}

class TableEvaluator : public Evaluator {
 public:
  TableEvaluator(std::shared_ptr<const Table> table, const std::vector<std::string>& metrics)
      : table_(std::move(table)) {
    for (const auto& metric : metrics) {
      columns_.push_back(table_->csv().column(metric));
      metrics_.push_back({.name = metric, .exact = true});
      metrics_.back().fidelity = "table(" + table_->checksum().substr(0, 12) +
                                 (table_->repeats() ? ", mean of repeats)" : ")");
    }
  }

  const std::vector<MetricInfo>& metrics() const override { return metrics_; }
  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    return evaluate_each(*this, candidates, sink, [this](const Candidate& candidate) {
      Row row;
      for (const std::size_t column : columns_) row.push_back(table_->look_up(candidate, column));
      return row;
    });
  }

 private:
  std::shared_ptr<const Table> table_;
  std::vector<std::size_t> columns_;
  std::vector<MetricInfo> metrics_;
};

const core::Registered kEntry{
    evaluators(), "table", "columns of a table that the job's [evaluator] names",
    EvaluatorType{.metrics =
                      [](const JobFacts& facts) {
                        std::vector<MetricInfo> result;
                        if (facts.table)
                          for (const auto& column : facts.table->columns)
                            if (column != kArch)
                              result.push_back({.name = column,
                                                .summary = "a column of " + facts.table->origin,
                                                .exact = true,
                                                .known = has_numbers(*facts.table, column)});
                        return result;
                      },
                  .read =
                      [](core::Section&, const JobFacts&) {
                        return Measuring{.make = [](const Workbench& work, const auto& metrics) {
                          return table_evaluator(work.table(), metrics);
                        }};
                      }}};

}  // namespace

Table::Table(const core::CsvTable& csv, const spaces::Space& space,
             const std::vector<std::string>& metrics)
    : csv_(csv), checksum_(checksum_of(csv)) {
  for (const auto& metric : metrics) metrics_.push_back(csv_.column(metric));
  read_rows(space);
  for (const std::size_t column : metrics_) check_metric(column);
  if (metrics_.size() > 1 && complete().empty())
    throw core::Error(
        "no network of " + csv_.origin + " has a number in each of " + core::join(metrics),
        "complete the rows, or leave a metric out");
  if (repeats_) tell_repeats();
}

void Table::read_rows(const spaces::Space& space) {
  const std::size_t arch = csv_.column(kArch);
  std::size_t unreadable = 0;
  std::vector<std::string> reasons;
  for (std::size_t row = 0; row < csv_.rows.size(); ++row) {
    if (row % 1024 == 0) core::check_interrupt();
    try {
      auto genotype = space.parse(csv_.rows[row][arch]);
      auto text = space.text(genotype);
      const auto [known, is_new] = places_.emplace(text, networks_.size());
      if (is_new) networks_.push_back({std::move(genotype), std::move(text), {}});
      networks_[known->second].rows.push_back(row);
      repeats_ = repeats_ || !is_new;
    } catch (const core::UsageError& error) {
      if (++unreadable <= kMostTold) reasons.push_back(csv_.place(row) + error.message());
    }
  }
  const std::string why = core::printable(some_of(reasons, unreadable));
  if (networks_.empty())
    throw core::Error(csv_.origin + " holds no network of the space " + space.name() + " (" +
                          count(csv_.rows.size(), "row") + ", none can be read" +
                          (why.empty() ? "" : ": " + why) + ")",
                      "the column 'arch' must hold architectures as `mosaic spaces " +
                          space.name() + "` writes them");
  if (unreadable > 0)
    core::log_warning(csv_.origin + ": " + std::to_string(unreadable) + " of " +
                      count(csv_.rows.size(), "row") + " left out, whose architecture the space " +
                      space.name() + " cannot read (" + why + ")");
}

void Table::check_metric(std::size_t column) const {
  const std::string& metric = csv_.columns[column];
  std::size_t bad = 0;
  std::size_t good = 0;
  std::vector<std::string> reasons;
  std::string first;
  for (const auto& network : networks_)
    for (const std::size_t row : network.rows) {
      const std::string& cell = csv_.rows[row][column];
      if (core::parse_number(core::trim(cell))) {
        ++good;
      } else if (++bad <= kMostTold) {
        reasons.push_back(csv_.place(row) + "'" + cell + "'");
        if (bad == 1) first = cell;
      }
    }
  const std::string where = core::printable(some_of(reasons, bad));
  if (good == 0) {
    const std::string advice = core::advice_on_number(first);
    throw core::Error(
        "column '" + metric + "' of " + csv_.origin + " has no number (" + where + ")",
        advice.empty() ? "name a column of numbers" : core::printable(advice));
  }
  if (bad > 0)
    core::log_warning(csv_.origin + ": " + std::to_string(bad) + " of " + count(good + bad, "row") +
                      " have no number in column '" + metric + "' (" + where +
                      "); a network without one is left out");
}

std::vector<double> Table::numbers(const Network& network, std::size_t column) const {
  std::vector<double> result;
  for (const std::size_t row : network.rows)
    if (const auto value = core::parse_number(core::trim(csv_.rows[row][column])))
      result.push_back(*value);
  return result;
}

void Table::tell_repeats() const {
  struct Spread {
    double share;
    const Network* network;
    std::size_t column;
  };
  std::vector<Spread> spreads;
  std::size_t repeated = 0;
  std::size_t rows = 0;
  for (const auto& network : networks_) {
    if (network.rows.size() == 1) continue;
    ++repeated;
    rows += network.rows.size();
    for (const std::size_t column : metrics_) {
      const auto values = numbers(network, column);
      if (values.size() < 2) continue;
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      const double size = std::max(std::abs(*low), std::abs(*high));
      if (*low < *high) spreads.push_back({(*high - *low) / size, &network, column});
    }
  }
  std::stable_sort(spreads.begin(), spreads.end(),
                   [](const Spread& a, const Spread& b) { return a.share > b.share; });
  std::string text = csv_.origin + ": " + count(repeated, "network") + " in several rows (" +
                     std::to_string(rows) + "): their means are taken";
  if (spreads.empty()) return core::log_info(text);
  const auto told = [&](const Spread& spread) {
    std::vector<std::string> values;
    for (const std::size_t row : spread.network->rows)
      values.push_back(csv_.rows[row][spread.column] + " in line " +
                       std::to_string(csv_.lines[row]));
    return csv_.columns[spread.column] + " of " + spread.network->arch + ": " +
           some_of(values, values.size(), ", ");
  };
  const auto wild = std::max<std::ptrdiff_t>(
      1, std::count_if(spreads.begin(), spreads.end(),
                       [](const Spread& spread) { return spread.share > kWild; }));
  std::vector<std::string> worst;
  for (const auto& spread : spreads)
    if (std::ssize(worst) < wild && worst.size() < kMostTold) worst.push_back(told(spread));
  text += "; they differ by up to " + percent(spreads[0].share) + " (" +
          core::printable(some_of(worst, static_cast<std::size_t>(wild))) + ")";
  if (spreads[0].share > kWild)
    core::log_warning(text);
  else
    core::log_info(text);
}

std::vector<spaces::Genotype> Table::complete() const {
  std::vector<spaces::Genotype> result;
  for (const auto& network : networks_)
    if (std::all_of(metrics_.begin(), metrics_.end(),
                    [&](std::size_t column) { return !numbers(network, column).empty(); }))
      result.push_back(network.genotype);
  return result;
}

core::Measurement Table::look_up(const Candidate& candidate, std::size_t column) const {
  core::Measurement result;
  const auto found = places_.find(candidate.arch);
  if (found == places_.end()) {
    result.status = core::Status::failed;
    result.message = csv_.origin + " has no row for this network";
    return result;
  }
  const Network& network = networks_[found->second];
  const auto values = numbers(network, column);
  if (!values.empty()) {
    result.value = core::mean(values);
    return result;
  }
  result.status = core::Status::failed;
  result.message = csv_.place(network.rows[0]) + "column '" + csv_.columns[column] + "' is '" +
                   csv_.rows[network.rows[0]][column] + "', not a finite number";
  return result;
}

std::unique_ptr<Evaluator> table_evaluator(std::shared_ptr<const Table> table,
                                           const std::vector<std::string>& metrics) {
  return std::make_unique<TableEvaluator>(std::move(table), metrics);
}

}  // namespace mosaic::evaluators
