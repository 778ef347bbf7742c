/// Adam over all tensors of a network at once.
#pragma once

#include <cstdint>
#include <vector>

struct CUstream_st;

namespace mosaic::supernet::cuda {

/// A tensor and its moments, float32, contiguous.
struct AdamTensor {
  float* weight = nullptr;
  const float* gradient = nullptr;
  float* first = nullptr;
  float* second = nullptr;
  const float* steps = nullptr;  ///< how many were made, this one included
  std::int64_t count = 0;
  std::int64_t row = 1;  ///< entries of a network: the first is of `network`, the next of the next
  int network = 0;
  float rate = 0, decay = 0;
  bool lines = false;  ///< do all begin at multiples of 16 bytes?
};
struct AdamSettings {
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float less1 = 1, less2 = 1;  ///< 1 - beta
  float log1 = 0, log2 = 0;    ///< natural logarithms of the betas
  bool coupled = false;        ///< Adam: decay is part of the gradient; else AdamW
  /// What the gradients of each network are multiplied with first; null: 1.
  const float* factors = nullptr;
};
/// As at::_fused_adamw_ (or at::_fused_adam_), one kernel for all tensors.
void adam(const std::vector<AdamTensor>& tensors, const AdamSettings& settings,
          CUstream_st* stream);

}  // namespace mosaic::supernet::cuda
