/// What tasks share whose networks give a logit a class.
#pragma once

#include <vector>

#include "mosaic/tasks/metric.hpp"

namespace mosaic::tasks {

/// The target of such tasks, int64 [batch].
inline const char* const kClass = "class";

/// Cross-entropy of each example, float32 [batch].
at::Tensor class_losses(const at::Tensor& outputs, const NamedTensors& targets,
                        double label_smoothing);
/// Task::distillation_losses() of such tasks.
at::Tensor class_distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                     const NamedTensors& targets, double temperature);
/// ||softmax(z) - onehot(y)|| of each example, float32 [batch].
at::Tensor class_gradient_norms(const at::Tensor& outputs, const NamedTensors& targets);

/// Accuracy, in percent.
std::vector<MetricType> classification_metrics();
/// Accuracy; F1 (of the second class where there are two, else the mean over classes) and Matthews'
/// correlation (Gorodkin 2004 for more than two classes), all in percent.
std::vector<MetricType> sentence_metrics();

}  // namespace mosaic::tasks
