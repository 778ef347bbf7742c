/// A ranking with published truth.
#pragma once

#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::jobs::testing {

/// Twelve of the poolings of ResNet20 with their accuracy on CIFAR-10 (mean and deviation of three
/// trainings, Roshtkhari et al. 2023) and FLOPs (millions), and two seeds of an inherited accuracy.
inline const struct {
  const char* arch;
  double truth, deviation, flops, first, second;
} kRows[] = {
    {"1-1-8", 87.4467, 0.06, 18.4, 61.2, 63.9}, {"1-5-4", 89.3833, 0.07, 26.4, 66.0, 65.1},
    {"1-8-1", 89.406, 0.15, 54.7, 64.3, 68.8},  {"2-5-3", 90.8917, 0.07, 33.5, 69.9, 70.2},
    {"3-3-4", 90.6067, 0.17, 33.5, 70.4, 69.0}, {"3-6-1", 90.14, 0.16, 61.8, 67.7, 71.5},
    {"4-3-3", 90.5167, 0.15, 40.6, 71.8, 71.1}, {"4-5-1", 89.705, 0.16, 65.3, 66.6, 70.7},
    {"5-2-3", 90.9567, 0.15, 51.2, 72.5, 72.4}, {"6-2-2", 91.83, 0.13, 75.9, 71.9, 73.3},
    {"7-1-2", 92.0117, 0.18, 90.1, 70.1, 74.0}, {"8-1-1", 89.9917, 0.12, 146.7, 63.0, 71.9}};

inline RankResult poolings() {
  RankResult result;
  result.job = "poolings";
  result.space = "resnet-pooling";
  result.task = "cifar10";
  result.truth = "test accuracy of 3 trainings alone";
  result.seeds = {11, 12};
  RankedScore accuracy{"inherited accuracy", "%", "of 25,000 validation images"};
  accuracy.same_scale = true;
  accuracy.values.resize(2);
  RankedScore error{"inherited error", "%", "100 less the accuracy"};
  error.higher_is_better = false;
  error.values.resize(2);
  RankedScore flops{"FLOPs", "count", "of one image"};
  flops.values.resize(1);
  for (const auto& row : kRows) {
    result.networks.push_back({row.arch, row.truth, row.deviation});
    accuracy.values[0].push_back(row.first);
    accuracy.values[1].push_back(row.second);
    error.values[0].push_back(100 - row.first);
    error.values[1].push_back(100 - row.second);
    flops.values[0].push_back(1e6 * row.flops);
  }
  result.scores = {accuracy, error, flops};
  return result;
}

inline RankResult summarised() {
  auto result = poolings();
  summarise(result);
  return result;
}

}  // namespace mosaic::jobs::testing
