/// How far the relations that a network's last self-attention makes are from a teacher's.
#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// What relations are made of.
inline constexpr std::array kRelated{&Outputs::Attention::queries, &Outputs::Attention::keys,
                                     &Outputs::Attention::values};

/// How relations are compared: TrainSettings::relation_heads and ::relation_loss.
struct RelationSettings {
  std::int64_t heads = 0;
  bool divergence = false;  ///< "kl"
};

/// Of each example, float32 [networks that have it, batch], differentiable in the student's
/// tensors: the sum over A = queries, keys and values of the mean over relation heads of how far A
/// A^T / sqrt(size) is from the teacher's, whose features are cut into as many heads as the
/// student's. It is the mean square of the difference over the pairs of positions that count (and,
/// where the attention is causal, of which the second is not after the first), as in AutoDistil (Xu
/// et al. 2022); or with `divergence` the mean over positions that count of KL(teacher || student)
/// of their softmax, as in MiniLMv2 (Wang et al. 2021). Padding of the student's mask does not
/// count. `teacher`: of all networks. Throws core::UsageError where the two do not fit.
at::Tensor relation_losses(const Outputs::Attention& student, const Outputs::Attention& teacher,
                           const RelationSettings& how);

/// Relation heads of features of a student and a teacher: `wanted`, or where that is 0 as many of
/// the teacher's heads as divide both. Throws core::UsageError where `wanted` does not divide them.
std::int64_t relation_heads(std::int64_t student, std::int64_t teacher, std::int64_t teacher_heads,
                            std::int64_t wanted);

}  // namespace mosaic::supernet
