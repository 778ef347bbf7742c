/// How well scores rank networks against their truth, and how sure that is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mosaic::core {

double mean(std::span<const double> values);  ///< NaN of none
/// Standard deviation of a sample (divided by n - 1); 0 of fewer than two values.
double deviation(std::span<const double> values);
/// The upper one where two are in the middle; 0 of none.
double median(std::vector<double> values);

/// Kendall's tau-b (Kendall, "The treatment of ties in ranking problems", 1945):
/// (concordant - discordant) / sqrt(pairs untied in truth * pairs untied in score), O(n log n).
/// A constant score ranks nothing: 0 (as good as chance; others answer NaN). A constant truth, or
/// fewer than two networks, leaves nothing to rank: NaN. Throws Error as rank_scores does.
double kendall_tau_b(std::span<const double> truth, std::span<const double> score);

/// Somers' D of the score given the truth (Somers 1962): (concordant - discordant) / pairs untied
/// in truth, so that a tied score counts as half right. NaN where no pair is left. Nothing is
/// checked.
double somers_d(std::span<const double> truth, std::span<const double> score);

/// Ranks from 1, the least first; ties are given their average rank.
std::vector<double> average_ranks(std::span<const double> values);

/// Pearson's correlation of two vectors of one length; 0 where one of them is constant. Nothing is
/// checked.
double correlation(std::span<const double> a, std::span<const double> b);

/// The same of their ranks, ties given their average rank.
double rank_correlation(std::span<const double> a, std::span<const double> b);

/// Spearman's rho: rank_correlation. Constants and errors as for kendall_tau_b.
double spearman_rho(std::span<const double> truth, std::span<const double> score);

/// Agreement of one vector of scores with the truth; both are better when higher.
struct RankScores {
  double kendall = 0;   ///< tau-b over all networks
  double spearman = 0;  ///< rho over all networks
  /// Tau-b over the ceil(n / 2) networks of greatest truth, and those tied with the last of them.
  double kendall_top_half = 0;
  /// The same over ceil(n / 10) networks; NaN where these are fewer than two (n <= 10, no ties).
  double kendall_top_tenth = 0;
  double mean_absolute_error = 0;  ///< in units of the truth; NaN if the scales differ
  double regret = 0;               ///< best truth - picked_truth, >= 0
  double picked_truth = 0;         ///< truth of the score's argmax; of several tied ones their mean
};

/// All of RankScores. `same_scale`: scores estimate the truth itself (an inherited accuracy does, a
/// parameter count does not). Scores may be infinite, the truth not. Throws Error for spans of
/// different lengths, fewer than two networks, a score that is NaN, a truth that is not finite.
RankScores rank_scores(std::span<const double> truth, std::span<const double> score,
                       bool same_scale);

/// A mean with its 95% interval; NaN where there is none.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// Student's t interval of the mean of independent values, such as one a seed: mean -+ t(.975, n-1)
/// sd / sqrt(n). Bounds are NaN for one value; all is NaN for none or where a value is NaN.
Interval seed_interval(std::span<const double> values);

/// Interval of Kendall's tau-b over the choice of networks: `resamples` times n networks are drawn
/// with replacement (a network drawn k times has weight k), low and high are the 2.5th and 97.5th
/// percentile (linear interpolation), mean is that of the resamples. A network never forms a pair
/// with itself. Draws without two different truths are left out. With several score vectors (one a
/// seed) each resample gives the mean of their taus. The same seed gives the same interval.
/// O(resamples * scores * n log n): 1,000 x 1,000 in about a tenth of a second. Throws Error as
/// rank_scores does, and for no resamples or no scores.
Interval bootstrap_kendall(std::span<const double> truth,
                           std::span<const std::vector<double>> scores, std::size_t resamples,
                           std::uint64_t seed);

}  // namespace mosaic::core
