#include "predictor_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/core/text.hpp"
#include "numbers.hpp"

namespace mosaic::cli {

namespace {

constexpr std::size_t kMostLevels = 32;
constexpr std::size_t kMostTold = 8;
constexpr double kTellTale = 0.999;

bool is_number(const std::string& cell) { return core::parse_number(core::trim(cell)).has_value(); }

/// A column holds numbers if most of its cells do that are not empty, be it with a unit or a
/// decimal comma: a stray cell is then an error, not a level.
bool is_numeric(const core::CsvTable& table, std::size_t column) {
  std::size_t numbers = 0;
  std::size_t others = 0;
  for (const auto& row : table.rows) {
    const std::string& cell = row[column];
    if (is_number(cell) || !core::advice_on_number(cell).empty())
      ++numbers;
    else if (!core::is_missing(cell))
      ++others;
  }
  return numbers > others;
}

std::set<std::string> levels_of(const core::CsvTable& table, std::size_t column) {
  std::set<std::string> levels;
  for (const auto& row : table.rows) levels.insert(row[column]);
  return levels;
}

std::vector<std::size_t> target_columns(const core::CsvTable& table,
                                        const PredictorTableOptions& options) {
  std::vector<std::size_t> columns;
  for (const auto& name : options.targets) {
    columns.push_back(table.column(name));
    if (std::count(columns.begin(), columns.end(), columns.back()) > 1)
      throw core::UsageError("the target '" + name + "' is given twice", "name it once");
  }
  return columns;
}

/// The column that names the network, which is no feature.
std::optional<std::size_t> group_column(const core::CsvTable& table,
                                        const PredictorTableOptions& options) {
  if (options.group) return table.column(*options.group);
  return table.find("arch");
}

/// Rows that have something else than a number in one of `columns` are left out, or refused with
/// the first of them and their number.
void keep_complete_rows(core::CsvTable& table, const std::vector<std::size_t>& columns, bool skip) {
  std::vector<std::size_t> complete;
  std::optional<std::pair<std::size_t, std::size_t>> first;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const auto bad = std::find_if(columns.begin(), columns.end(), [&](std::size_t column) {
      return !is_number(table.rows[row][column]);
    });
    if (bad == columns.end()) {
      complete.push_back(row);
      continue;
    }
    // A number that is only written otherwise is no reason to leave a row out.
    if (!core::advice_on_number(table.rows[row][*bad]).empty()) (void)table.number(row, *bad);
    if (!first) first = {row, *bad};
  }
  if (!first) return;
  const auto [row, column] = *first;
  const std::size_t count = table.rows.size() - complete.size();
  if (complete.empty())
    throw core::Error(table.place(row) + "column '" + table.columns[column] + "' is '" +
                          table.rows[row][column] + "', and no row has all its numbers",
                      "name other targets, or leave columns out with --drop");
  if (!skip)
    throw core::Error(table.place(row) + "column '" + table.columns[column] + "' is '" +
                          table.rows[row][column] + "', not a finite number (" +
                          std::to_string(count) + " of " + std::to_string(table.rows.size()) +
                          " rows lack one)",
                      "correct the cells, or leave these rows out: --skip-missing");
  core::log_info(fmt::format("{} of {} rows left out: no number (first: {}column '{}' is '{}')",
                             count, table.rows.size(), table.place(row), table.columns[column],
                             table.rows[row][column]));
  for (std::size_t i = 0; i < complete.size(); ++i) {
    if (complete[i] == i) continue;
    table.rows[i] = std::move(table.rows[complete[i]]);
    table.lines[i] = table.lines[complete[i]];
  }
  table.rows.resize(complete.size());
  table.lines.resize(complete.size());
}

/// Rows of one network: of one name in `group`, or of equal features, unless the user said which
/// column alone tells networks apart.
std::vector<std::vector<std::size_t>> networks_of(const core::CsvTable& table,
                                                  const std::vector<predictors::Features>& rows,
                                                  std::optional<std::size_t> group,
                                                  bool by_features) {
  std::vector<std::size_t> leader(table.rows.size());
  const auto find = [&](std::size_t i) {
    while (leader[i] != i) i = leader[i] = leader[leader[i]];
    return i;
  };
  std::map<std::string, std::size_t> names;
  std::map<predictors::Features, std::size_t> known;
  for (std::size_t i = 0; i < leader.size(); ++i) {
    leader[i] = i;
    if (group) leader[i] = find(names.emplace(table.rows[i][*group], i).first->second);
    if (!by_features) continue;
    const std::size_t other = find(known.emplace(rows[i], i).first->second);
    const std::size_t own = find(i);
    leader[std::max(own, other)] = std::min(own, other);
  }
  std::vector<std::vector<std::size_t>> result;
  std::map<std::size_t, std::size_t> places;
  for (std::size_t i = 0; i < leader.size(); ++i) {
    const auto [found, is_new] = places.emplace(find(i), result.size());
    if (is_new) result.emplace_back();
    result[found->second].push_back(i);
  }
  return result;
}

/// "latency_mean_decoder" -> latency, mean, decoder.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalpha(byte) != 0 || byte >= 0x80)
      words.back() += static_cast<char>(std::tolower(byte));
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

/// Words by which columns of measurements are known.
bool names_measurement(const std::string& word) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"latency",  "lat", "time",    "runtime", "duration",   "ms",    "us",
       "ns",       "sec", "seconds", "energy",  "mj",         "power", "watt",
       "accuracy", "acc", "loss",    "error",   "throughput", "fps"});
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

