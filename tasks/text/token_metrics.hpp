/// Losses and metrics of tasks in which tokens are guessed at the positions of a sequence.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mosaic/tasks/metric.hpp"

namespace mosaic::tasks {

/// The target of such tasks: int64 [batch, length], the token to be guessed.
inline const char* const kToken = "token";
/// Targets with kNotAsked (soft_losses.hpp) in the place of padding, which is not guessed either.
at::Tensor asked(const at::Tensor& targets);

/// Sum of the cross-entropies of what is guessed, and how many there are: float32 and int64
/// [batch], of logits [batch, length, vocabulary] and targets [batch, length].
std::pair<at::Tensor, at::Tensor> token_losses(const at::Tensor& outputs, const at::Tensor& targets,
                                               double label_smoothing);

/// Perplexity and share of tokens guessed right.
std::vector<MetricType> token_metrics();

}  // namespace mosaic::tasks
