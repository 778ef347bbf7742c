#include "mosaic/core/ranking.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check(std::span<const double> truth, std::span<const double> score) {
  if (truth.size() != score.size())
    throw Error("cannot rank " + std::to_string(score.size()) + " scores against " +
                    std::to_string(truth.size()) + " true values",
                "give one score for each network of the truth, in the same order");
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!std::isfinite(truth[i]))
      throw Error("the truth of network " + std::to_string(i) + " is " + format_double(truth[i]),
                  "leave networks without a finite truth out");
    if (std::isnan(score[i]))
      throw Error("the score of network " + std::to_string(i) + " is not a number",
                  "evaluate it again, or leave the network out of truth and scores");
  }
}

std::vector<std::size_t> ascending(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  return order;
}

/// 0-based ranks; equal values share one, and the next value has the next rank.
std::vector<std::size_t> dense_ranks(std::span<const double> values) {
  const auto order = ascending(values);
  std::vector<std::size_t> ranks(values.size());
  for (std::size_t k = 1; k < order.size(); ++k)
    ranks[order[k]] = ranks[order[k - 1]] + (values[order[k]] != values[order[k - 1]] ? 1 : 0);
  return ranks;
}

/// Pairs of networks, weighted by the product of their weights.
struct Pairs {
  std::int64_t balance = 0;  ///< concordant - discordant
  std::int64_t untied_truth = 0;
  std::int64_t untied_score = 0;

  double tau_b() const {
    if (untied_truth == 0) return kNaN;
    if (untied_score == 0) return 0;
    return static_cast<double>(balance) /
           std::sqrt(static_cast<double>(untied_truth) * static_cast<double>(untied_score));
  }
};

/// Counts the pairs of one truth and one score under weights: sorted once, asked often.
class PairCounter {
 public:
  PairCounter(std::span<const double> truth, std::span<const double> score)
      : by_truth_(ascending(truth)), truth_rank_(dense_ranks(truth)), rank_(dense_ranks(score)) {
    sums_.resize(rank_.size() + 1);
    tied_.resize(rank_.size() + 1);
  }

  Pairs operator()(const std::vector<std::int64_t>& weights) {
    std::fill(sums_.begin(), sums_.end(), 0);
    std::fill(tied_.begin(), tied_.end(), 0);
    std::int64_t seen = 0;
    Pairs pairs;
    const std::size_t n = by_truth_.size();
    for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
      std::int64_t group = 0;
      for (end = begin; end < n && same_truth(begin, end); ++end) {
        const std::size_t i = by_truth_[end];
        if (weights[i] == 0) continue;
        pairs.balance += weights[i] * (below(rank_[i]) - (seen - below(rank_[i] + 1)));
        group += weights[i];
      }
      for (std::size_t k = begin; k < end; ++k) add(rank_[by_truth_[k]], weights[by_truth_[k]]);
      pairs.untied_truth += seen * group;
      seen += group;
    }
    std::int64_t tied_score = 0;
    for (const auto weight : tied_) tied_score += weight * weight;
    pairs.untied_score = (seen * seen - tied_score) / 2;
    return pairs;
  }

 private:
  bool same_truth(std::size_t a, std::size_t b) const {
    return truth_rank_[by_truth_[a]] == truth_rank_[by_truth_[b]];
  }
  /// Weights seen, summed by score rank (Fenwick 1994).
  void add(std::size_t rank, std::int64_t weight) {
    tied_[rank] += weight;
    for (std::size_t i = rank + 1; i < sums_.size(); i += i & (~i + 1)) sums_[i] += weight;
  }
  std::int64_t below(std::size_t rank) const {
    std::int64_t sum = 0;
    for (std::size_t i = rank; i > 0; i -= i & (~i + 1)) sum += sums_[i];
    return sum;
  }

  std::vector<std::size_t> by_truth_;
  std::vector<std::size_t> truth_rank_;
  std::vector<std::size_t> rank_;
  std::vector<std::int64_t> sums_;
  std::vector<std::int64_t> tied_;
};

Pairs pairs_of(std::span<const double> truth, std::span<const double> score) {
  return PairCounter(truth, score)(std::vector<std::int64_t>(truth.size(), 1));
}

/// Tau-b over the `count` networks of greatest truth and those tied with the last of them.
double kendall_of_top(std::span<const double> truth, std::span<const double> score,
                      std::size_t count) {
  std::vector<double> sorted(truth.begin(), truth.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count - 1),
                   sorted.end(), std::greater<>());
  const double least = sorted[count - 1];
  std::vector<double> top_truth;
  std::vector<double> top_score;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] < least) continue;
    top_truth.push_back(truth[i]);
    top_score.push_back(score[i]);
  }
  return kendall_tau_b(top_truth, top_score);
}