/// Columns that were measured with the target, by their names: they share its word for what is
/// measured, or its first word where it has none.
void warn_of_siblings(const core::CsvTable& table, const std::vector<std::size_t>& targets,
                      const std::vector<std::size_t>& features) {
  std::set<std::string> marks;
  for (const std::size_t target : targets) {
    const auto words = words_of(table.columns[target]);
    const auto before = marks.size();
    std::copy_if(words.begin(), words.end(), std::inserter(marks, marks.end()), names_measurement);
    if (marks.size() == before && !words.empty()) marks.insert(words.front());
  }
  std::vector<std::string> siblings;
  for (const std::size_t column : features) {
    const auto words = words_of(table.columns[column]);
    if (std::any_of(words.begin(), words.end(),
                    [&](const std::string& word) { return marks.contains(word); }))
      siblings.push_back("'" + table.columns[column] + "'");
  }
  if (siblings.empty()) return;
  if (siblings.size() > kMostTold) {
    const std::size_t more = siblings.size() - kMostTold;
    siblings.resize(kMostTold);
    siblings.push_back(std::to_string(more) + " more");
  }
  core::log_warning(
      "named like the target, and features: " + core::join(siblings) +
      ". If they are measured with it they tell it, and no new network has them: --drop them "
      "unless they are known before measuring");
}

/// A clock: rising from row to row, as seconds (milli-, micro-, nanoseconds) since 1970, or dates.
bool tells_time(const core::CsvTable& table, std::size_t column) {
  double above = 0;
  std::string_view date_above;
  for (const auto& row : table.rows) {
    const std::string_view cell = core::trim(row[column]);
    if (const auto value = core::parse_number(cell)) {
      double seconds = *value;
      while (seconds > 1e11) seconds /= 1000;
      const bool day = *value >= 19'700'101 && *value <= 22'000'101;
      if (!(day || (seconds >= 1e9 && seconds <= 4e9)) || *value < above) return false;
      above = *value;
      continue;
    }
    const bool date = cell.size() >= 10 && cell[4] == '-' && cell[7] == '-' &&
                      core::parse_integer(cell.substr(0, 4)) &&
                      core::parse_integer(cell.substr(5, 2));
    if (!date || cell < date_above) return false;
    date_above = cell;
  }
  const auto& rows = table.rows;
  return rows.size() > 1 && rows.front()[column] != rows.back()[column];
}

void warn_of_counters(const core::CsvTable& table, const std::vector<std::size_t>& features) {
  for (const std::size_t column : features) {
    const std::string& name = table.columns[column];
    if (table.counts_rows(column))
      core::log_warning("column '" + name + "' counts the rows, and is a feature: --drop '" + name +
                        "' unless it says something of the network");
    else if (tells_time(table, column))
      core::log_warning("column '" + name + "' tells when a row was measured, and is a feature: " +
                        "--drop '" + name + "' unless it says something of the network");
  }
}

