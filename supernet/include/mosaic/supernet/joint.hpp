/// Training of several networks at the same time. A small network leaves a GPU idle; many of them,
/// their layers grouped, fill it. The result of each is that of training it alone, up to rounding.
#pragma once

#include <span>

#include "mosaic/supernet/trainer.hpp"

namespace mosaic::supernet {

/// Trainee of supernets of one space and one kind of router, on one device, which all train the
/// same architectures step by step (drawn from `seed`); `orders`: see Trainee. The supernets'
/// tensors become views of the trainee's: do not move them to another device while it is in use.
Trainee joint_supernets(std::span<Supernet* const> supernets, const TrainSettings& settings,
                        std::uint64_t seed, std::vector<std::int64_t> orders);

/// Trainee of extracted or fresh subnets of one space, each with its own architecture, on one
/// device.
Trainee joint_subnets(std::span<Subnet* const> subnets, std::vector<std::int64_t> orders);

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
