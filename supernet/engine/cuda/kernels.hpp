/// CUDA kernels for what LibTorch has no fast ones: many narrow networks side by side, channels
/// last. Plain pointers: what calls them looks after shapes and memory, and has a reference in
/// LibTorch's own ops for every other device (ops/batch_norm.cpp, channels.cpp, mixing.cpp).
#pragma once

#include <cstdint>
#include <vector>

struct CUstream_st;

namespace mosaic::supernet::cuda {

using Stream = CUstream_st*;

/// Activations as a matrix of bfloat16: [rows, channels], contiguous, 16-byte aligned; channels are
/// a multiple of 8.
struct Rows {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
};

/// Floats of scratch memory that the two functions below need.
std::int64_t norm_scratch(Rows shape);
/// Mean and 1 / sqrt(variance + epsilon) of each channel (biased variance).
void norm_statistics(const void* x, Rows shape, float epsilon, float* scratch, float* mean,
                     float* inverse, Stream stream);
/// y = weight * (x - mean) * inverse + bias, plus `residual` unless null, negative values cut off
/// if `relu`.
void norm_forward(const void* x, const void* residual, const float* weight, const float* bias,
                  const float* mean, const float* inverse, bool relu, void* y, Rows shape,
                  Stream stream);
/// The gradients of norm_forward() over norm_statistics(), given that of y. `y` is read, and
/// `residual_gradient` written, where there was a residual; else they are null.
void norm_backward(const void* gradient, const void* x, const void* y, const float* weight,
                   const float* bias, const float* mean, const float* inverse, bool relu,
                   float* scratch, float* weight_gradient, float* bias_gradient, void* x_gradient,
                   void* residual_gradient, Rows shape, Stream stream);

/// Columns of a matrix with longer rows; null data stands for zeros. All in units of 16 bytes.
struct Columns {
  const void* data = nullptr;
  std::int64_t stride = 0;  ///< from row to row
  std::int64_t width = 0;
};
/// Puts columns side by side: result [rows, sum of widths].
void join_columns(const std::vector<Columns>& parts, std::int64_t rows, void* result,
                  Stream stream);

/// Weights of several networks' convolutions: [networks, out, in, area], float32, contiguous; as
/// one convolution that has `together` of them in each group.
struct Weights {
  std::int64_t networks = 0, out = 0, in = 0, area = 0;
  std::int64_t together = 1;
};
/// result [networks * out, area, together * in], bfloat16 (channels last): each network's weights
/// where they meet its own inputs, zeros elsewhere.
void pack_weights(const float* weights, void* result, Weights shape, Stream stream);
/// The gradient of `weights`, given that of the result.
void unpack_gradient(const void* gradient, float* result, Weights shape, Stream stream);

/// A slot whose copies [networks, count, rows, columns] are mixed into [networks, rows, columns].
/// Float32, contiguous; of the mix, [networks, count] or `by_row` [networks, (more than) rows,
/// count], what belongs to a network is.
struct MixedSlot {
  const float* copies = nullptr;
  const float* mix = nullptr;
  float* result = nullptr;
  /// For mix_backward(): the gradient of the result, that of the copies, and where to put the
  /// products of both, [rows, count] for each network.
  const float* gradient = nullptr;
  float* copy_gradient = nullptr;
  float* products = nullptr;
  std::int64_t products_stride = 0, mix_stride = 0;  ///< from network to network
  int count = 0, rows = 0, columns = 0;
  bool by_row = false;
};
/// The gradient of a mix: sums of products [networks, terms, width] over terms.
struct MixGradient {
  const float* products = nullptr;
  float* result = nullptr;  ///< [networks, width]
  int terms = 0, width = 0;
};
/// result[n, r, c] = sum_i mix[n, (r,) i] copies[n, i, r, c], of all slots.
void mix_forward(const std::vector<MixedSlot>& slots, std::int64_t networks, Stream stream);
/// copy_gradient[n, i, r, c] = gradient[n, r, c] mix_i / sum_j mix_j^2;
/// products[n, r, i] = sum_c gradient[n, r, c] copies[n, i, r, c]; then their sums.
void mix_backward(const std::vector<MixedSlot>& slots, const std::vector<MixGradient>& sums,
                  std::int64_t networks, Stream stream);

}  // namespace mosaic::supernet::cuda
