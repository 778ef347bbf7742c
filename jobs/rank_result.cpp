#include "mosaic/jobs/rank_result.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::jobs {
namespace {

using Json = nlohmann::json;
using Scores = core::RankScores;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<RankStatistic, 7> kStatistics = {{
    {"kendall", "Kendall τ",
     "Kendall's tau-b over all networks: 1 is the order of the truth, 0 no "
     "better than chance",
     &Scores::kendall, &RankIntervals::kendall, false},
    {"spearman", "Spearman ρ", "correlation of the ranks", &Scores::spearman,
     &RankIntervals::spearman, false},
    {"kendall_top_half", "τ top half", "tau among the better half of the networks, by truth",
     &Scores::kendall_top_half, &RankIntervals::kendall_top_half, false},
    {"kendall_top_tenth", "τ top 10%", "tau among the best tenth", &Scores::kendall_top_tenth,
     &RankIntervals::kendall_top_tenth, false},
    {"mean_absolute_error", "Error",
     "mean absolute difference of score and truth, where they are "
     "on one scale",
     &Scores::mean_absolute_error, &RankIntervals::mean_absolute_error, true},
    {"regret", "Regret", "how far the truth of the best-scored network is from the best truth",
     &Scores::regret, &RankIntervals::regret, true},
    {"picked_truth", "Pick", "truth of the best-scored network (of tied ones the mean)",
     &Scores::picked_truth, &RankIntervals::picked_truth, true},
}};

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

Json interval_json(const core::Interval& interval) {
  return {{"mean", number(interval.mean)},
          {"low", number(interval.low)},
          {"high", number(interval.high)}};
}

std::vector<double> truth_of(const RankResult& result) {
  return core::mapped(result.networks, &RankedNetwork::truth);
}

/// Higher is better.
std::vector<double> oriented(std::vector<double> values, bool higher_is_better) {
  if (!higher_is_better)
    for (double& value : values) value = -value;
  return values;
}

/// Means and deviations of the networks over seeds.
void average(RankedScore& score) {
  const std::size_t networks = score.values.front().size();
  const auto seeds = static_cast<double>(score.values.size());
  score.mean.assign(networks, 0);
  score.deviation.assign(networks, score.values.size() > 1 ? 0 : kNaN);
  for (std::size_t i = 0; i < networks; ++i) {
    for (const auto& values : score.values) score.mean[i] += values[i] / seeds;
    if (score.values.size() < 2) continue;
    double squares = 0;
    for (const auto& values : score.values)
      squares += (values[i] - score.mean[i]) * (values[i] - score.mean[i]);
    score.deviation[i] = std::sqrt(squares / (seeds - 1));
  }
}

void check_shape(const RankResult& result, const RankedScore& score) {
  if (score.values.empty() ||
      (score.values.size() != 1 && score.values.size() != result.seeds.size()))
    throw core::Error(score.name + " has values for " + std::to_string(score.values.size()) +
                          " seeds, but the result has " + std::to_string(result.seeds.size()),
                      "give the values of each seed, or one list for a score that has no seed");
}

void summarise(const RankResult& result, const std::vector<double>& truth, RankedScore& score) {
  check_shape(result, score);
  std::vector<std::vector<double>> scores_of_seeds;
  for (const auto& values : score.values)
    scores_of_seeds.push_back(oriented(values, score.higher_is_better));
  const bool comparable =
      score.same_scale && score.higher_is_better == result.truth_higher_is_better;
  score.per_seed.clear();
  for (std::size_t s = 0; s < scores_of_seeds.size(); ++s) {
    try {
      auto scores = core::rank_scores(truth, scores_of_seeds[s], comparable);
      if (!result.truth_higher_is_better) scores.picked_truth = -scores.picked_truth;
      score.per_seed.push_back(scores);
    } catch (const core::Error& error) {
      const std::string seed =
          scores_of_seeds.size() > 1 ? ", seed " + std::to_string(result.seeds[s]) : "";
      throw core::Error(score.name + seed + ": " + error.message(), error.advice());
    }
  }
  for (const auto& statistic : kStatistics)
    score.over_seeds.*statistic.over_seeds =
        core::seed_interval(core::mapped(score.per_seed, statistic.of));
  score.bootstrap =
      core::bootstrap_kendall(truth, scores_of_seeds, result.resamples, result.bootstrap_seed);
  average(score);
}

Json score_json(const RankedScore& score) {
  Json values = Json::array();
  for (const auto& seed : score.values) values.push_back(numbers(seed));
  Json per_seed;
  Json over_seeds;
  for (const auto& statistic : kStatistics) {
    auto& list = per_seed[statistic.key] = Json::array();
    for (const auto& scores : score.per_seed) list.push_back(number(scores.*statistic.of));
    over_seeds[statistic.key] = interval_json(score.over_seeds.*statistic.over_seeds);
  }
  return {{"name", score.name},
          {"unit", score.unit},
          {"description", score.description},
          {"higher_is_better", score.higher_is_better},
          {"same_scale", score.same_scale},
          {"values", std::move(values)},
          {"mean", numbers(score.mean)},
          {"deviation", numbers(score.deviation)},
          {"per_seed", std::move(per_seed)},
          {"over_seeds", std::move(over_seeds)},
          {"bootstrap", interval_json(score.bootstrap)}};
}

}  // namespace

