// `mosaic predictor eval`: how well a predictor does on rows that it did not see.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/core/text.hpp"
#include "numbers.hpp"
#include "output.hpp"
#include "predictor.hpp"
#include "predictor_table.hpp"

namespace mosaic::cli {
namespace {

using predictors::Drift;
using predictors::Scores;

struct Options {
  PredictorTableOptions table;
  OutputOptions output;
  std::size_t train = 0;
  std::size_t test = 0;
  std::size_t seeds = 1;
  std::vector<std::size_t> curve;
};

/// The rows of one seed: both in file order.
struct Split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
};

/// The rows of random networks, at most `test` of them, then `train` rows of the other networks.
Split split_rows(std::vector<std::vector<std::size_t>> networks, std::size_t train,
                 std::size_t test, std::uint64_t seed) {
  core::Stream(seed, "predictor.eval.split").shuffle(networks);
  Split split;
  for (const auto& rows : networks) {
    auto& side = split.test.size() + rows.size() <= test ? split.test : split.train;
    side.insert(side.end(), rows.begin(), rows.end());
  }
  if (split.test.empty())
    throw core::UsageError(
        fmt::format("no network has as few as {} row{} to score, and all rows of one are scored "
                    "together",
                    test, test == 1 ? "" : "s"),
        fmt::format(
            "score at least --test {}",
            std::min_element(networks.begin(), networks.end(), [](const auto& a, const auto& b) {
              return a.size() < b.size();
            })->size()));
  split.train.resize(std::min(split.train.size(), train));
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.test.begin(), split.test.end());
  return split;
}

/// Scores by name, in the order of printing.
std::vector<std::pair<std::string, double>> named(const Scores& scores) {
  return {{"mape", scores.mape},
          {"rmse", scores.rmse},
          {"kendall", scores.kendall},
          {"spearman", scores.spearman},
          {"pairs", (scores.kendall + 1) / 2},
          {"coverage", scores.coverage}};
}

/// What some seeds gave for one number of training rows.
struct Result {
  std::size_t train = 0;
  std::size_t scored = 0;  ///< test rows outside slow stretches, all seeds together
  std::vector<Scores> scores;
  std::string description;  ///< of the last predictor

  /// How many of `scored` have a percentage error.
  std::size_t with_percentage() const {
    std::size_t count = 0;
    for (const auto& one : scores) count += one.mape_records;
    return count;
  }

  std::pair<double, double> summary(std::size_t which) const {
    std::vector<double> values;
    for (const auto& one : scores) values.push_back(named(one)[which].second);
    return {core::mean(values), core::deviation(values)};
  }
};

Result evaluate(const PredictorRecords& records, const Drift& drift, const Options& options,
                std::size_t train, std::size_t test, const std::function<void()>& fitted) {
  Result result;
  result.train = train;
  for (std::size_t k = 0; k < options.seeds; ++k) {
    const std::uint64_t seed = options.table.seed + k;
    Split split = split_rows(records.networks, train, test, seed);
    std::erase_if(split.test, [&](std::size_t i) { return drift.in_stretch(i); });
    if (split.test.empty())
      throw core::Error("all rows to score lie in slow stretches", "use more rows: --test");
    const auto predictor = predictors::make_predictor(options.table.spec());
    predictor->fit(core::pick(records.rows, split.train), core::pick(records.targets, split.train),
                   seed);
    result.scores.push_back(
        predictors::score(predictor->predict(core::pick(records.rows, split.test)),
                          core::pick(records.targets, split.test)));
    result.scored += split.test.size();
    result.description = predictor->describe();
    fitted();
  }
  return result;
}

nlohmann::json to_json(const Result& result, std::uint64_t first_seed) {
  nlohmann::json json = {{"train", result.train}, {"scored", result.scored}};
  for (std::size_t which = 0; which < named({}).size(); ++which) {
    const auto [mean, deviation] = result.summary(which);
    json[named({})[which].first] = mean;
    json[named({})[which].first + "_deviation"] = deviation;
  }
  json["seeds"] = nlohmann::json::array();
  for (std::size_t k = 0; k < result.scores.size(); ++k) {
    nlohmann::json one = {{"seed", first_seed + k},
                          {"records", result.scores[k].records},
                          {"mape_records", result.scores[k].mape_records}};
    for (const auto& [name, value] : named(result.scores[k])) one[name] = value;
    json["seeds"].push_back(one);
  }
  json["description"] = result.description;
  return json;
}

void print_json(const PredictorRecords& records, const Drift& drift, const Options& options,
                std::size_t left_out, const std::vector<Result>& results) {
  nlohmann::json json = to_json(results.back(), options.table.seed);
  json["predictor"] = options.table.spec();
  json["rows"] = records.rows.size();
  json["networks"] = records.networks.size();
  json["features"] = records.names;
  json["rows_in_stretches"] = left_out;
  json["stretches"] = nlohmann::json::array();
  for (const auto& stretch : drift.stretches)
    json["stretches"].push_back(
        {{"first", stretch.first + 1}, {"last", stretch.last + 1}, {"factor", stretch.factor}});
  if (!options.curve.empty()) {
    json["curve"] = nlohmann::json::array();
    for (const auto& result : results) json["curve"].push_back(to_json(result, options.table.seed));
  }
  std::cout << json.dump(2) << "\n";
}

