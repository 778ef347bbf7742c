/// Cross-entropies of logits.
#pragma once

#include <ATen/core/Tensor.h>

namespace mosaic::tasks {

/// Of each row, float32 (float64 of float64): logits [rows, classes], targets int64 [rows]; 0 where
/// the target is kNotAsked (soft_losses.hpp). Differentiable in the logits. `label_smoothing`: this
/// share of each label is spread evenly over all classes (Szegedy et al. 2016). On a GPU by kernels
/// of our own (cuda/cross_entropy.cu), which take bfloat16 as it is and keep a number a row for the
/// backward pass; by at::cross_entropy_loss elsewhere.
at::Tensor cross_entropies(const at::Tensor& logits, const at::Tensor& targets,
                           double label_smoothing);

/// The kernels, where this build has them; the result is undefined for what they do not take.
extern at::Tensor (*cross_entropy_kernel)(const at::Tensor& logits, const at::Tensor& targets,
                                          double label_smoothing);

}  // namespace mosaic::tasks