std::span<const RankStatistic> rank_statistics() { return kStatistics; }

void summarise(RankResult& result) {
  const auto truth = oriented(truth_of(result), result.truth_higher_is_better);
  for (auto& score : result.scores) summarise(result, truth, score);
  if (result.best) summarise(*result.best);
}

nlohmann::json to_json(const RankResult& result) {
  Json arch = Json::array();
  std::vector<double> deviation;
  for (const auto& network : result.networks) {
    arch.push_back(network.arch);
    deviation.push_back(network.truth_deviation);
  }
  Json json{{"job", result.job},
            {"space", result.space},
            {"task", result.task},
            {"truth",
             {{"description", result.truth},
              {"unit", result.truth_unit},
              {"higher_is_better", result.truth_higher_is_better}}},
            {"seeds", result.seeds},
            {"resamples", result.resamples},
            {"networks",
             {{"arch", std::move(arch)},
              {"truth", numbers(truth_of(result))},
              {"deviation", numbers(deviation)}}},
            {"statistics", Json::array()},
            {"scores", Json::array()},
            {"sharing_places", Json::array()}};
  for (const auto& statistic : kStatistics)
    json["statistics"].push_back({{"key", statistic.key},
                                  {"title", statistic.title},
                                  {"meaning", statistic.meaning},
                                  {"in_truth_unit", statistic.in_truth_unit}});
  for (const auto& score : result.scores) json["scores"].push_back(score_json(score));
  for (std::size_t s = 0; s < result.sharing.size(); ++s)
    json["sharing"].push_back(
        {{"seed", result.seeds[s]}, {"ends", sharing_json(result.sharing[s])}});
  for (const auto& place : sharing_places(result))
    json["sharing_places"].push_back({{"place", place.place},
                                      {"supernets", place.supernets},
                                      {"order", place.order},
                                      {"questions", place.questions}});
  if (result.best) json["best"] = to_json(*result.best);
  return json;
}

RankedScore mean_rank(const RankedScore& a, const RankedScore& b) {
  RankedScore result{a.name + " and " + b.name, "rank",
                     "mean of the network's ranks by both, 1 the best"};
  result.higher_is_better = false;
  const auto ranks = [](const RankedScore& score, std::size_t seed) {
    const auto& values = score.values[std::min(seed, score.values.size() - 1)];
    return core::average_ranks(oriented(values, !score.higher_is_better));
  };
  for (std::size_t seed = 0; seed < std::max(a.values.size(), b.values.size()); ++seed) {
    auto& mean = result.values.emplace_back(ranks(a, seed));
    const auto other = ranks(b, seed);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (mean[i] + other[i]) / 2;
  }
  return result;
}

nlohmann::json sharing_json(const std::vector<supernet::SharingEnd>& ends) {
  auto json = Json::array();
  for (const auto& end : ends) json.push_back({{"place", end.place}, {"question", end.question}});
  return json;
}

std::vector<supernet::SharingEnd> sharing_ends(const nlohmann::json& json) {
  std::vector<supernet::SharingEnd> ends;
  for (const auto& end : json) ends.push_back({end.at("place"), end.at("question")});
  return ends;
}

std::vector<SharingPlace> sharing_places(const RankResult& result) {
  std::map<std::string, SharingPlace> places;
  for (const auto& ends : result.sharing) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      auto& place = places[ends[i].place];
      place.place = ends[i].place;
      ++place.questions[ends[i].question];
      if (!seen.insert(ends[i].place).second) continue;
      ++place.supernets;
      place.order += static_cast<double>(i + 1);
    }
  }
  std::vector<SharingPlace> sorted;
  for (auto& [name, place] : places) {
    place.order /= static_cast<double>(place.supernets);
    sorted.push_back(std::move(place));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::pair(b.supernets, a.order) < std::pair(a.supernets, b.order);
  });
  return sorted;
}

}  // namespace mosaic::jobs