void warn_of_targets(const core::CsvTable& table, const std::vector<std::size_t>& columns) {
  for (const std::size_t column : columns) {
    std::set<double> negative;
    std::size_t count = 0;
    std::size_t first = 0;
    bool equal = true;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      const double value = table.number(row, column);
      equal = equal && value == table.number(0, column);
      if (value >= 0) continue;
      if (count++ == 0) first = row;
      negative.insert(value);
    }
    const std::string& name = table.columns[column];
    if (equal)
      core::log_warning("the target '" + name + "' is " + table.rows[0][column] +
                        " in every row: there is nothing to learn");
    else if (negative.size() == 1 && 2 * count <= table.rows.size())
      core::log_warning(fmt::format(
          "{}target '{}' is {}, in {} of {} rows, and positive in the others: if that stands for a "
          "failed measurement, empty the cells and add --skip-missing",
          table.place(first), name, table.rows[first][column], count, table.rows.size()));
  }
}

/// `columns`: the one that each feature comes from, which is what can be dropped.
void warn_of_tell_tales(const PredictorRecords& records, const std::vector<std::string>& columns) {
  for (std::size_t i = 0; i < records.names.size(); ++i) {
    const auto values = core::mapped(records.rows, [i](const auto& row) { return row[i]; });
    const double r = core::correlation(values, records.targets);
    if (std::abs(r) > kTellTale)
      core::log_warning(
          fmt::format("column '{}' all but tells the target (correlation {:.5f}): --drop '{}' "
                      "unless it is known before measuring",
                      records.names[i], r, columns[i]));
  }
}

/// Where a feature comes from: a column, and the level that counts as 1 if it holds text.
struct Source {
  std::size_t column = 0;
  std::optional<std::string> level;
};

std::string level_feature(const std::string& column, const std::string& level) {
  return column + "=" + level;
}

// Names for where the plain one may mean a column and a level of another column.
std::string full_column_feature(const std::string& column) { return column + " [column]"; }
std::string full_level_feature(const std::string& column, const std::string& level) {
  return level_feature(column, level) + " [level of " + column + "]";
}

/// All that a feature's name may mean in a table: a column, or a level of one.
std::vector<Source> sources_of(const core::CsvTable& table, const std::string& name) {
  std::vector<Source> result;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const std::string& its = table.columns[column];
    if (!name.starts_with(its)) continue;
    if (name == full_column_feature(its)) return {{column, std::nullopt}};
    if (name == its) result.push_back({column, std::nullopt});
    if (name.size() == its.size() || name[its.size()] != '=') continue;
    std::string level = name.substr(its.size() + 1);
    const std::string end = full_level_feature(its, "").substr(its.size() + 1);
    if (level.ends_with(end)) return {{column, level.substr(0, level.size() - end.size())}};
    result.push_back({column, std::move(level)});
  }
  return result;
}

/// The name by which sources_of() finds this source alone.
std::string name_of(const core::CsvTable& table, const Source& source) {
  const std::string& column = table.columns[source.column];
  const auto names = source.level ? std::array{level_feature(column, *source.level),
                                               full_level_feature(column, *source.level)}
                                  : std::array{column, full_column_feature(column)};
  for (const auto& name : names) {
    const auto found = sources_of(table, name);
    if (found.size() == 1 && found[0].column == source.column && found[0].level == source.level)
      return name;
  }
  throw core::Error("the name '" + names[0] + "' may mean two columns of " + table.origin,
                    "rename column '" + column + "'");
}