void print_text(const PredictorRecords& records, const Drift& drift, const Options& options,
                std::size_t left_out, const std::vector<Result>& results) {
  db::Table table;
  table.columns = {"train", "scored", "MAPE %", "RMSE", "Kendall", "Spearman", "pairs", "coverage"};
  for (const auto& result : results) {
    std::vector<db::Table::Cell> row{count_cell(result.train), count_cell(result.scored)};
    for (std::size_t which = 0; which < named({}).size(); ++which) {
      const auto [mean, deviation] = result.summary(which);
      row.push_back(options.seeds > 1 ? text_cell(fmt::format("{:.4g} +- {:.2g}", mean, deviation))
                                      : number_cell(mean));
    }
    table.rows.push_back(row);
  }
  print_table(table, options.output);
  if (options.output.csv) return;
  std::cout << results.back().description;
  if (records.networks.size() < records.rows.size())
    std::cout << records.networks.size() << " distinct networks in " << records.rows.size()
              << " rows: all rows of a network are on the same side of a split\n";
  if (const Result& last = results.back(); last.with_percentage() < last.scored)
    std::cout << "MAPE is of " << last.with_percentage() << " of " << last.scored
              << " rows: a target of 0 has no percentage error\n";
  if (options.table.ordered)
    std::cout << "scored outside slow stretches of the whole table: " << left_out
              << " rows in them\n"
              << describe(drift);
}

void eval(const Options& options) {
  const PredictorRecords records = read_predictor_records(options.table);
  const std::size_t rows = records.rows.size();
  if (records.networks.size() < 2)
    throw core::Error(fmt::format("all {} rows are of one network: none is left to score", rows),
                      "measure more networks, or keep the columns that tell them apart");
  const std::size_t test = options.test > 0 ? options.test : std::max<std::size_t>(rows / 5, 1);
  std::vector<std::size_t> sizes = options.curve;
  if (sizes.empty()) sizes = {options.train > 0 ? options.train : rows - std::min(rows, test)};
  const std::size_t most = *std::max_element(sizes.begin(), sizes.end());
  if (most + test > rows)  // both are of a thousand million at most
    throw core::UsageError(
        fmt::format("{} rows to fit and {} to score, but the table has {}", most, test, rows),
        fmt::format("use at most {} rows together", rows));
  constexpr std::size_t kFewest = 4;
  if (const std::size_t least = *std::min_element(sizes.begin(), sizes.end()); least < kFewest)
    throw core::UsageError(
        fmt::format("{} rows to fit, of {} with {} to score: a predictor is fitted to at least {}",
                    least, rows, test, kFewest),
        "fit more rows, or score fewer: --train, --test");
  Drift drift;
  if (options.table.ordered)
    drift = predictors::detect_slow_stretches(records.rows, records.targets, options.table.seed);
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < rows; ++i) left_out += drift.in_stretch(i) ? 1 : 0;
  core::log_info("scoring " + options.table.spec() + " on a table of " +
                 core::with_commas(std::ssize(records.rows)) + " rows of " +
                 core::with_commas(std::ssize(records.names)) + " features");
  core::Progress progress("fits", std::ssize(sizes) * static_cast<std::int64_t>(options.seeds));
  std::int64_t done = 0;
  std::vector<Result> results;
  for (const std::size_t train : sizes)
    results.push_back(
        evaluate(records, drift, options, train, test, [&] { progress.update(++done); }));
  progress.finish();
  if (options.output.json)
    print_json(records, drift, options, left_out, results);
  else
    print_text(records, drift, options, left_out, results);
}

/// A count, for an option that is left out to say otherwise.
Check count_or(const std::string& otherwise) {
  const auto check = [otherwise](const std::string& text) {
    const std::string wrong = count().fault(text);
    return wrong.empty() ? wrong : wrong + "; leave the option out for " + otherwise;
  };
  return {check};
}

void setup_eval(App& app) {
  auto options = std::make_shared<Options>();
  add_predictor_table_options(app, options->table);
  add_output_options(app, options->output);
  app.add_option("--train", options->train, "rows to fit, in file order (default: all others)")
      ->check(count_or("all others"));
  app.add_option("--test", options->test, "random rows to score (default: a fifth)")
      ->check(count_or("a fifth"));
  app.add_option("--seeds", options->seeds, "so many seeds, from --seed on: mean and spread")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  app.add_option("--curve", options->curve, "numbers of rows to fit, such as 50,100,200")
      ->delimiter(',')
      ->check(count())
      ->one_at_a_time();
  all_or_nothing(
      app,
      "Rows to score are drawn at random, all rows of a network or none; the predictor never sees "
      "them, nor what they would tell about drift.\n"
      "pairs: share of pairs ordered rightly, ties of prediction count half. coverage: share of "
      "truths in the 90% interval.\n"
      "Example: mosaic predictor eval t.csv.gz --target latency_ms --ordered --train 1600 --test "
      "400 --seeds 5",
      [options] { eval(*options); });
}

const core::Registered kEntry{predictor_commands(), "eval",
                              "honest scores of a predictor on rows it did not see", setup_eval};

}  // namespace
}  // namespace mosaic::cli
