/// Steps of Adam.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace mosaic::supernet {

/// What a step changes, and by what.
struct AdamTensor {
  at::Tensor weight, gradient;
  at::Tensor first, second;  ///< moments
  at::Tensor steps;          ///< float32 scalar: how many were made
  double rate = 0, decay = 0;
  std::vector<int> networks;  ///< of each row of the weight
};
struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool coupled = false;  ///< Adam, whose decay goes through the moments; else AdamW
};
/// One step of all tensors. `factors`: [networks], what gradients are multiplied with first;
/// undefined: 1. On a GPU by one kernel (cuda/adam.cu); LibTorch's own elsewhere.
void adam_step(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
               const at::Tensor& factors = {});

}  // namespace mosaic::supernet
