/// Per-slot growth: where should sharing end? A unit of slots gets another copy where
/// architectures that answer a question differently pull its weights in different directions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mosaic/supernet/training/trainee.hpp"
#include "sharing/growth_tree.hpp"

namespace mosaic::supernet {

/// How much the sides of a question would gain by going apart.
struct QuestionScore {
  double gain = 0;   ///< first-order, per entry of the unit
  double error = 0;  ///< jackknife standard error over batches
};

/// Scores of questions about one unit of one supernet at one leaf. `products` holds, for each batch
/// of each half of the batches and each architecture, the inner products <g, g'> of gradients of
/// different halves: float64 [batches, architectures, batches, architectures], the first two axes
/// of the first half. `there`: architectures that reach the leaf; `yes`: how they answer, by
/// question.
///
/// S = P w_A w_B <Delta_1, Delta_2>, where Delta_h is the mean gradient of the side A minus that of
/// B in half h, P the share of all architectures that reach the leaf and w_A, w_B the sides' shares
/// of them. First-order, this is what a step gains if each side moves along its own gradient
/// instead of the common one; noise of the batches does not bias it, for the halves are
/// independent. `sampled`: the architectures are a sample of the space, and what sides differ by
/// chance is taken off (as in an analysis of variance). Errors: jackknife over pairs of batches.
std::vector<QuestionScore> score_questions(const at::Tensor& products,
                                           const std::vector<bool>& there,
                                           const std::vector<std::vector<bool>>& yes, bool sampled);

/// The grown structure (GrowthTrees::text()) of each of the supernets behind `trainee`.
std::vector<std::string> choose_growth(std::span<Supernet* const> members, Trainee& trainee,
                                       const Moment& now, std::size_t turn);
/// Passes of an example that one choice costs a network.
double cost_of_growth(const Supernet& supernet, const TrainSettings& settings);

}  // namespace mosaic::supernet
