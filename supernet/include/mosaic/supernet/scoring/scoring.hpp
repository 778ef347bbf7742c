/// Statistics of normalisation and scores of networks with given weights.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// Statistics of every normalisation layer from `images` training images in batches of 256, cropped
/// and flipped as the first epoch has them: what the weights were trained on. (Plain images have
/// other statistics, and cost points of accuracy: bench/README.md.) Inherited weights see other
/// activations in every architecture, so statistics accumulated while training mean nothing for one
/// of them: each architecture is calibrated before it is scored or extracted (as in Yu & Huang
/// 2019, "Universally slimmable networks", and Once-for-All).
NormStats calibrate(const std::function<at::Tensor(const at::Tensor&, NormStats*)>& forward,
                    const tasks::Task& task, std::int64_t images);

struct Score {
  double accuracy = 0;  ///< percent
  double loss = 0;      ///< cross-entropy
  std::int64_t images = 0;
};
/// Accuracy and loss over the first `images` of a split (0: all).
Score evaluate(const std::function<at::Tensor(const at::Tensor&)>& forward, const tasks::Task& task,
               tasks::Split split, std::int64_t images, std::int64_t batch_size = 500);

/// What to score networks on.
struct JointScoring {
  tasks::Split split = tasks::Split::validation;
  std::int64_t images = 0;         ///< of the split; 0: all
  std::int64_t calibration = 512;  ///< training images for statistics of normalisation
  /// A GPU may round what convolutions multiply to 10 bits of mantissa: narrow networks are scored
  /// several times as fast, and scores differ in the third digit.
  bool tf32 = false;
};

/// A network's score, and what it answered.
struct JointScore {
  Score score;
  at::Tensor answers;  ///< uint8 [images] on the CPU: the class of the highest logit
};

/// Calibrates and scores several networks at once, each as calibrate() and evaluate() would.
std::vector<JointScore> score_supernets(std::span<Supernet* const> supernets,
                                        const spaces::Genotype& genotype, const tasks::Task& task,
                                        const JointScoring& scoring);
std::vector<JointScore> score_subnets(std::span<Subnet* const> subnets, const tasks::Task& task,
                                      const JointScoring& scoring);

}  // namespace mosaic::supernet
