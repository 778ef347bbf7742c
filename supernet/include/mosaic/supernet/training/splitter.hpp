/// Where should sharing end? Chooses a decision of the space and two halves of its options, each of
/// which then gets a supernet of its own (way of sharing `partition`).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

struct SplitSettings {
  /// "gradient" (below); "random": random halves of a random decision, the baseline that tells
  /// whether the criterion matters; "exhaustive": all options of a random decision, each a part
  /// (few-shot NAS, Zhao et al. 2021).
  std::string method = "gradient";
  std::int64_t repeats = 100;    ///< random architectures around each decision
  std::int64_t batches = 1;      ///< training batches for each of them
  std::int64_t batch_size = 64;  ///< examples of a batch
  std::uint64_t seed = 1;
};

/// A decision, and how much its options disagree.
struct GeneDistances {
  std::string gene;
  /// Mean distances of options, row-major [options, options], symmetric, 0 on the diagonal.
  std::vector<double> mean;
  /// The halves of each group of options that shares weights, ascending; at first all are one
  /// group.
  std::vector<std::vector<int>> groups;
  double cut = 0;  ///< mean distance across the halves
};

struct Split {
  std::string text;  ///< for SharingSettings::split: "NAME:0,2|1,3,4"
  /// By the method "gradient": every decision, in the order of the space.
  std::vector<GeneDistances> genes;
};

/// Gradient matching (Hu et al. 2022, "Generalizing few-shot NAS with gradient matching"): options
/// whose gradients on the shared weights point the same way may share them. For a decision and a
/// random rest of the architecture, the loss of the same batch has one gradient g_o for each option
/// o, and d(o, o') = 1 - cos(g_o, g_o') over all shared weights outside the decision: not those of
/// layers that it makes or resizes, nor the first weighted layers, their norms, and the last ones.
/// Weights that an option's network lacks have gradient zero there; two zero gradients agree. d is
/// averaged over batches and rests; options are halved (sizes differ by one at most) so that the
/// distance within the halves is least, hence that across them greatest; the decision whose halves
/// are farthest apart (in mean over the pairs, so that numbers of options do not count) is taken.
/// Up to 20 options all halves are compared, with more, Kernighan-Lin exchanges from 32 random
/// halves. Architectures, batches and starts are functions of the seed.
///
/// Ask supernets that have been trained for a while: `members`, side by side behind `trainee`. They
/// are not changed, and each gets a split of its own. Throws core::UsageError for an unknown
/// method, a space without decisions, and where a batch is larger than the task. Where a supernet
/// has parts already, decisions that make them are divided further (each group of options in
/// halves, if it has two or more), and all parts are split alike: their number doubles, or is
/// multiplied by the options.
std::vector<Split> choose_splits(std::span<Supernet* const> members, Trainee& trainee,
                                 const tasks::Task& task, const TrainSettings& train,
                                 const SplitSettings& settings);

/// Passes of an example, each forward and backward, that choose_splits() costs a network.
double cost_of_split(const spaces::Space& space, const SplitSettings& settings);

/// Halves of {0 .. options - 1}, sizes differing by one at most, for which the sum of `distances`
/// (row-major, symmetric) across them is greatest: the half with option 0 (ascending). Exact up to
/// 20 options.
std::vector<int> best_halves(const std::vector<double>& distances, std::size_t options,
                             std::uint64_t seed);

}  // namespace mosaic::supernet