double truth_of_pick(std::span<const double> truth, std::span<const double> score) {
  const double best = *std::max_element(score.begin(), score.end());
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (score[i] != best) continue;
    sum += truth[i];
    ++count;
  }
  return sum / static_cast<double>(count);
}

/// Of sorted values, with linear interpolation between two.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double kendall_tau_b(std::span<const double> truth, std::span<const double> score) {
  check(truth, score);
  return pairs_of(truth, score).tau_b();
}

double somers_d(std::span<const double> truth, std::span<const double> score) {
  const Pairs pairs = pairs_of(truth, score);
  return pairs.untied_truth == 0
             ? kNaN
             : static_cast<double>(pairs.balance) / static_cast<double>(pairs.untied_truth);
}

std::vector<double> average_ranks(std::span<const double> values) {
  const auto order = ascending(values);
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t k = begin; k < end; ++k)
      ranks[order[k]] = static_cast<double>(begin + end + 1) / 2;
  }
  return ranks;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const double x = mean(a);
  const double y = mean(b);
  double xx = 0;
  double yy = 0;
  double xy = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    xx += (a[i] - x) * (a[i] - x);
    yy += (b[i] - y) * (b[i] - y);
    xy += (a[i] - x) * (b[i] - y);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  return correlation(average_ranks(a), average_ranks(b));
}

double spearman_rho(std::span<const double> truth, std::span<const double> score) {
  check(truth, score);
  const bool constant =
      std::adjacent_find(truth.begin(), truth.end(), std::not_equal_to<>()) == truth.end();
  return constant ? kNaN : rank_correlation(truth, score);
}

RankScores rank_scores(std::span<const double> truth, std::span<const double> score,
                       bool same_scale) {
  check(truth, score);
  if (truth.size() < 2)
    throw Error("a ranking needs at least 2 networks, but there is " +
                    std::string(truth.empty() ? "none" : "1"),
                "give more networks: 30 and more tell two rankings apart");
  RankScores result;
  result.kendall = kendall_tau_b(truth, score);
  result.spearman = spearman_rho(truth, score);
  result.kendall_top_half = kendall_of_top(truth, score, (truth.size() + 1) / 2);
  result.kendall_top_tenth = kendall_of_top(truth, score, (truth.size() + 9) / 10);
  if (!same_scale) result.mean_absolute_error = kNaN;
  for (std::size_t i = 0; same_scale && i < truth.size(); ++i)
    result.mean_absolute_error += std::abs(score[i] - truth[i]) / static_cast<double>(truth.size());
  result.picked_truth = truth_of_pick(truth, score);
  const double best = *std::max_element(truth.begin(), truth.end());
  result.regret = std::max(0.0, best - result.picked_truth);  // a mean of equal truths may round up
  return result;
}

Interval seed_interval(std::span<const double> values) {
  if (values.empty()) return {kNaN, kNaN, kNaN};
  const double centre = mean(values);
  if (values.size() == 1 || !std::isfinite(centre)) return {centre, kNaN, kNaN};
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  const double freedom = static_cast<double>(values.size() - 1);
  const double half = boost::math::quantile(boost::math::students_t(freedom), 0.975) *
                      std::sqrt(squares / freedom / static_cast<double>(values.size()));
  return {centre, centre - half, centre + half};
}

Interval bootstrap_kendall(std::span<const double> truth,
                           std::span<const std::vector<double>> scores, std::size_t resamples,
                           std::uint64_t seed) {
  if (resamples == 0 || scores.empty() || truth.empty())
    throw Error("a bootstrap needs networks, scores and resamples, but there are " +
                    std::to_string(truth.size()) + ", " + std::to_string(scores.size()) + " and " +
                    std::to_string(resamples),
                "give at least one of each; 1000 resamples do");
  std::vector<PairCounter> counters;
  for (const auto& score : scores) {
    check(truth, score);
    counters.emplace_back(truth, score);
  }
  std::vector<double> drawn;
  std::vector<std::int64_t> weights(truth.size());
  for (std::size_t r = 0; r < resamples; ++r) {
    Stream stream(seed, "core.bootstrap_kendall", r);
    std::fill(weights.begin(), weights.end(), 0);
    for (std::size_t k = 0; k < truth.size(); ++k) ++weights[stream.below(truth.size())];
    double sum = 0;
    for (auto& count : counters) sum += count(weights).tau_b();
    if (!std::isnan(sum)) drawn.push_back(sum / static_cast<double>(counters.size()));
  }
  if (drawn.empty()) return {kNaN, kNaN, kNaN};
  const double centre = mean(drawn);
  std::sort(drawn.begin(), drawn.end());
  return {centre, percentile(drawn, 0.025), percentile(drawn, 0.975)};
}

}  // namespace mosaic::core
