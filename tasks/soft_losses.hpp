/// What tasks share whose networks learn from another network's logits.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace mosaic::tasks {

/// Target of what is not asked for.
inline constexpr std::int64_t kNotAsked = -100;

/// Task::distillation_losses() over logits in the last axis: of each example the mean over the
/// positions that are asked for. Outputs and teacher [batch, ..., classes], target int64
/// [batch, ...]. Throws std::logic_error where shapes differ.
at::Tensor soft_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                       const at::Tensor& target, double temperature);

}  // namespace mosaic::tasks