Source source_of(const core::CsvTable& table, const std::string& name) {
  const auto sources = sources_of(table, name);
  if (sources.size() == 1) return sources.front();
  const std::string column = name.substr(0, name.find('='));
  if (sources.empty())
    throw core::Error("'" + table.origin + "' lacks the column '" + column +
                          "', which the predictor was fitted on",
                      "its columns: " + core::join(table.columns));
  throw core::Error("'" + table.origin + "' has a column '" + name +
                        "' and one whose value may be what the predictor calls so",
                    "leave out the one that the predictor was not fitted on");
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

void add_predictor_table_options(App& app, PredictorTableOptions& options) {
  app.add_option("TABLE", options.file, "CSV file, .gz or not, one row a measurement")->required();
  app.add_option("--target", options.targets, "column to learn (several: add --sum)")
      ->required()
      ->one_at_a_time();
  app.add_flag("--sum", options.sum, "learn the sum of the targets");
  app.add_option("--drop", options.drop,
                 "columns that are no features (a name or a shell pattern; repeatable)")
      ->one_at_a_time();
  app.add_option("--group", options.group,
                 "column that names the network: its rows stay together where some are held out "
                 "(default: arch where there is one, and equal features)");
  app.add_flag("--skip-missing", options.skip_missing,
               "leave out rows that lack a number in a target or a feature");
  app.add_flag("--ordered", options.ordered,
               "rows are in measuring order: drift of the device is found and taken out");
  app.add_option("--predictor", options.predictor,
                 "predictor, such as gp or auto(candidates=ridge+gp)")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of folds, subsets and rows held out")
      ->capture_default_str()
      ->check(seed());
}

PredictorRecords read_predictor_records(const PredictorTableOptions& options) {
  if (options.targets.size() > 1 && !options.sum)
    throw core::UsageError(std::to_string(options.targets.size()) + " targets for one predictor",
                           "add --sum to learn their sum, or fit one predictor for each");
  core::CsvTable table = core::read_csv(options.file);
  const auto targets = target_columns(table, options);
  const auto group = group_column(table, options);
  std::set<std::size_t> used(targets.begin(), targets.end());
  for (const auto& pattern : options.drop)
    for (const std::size_t column : table.matching(pattern)) used.insert(column);
  if (group) used.insert(*group);
  if (table.rows.empty())
    throw core::Error("'" + options.file + "' has no rows below its header", "measure networks");
  std::vector<std::size_t> features;
  std::vector<std::size_t> numbers = targets;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    if (used.contains(column)) continue;
    features.push_back(column);
    if (is_numeric(table, column)) numbers.push_back(column);
  }
  if (features.empty())
    throw core::UsageError("no column of '" + options.file + "' is left as a feature",
                           "name fewer targets or drop fewer columns");
  warn_of_counters(table, features);
  warn_of_siblings(table, targets, features);
  keep_complete_rows(table, numbers, options.skip_missing);
  warn_of_targets(table, targets);

  PredictorRecords records;
  std::vector<std::string> columns;  // of each feature
  for (const std::size_t column : features) {
    const std::string& name = table.columns[column];
    if (std::find(numbers.begin(), numbers.end(), column) != numbers.end()) {
      records.names.push_back(name_of(table, {column, std::nullopt}));
      columns.push_back(name);
      continue;
    }
    const auto levels = levels_of(table, column);
    if (levels.size() > kMostLevels)
      throw core::Error("column '" + name + "' of '" + options.file + "' holds text of " +
                            std::to_string(levels.size()) + " kinds, too many for a feature",
                        "leave it out with --drop '" + name +
                            "', or say that it names networks: --group '" + name + "'");
    for (const auto& level : levels) records.names.push_back(name_of(table, {column, level}));
    columns.resize(records.names.size(), name);
  }
  records.rows = features_by_name(table, records.names);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    records.targets.push_back(0);
    for (const std::size_t column : targets) records.targets.back() += table.number(row, column);
  }
  warn_of_tell_tales(records, columns);
  records.networks = networks_of(table, records.rows, group, !options.group);
  if (records.networks.size() < records.rows.size())
    core::log_info(fmt::format("{} distinct networks in {} rows", records.networks.size(),
                               records.rows.size()));
  return records;
}

std::vector<predictors::Features> features_by_name(const core::CsvTable& table,
                                                   const std::vector<std::string>& names) {
  const auto sources =
      core::mapped(names, [&](const auto& name) { return source_of(table, name); });
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
