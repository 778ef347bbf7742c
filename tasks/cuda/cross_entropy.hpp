/// Cross-entropies of logits, without anything of their size between them and their gradient.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace mosaic::tasks::cuda {

/// Logits [rows, classes], contiguous, bfloat16 or float32, 16-byte aligned at the first; and the
/// class of each row that is right, int64 [rows]: `ignored` where none is asked for.
struct Logits {
  const void* values = nullptr;
  const std::int64_t* targets = nullptr;
  std::int64_t rows = 0, classes = 0;
  std::int64_t ignored = 0;
  float smoothing = 0;  ///< of labels: this share of each is spread evenly over all classes
  bool bfloat16 = false;
};

/// losses[rows] = (1 - s) (z - x_target) + s (z - mean x) with z = log sum exp x: 0 of rows that
/// are ignored, NaN of targets that are no class. Also z [rows], which the gradient needs.
void cross_entropy(const Logits& logits, float* losses, float* z, CUstream_st* stream);
/// result = gradient[row] (exp(x - z) - s / classes - (1 - s) at the target), in the type of the
/// logits, 16-byte aligned; 0 of rows that are ignored.
void cross_entropy_gradient(const Logits& logits, const float* z, const float* gradient,
                            void* result, CUstream_st* stream);

}  // namespace mosaic::tasks::cuda
