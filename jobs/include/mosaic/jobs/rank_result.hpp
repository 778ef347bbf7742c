/// What `mosaic rank` found: how well each kind of score ranks networks against their truth.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "mosaic/core/ranking.hpp"
#include "mosaic/supernet/sharing/ends.hpp"

namespace mosaic::jobs {

/// A network and what it reaches when trained alone.
struct RankedNetwork {
  std::string arch;
  double truth = 0;  ///< mean over seeds of the truth
  /// Standard deviation over these seeds; NaN where unknown.
  double truth_deviation = std::numeric_limits<double>::quiet_NaN();
};

/// The fields of core::RankScores over the seeds (core::seed_interval).
struct RankIntervals {
  core::Interval kendall, spearman, kendall_top_half, kendall_top_tenth, mean_absolute_error,
      regret, picked_truth;
};

/// One kind of score: an inherited accuracy, an inherited loss, a baseline such as the FLOPs.
struct RankedScore {
  std::string name;              ///< "inherited cross-entropy"
  std::string unit;              ///< "%", "nats", "count"
  std::string description;       ///< one sentence for the page
  bool higher_is_better = true;  ///< false: a loss
  bool same_scale = false;       ///< estimates the truth itself: mean absolute error makes sense
  /// By seed, then by network, in units of its own. A baseline has one 'seed'.
  std::vector<std::vector<double>> values{};

  // Filled by summarise().
  std::vector<double> mean{};       ///< by network, over seeds
  std::vector<double> deviation{};  ///< by network, over seeds; NaN for one seed
  std::vector<core::RankScores> per_seed{};
  RankIntervals over_seeds{};
  core::Interval bootstrap{};  ///< of the mean Kendall tau over the choice of networks
};

struct RankResult {
  std::string job, space, task;
  std::string truth;             ///< "test accuracy after 60 epochs alone, 3 seeds"
  std::string truth_unit = "%";  ///< of the truth, and of errors and regrets
  bool truth_higher_is_better = true;
  std::vector<std::uint64_t> seeds;  ///< of the supernet, in the order of RankedScore::values
  std::vector<RankedNetwork> networks;
  std::vector<RankedScore> scores;
  /// By seed: where the supernet's sharing ended. Empty where it shares all alike.
  std::vector<std::vector<supernet::SharingEnd>> sharing;
  std::size_t resamples = 1000;
  std::uint64_t bootstrap_seed = 1;
  /// The networks of best truth, ranked among themselves ([rank.truth] best); null: not asked for.
  std::shared_ptr<RankResult> best = nullptr;
};

/// A field of RankScores and RankIntervals, and what a reader is told of it.
struct RankStatistic {
  const char* key;    ///< as in JSON
  const char* title;  ///< heading of a column
  const char* meaning;
  double core::RankScores::*of;
  core::Interval RankIntervals::*over_seeds;
  bool in_truth_unit;
};
std::span<const RankStatistic> rank_statistics();

/// Both scores at once: the mean of a network's ranks by one and by the other, 1 the best. Seed by
/// seed; a score of one 'seed' goes with each of the other's.
RankedScore mean_rank(const RankedScore& a, const RankedScore& b);

/// Fills all statistics from the numbers of the networks. Throws core::Error that names score and
/// seed, for what core::rank_scores refuses and for a score that has neither one value nor one a
/// seed for each network.
void summarise(RankResult& result);

/// Of a summarised result. `networks` holds columns (arch, truth, deviation); each of `scores` its
/// values, mean and deviation by network, per_seed.KEY (a list), over_seeds.KEY and bootstrap
/// ({mean, low, high}); `statistics` says what the keys are. null where there is no finite number.
nlohmann::json to_json(const RankResult& result);

/// One supernet's ends, as JSON and in the database, and back.
nlohmann::json sharing_json(const std::vector<supernet::SharingEnd>& ends);
std::vector<supernet::SharingEnd> sharing_ends(const nlohmann::json& json);

/// A place where sharing ended, over the supernets.
struct SharingPlace {
  std::string place;
  std::size_t supernets = 0;                     ///< that have it
  double order = 0;                              ///< when it was first chosen, from 1; their mean
  std::map<std::string, std::size_t> questions;  ///< how often each was chosen
};
/// Those of most supernets first, then in the order they were chosen.
std::vector<SharingPlace> sharing_places(const RankResult& result);

}  // namespace mosaic::jobs
