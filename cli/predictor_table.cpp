#include "predictor_table.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {

namespace {

constexpr std::size_t kMostLevels = 32;
constexpr double kTellTale = 0.999;

bool is_number(const std::string& cell) {
  const std::string_view text = core::trim(cell);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

/// A column holds numbers if most of its cells do: a stray cell is then an error, not a level.
bool is_numeric(const core::CsvTable& table, std::size_t column) {
  std::size_t numbers = 0;
  for (const auto& row : table.rows) numbers += is_number(row[column]) ? 1 : 0;
  return 2 * numbers > table.rows.size();
}

std::set<std::string> levels_of(const core::CsvTable& table, std::size_t column) {
  std::set<std::string> levels;
  for (const auto& row : table.rows) levels.insert(row[column]);
  return levels;
}

/// One target for each row.
std::vector<double> read_targets(const core::CsvTable& table, const PredictorTableOptions& options,
                                 std::set<std::size_t>& used) {
  std::vector<double> targets(table.rows.size(), 0.0);
  for (const auto& name : options.targets) {
    const std::size_t column = table.column(name);
    if (!used.insert(column).second)
      throw core::UsageError("the target '" + name + "' is given twice", "name it once");
    for (std::size_t i = 0; i < targets.size(); ++i) targets[i] += table.number(i, column);
  }
  return targets;
}

/// Takes the columns that match the patterns out of the features.
void drop_columns(const core::CsvTable& table, const std::vector<std::string>& patterns,
                  std::set<std::size_t>& used) {
  for (const auto& pattern : patterns) {
    bool found = false;
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      if (fnmatch(pattern.c_str(), table.columns[column].c_str(), 0) != 0) continue;
      found = true;
      used.insert(column);
    }
    if (!found)
      throw core::UsageError("--drop '" + pattern + "' matches no column of '" + table.origin + "'",
                             "its columns: " + core::join(table.columns));
  }
}

double correlation(const std::vector<predictors::Features>& rows, std::size_t column,
                   const std::vector<double>& targets) {
  const double count = static_cast<double>(rows.size());
  double x = 0;
  double y = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    x += rows[i][column] / count;
    y += targets[i] / count;
  }
  double xx = 0;
  double yy = 0;
  double xy = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    xx += (rows[i][column] - x) * (rows[i][column] - x);
    yy += (targets[i] - y) * (targets[i] - y);
    xy += (rows[i][column] - x) * (targets[i] - y);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

void warn_of_tell_tales(const PredictorRecords& records) {
  for (std::size_t column = 0; column < records.names.size(); ++column) {
    const double r = correlation(records.rows, column, records.targets);
    if (std::abs(r) > kTellTale)
      core::log_warning(
          fmt::format("column '{0}' all but tells the target (correlation {1:.5f}): "
                      "--drop '{0}' unless it is known before measuring",
                      records.names[column], r));
  }
}

/// Where a feature comes from: a column, and the level that counts as 1 if it holds text.
struct Source {
  std::size_t column = 0;
  std::optional<std::string> level;
};

Source source_of(const core::CsvTable& table, const std::string& name) {
  const auto find = [&](const std::string& column) {
    return static_cast<std::size_t>(std::find(table.columns.begin(), table.columns.end(), column) -
                                    table.columns.begin());
  };
  if (find(name) < table.columns.size()) return {find(name), std::nullopt};
  for (std::size_t at = name.find('='); at != std::string::npos; at = name.find('=', at + 1))
    if (find(name.substr(0, at)) < table.columns.size())
      return {find(name.substr(0, at)), name.substr(at + 1)};
  const std::string column = name.substr(0, name.find('='));
  throw core::Error(
      "'" + table.origin + "' lacks the column '" + column + "', which the predictor was fitted on",
      "its columns: " + core::join(table.columns));
}

void check_levels(const core::CsvTable& table, const std::vector<Source>& sources) {
  std::map<std::size_t, std::vector<std::string>> known;
  for (const auto& source : sources)
    if (source.level) known[source.column].push_back(*source.level);
  for (const auto& [column, levels] : known)
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      if (std::find(levels.begin(), levels.end(), table.rows[i][column]) == levels.end())
        throw core::Error(table.origin + ":" + std::to_string(table.lines[i]) +
                              ": the predictor has never seen '" + table.columns[column] + "' = '" +
                              table.rows[i][column] + "'",
                          "it knows " + core::join(levels));
}

}  // namespace

std::string PredictorTableOptions::spec() const {
  if (!ordered) return predictor;
  const core::Call call = core::parse_call(predictor);
  if (call.name != "auto") return "auto(candidates=" + predictor + ", ordered=yes)";
  if (call.arguments.empty()) return "auto(ordered=yes)";
  return predictor.substr(0, predictor.rfind(')')) + ", ordered=yes)";
}

void add_predictor_table_options(CLI::App& app, PredictorTableOptions& options) {
  app.add_option("TABLE", options.file, "CSV file, .gz or not, one row a network")->required();
  app.add_option("--target", options.targets, "column to learn (several: add --sum)")
      ->required()
      ->allow_extra_args(false);
  app.add_flag("--sum", options.sum, "learn the sum of the targets");
  app.add_option("--drop", options.drop, "columns that are no features (shell pattern; repeatable)")
      ->allow_extra_args(false);
  app.add_flag("--ordered", options.ordered,
               "rows are in measuring order: drift of the device is found and taken out");
  app.add_option("--predictor", options.predictor,
                 "predictor, such as gp or auto(candidates=ridge+gp)")
      ->capture_default_str();
}

PredictorRecords read_predictor_records(const PredictorTableOptions& options) {
  if (options.targets.size() > 1 && !options.sum)
    throw core::UsageError(std::to_string(options.targets.size()) + " targets for one predictor",
                           "add --sum to learn their sum, or fit one predictor for each");
  const core::CsvTable table = core::read_csv(options.file);
  std::set<std::size_t> used;
  PredictorRecords records;
  records.targets = read_targets(table, options, used);
  drop_columns(table, options.drop, used);
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    if (used.count(column) > 0) continue;
    const std::string& name = table.columns[column];
    if (is_numeric(table, column)) {
      records.names.push_back(name);
      continue;
    }
    const auto levels = levels_of(table, column);
    if (levels.size() > kMostLevels)
      throw core::Error("column '" + name + "' of '" + options.file + "' holds text of " +
                            std::to_string(levels.size()) + " kinds, too many for a feature",
                        "leave it out with --drop '" + name + "'");
    for (const auto& level : levels) records.names.push_back(name + "=" + level);
  }
  if (records.names.empty())
    throw core::UsageError("no column of '" + options.file + "' is left as a feature",
                           "name fewer targets or drop fewer columns");
  records.rows = features_by_name(table, records.names);
  warn_of_tell_tales(records);
  return records;
}

std::vector<predictors::Features> features_by_name(const core::CsvTable& table,
                                                   const std::vector<std::string>& names) {
  std::vector<Source> sources;
  for (const auto& name : names) sources.push_back(source_of(table, name));
  check_levels(table, sources);
  std::vector<predictors::Features> rows(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (const auto& [column, level] : sources)
      rows[i].push_back(level ? (table.rows[i][column] == *level ? 1 : 0)
                              : table.number(i, column));
  }
  return rows;
}

}  // namespace mosaic::cli
