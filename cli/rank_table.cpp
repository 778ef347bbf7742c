#include <cmath>
#include <cstdio>

#include "mosaic/core/text.hpp"
#include "output.hpp"
#include "rank.hpp"

namespace mosaic::cli {
namespace {

/// A statistic with as many places as its unit asks for; "–" for NaN.
std::string number(const jobs::RankResult& result, const jobs::RankStatistic& statistic,
                   double value) {
  if (std::isnan(value)) return "–";
  const bool percent = statistic.in_truth_unit && result.truth_unit == "%";
  char text[64];
  std::snprintf(text, sizeof text,
                percent                   ? "%.2f"
                : statistic.in_truth_unit ? "%.4g"
                                          : "%.3f",
                value);
  return text;
}

}  // namespace

std::string text_table(const jobs::RankResult& result) {
  using Cell = db::Table::Cell;
  db::Table table;
  table.columns = {"score"};
  for (const auto& statistic : jobs::rank_statistics()) {
    table.columns.emplace_back(statistic.title);
    if (statistic.of == &core::RankScores::kendall) table.columns.emplace_back("[95%]");
  }
  bool has_seeds = false;
  for (const auto& score : result.scores) {
    auto& row = table.rows.emplace_back();
    row.push_back(text_cell(score.name));
    for (const auto& statistic : jobs::rank_statistics()) {
      const auto text = [&](double value) { return number(result, statistic, value); };
      const auto& interval = score.over_seeds.*statistic.over_seeds;
      const double half = interval.high - interval.mean;
      has_seeds = has_seeds || std::isfinite(half);
      row.push_back(Cell{db::Table::Type::real,
                         text(interval.mean) + (std::isfinite(half) ? " ± " + text(half) : "")});
      if (statistic.of == &core::RankScores::kendall)
        row.push_back(Cell{db::Table::Type::real, "[" + text(score.bootstrap.low) + ", " +
                                                      text(score.bootstrap.high) + "]"});
    }
  }
  std::string text = table_text(table);
  text += "\n" + std::to_string(result.networks.size()) + " networks; truth: " + result.truth;
  text += "\n[95%]: bootstrap of τ over the networks";
  if (has_seeds)
    text += "; ±: half the 95% interval of the mean over " + std::to_string(result.seeds.size()) +
            " seeds (Student's t)";
  text +=
      "\nError, Regret (how far the truth of the pick is from the best), Pick: in the truth's unit";
  text += result.truth_unit.empty() ? "\n" : ", " + result.truth_unit + "\n";
  if (const auto places = jobs::sharing_places(result); !places.empty()) {
    std::vector<std::string> texts;
    for (const auto& place : places)
      texts.push_back(place.place + " (" + std::to_string(place.supernets) + ")");
    text += "Where sharing ended, and in how many of " + std::to_string(result.sharing.size()) +
            " supernets: " + core::join(texts) + "\n";
  }
  if (result.best) text += "\nAmong the networks of best truth:\n" + text_table(*result.best);
  return text;
}

}  // namespace mosaic::cli
