/// CUDA kernels for what LibTorch has no fast ones: many narrow networks side by side, channels
/// last; weights out of copies; attention of short sequences; passes over memory that it makes one
/// by one. Plain pointers: what calls them looks after shapes and memory, and has a reference in
/// LibTorch's own ops for every other device (ops/batch_norm.cpp, ops/layer_norm.cpp,
/// ops/attention.cpp, channels.cpp, mixing.cpp, rows.cpp).
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

/// Values in either type; null data stands for none.
struct Entries {
  void* data = nullptr;
  bool bfloat16 = false;  ///< else float32
};
/// Normalisation of rows [networks, rows, features], contiguous and 16-byte aligned; features are a
/// multiple of 8, at most row_norm_most_features(). Each network has its own weight and bias.
struct RowNorm {
  std::int64_t networks = 1, rows = 0, features = 0;
  float epsilon = 0;
  bool centred = true;            ///< layer norm; else RMS norm
  const float* weight = nullptr;  ///< [networks, features], as is
  const float* bias = nullptr;    ///< null: none
};
std::int64_t row_norm_most_features();
/// Floats of scratch memory that row_norm_backward() needs.
std::int64_t row_norm_scratch(const RowNorm& norm);
/// y = weight * (s - mean(s)) * inverse + bias with s = x + residual; mean (0 of RMS norm) and
/// inverse = 1 / sqrt(variance + epsilon), biased, [networks, rows] each.
void row_norm_forward(const RowNorm& norm, Entries x, Entries residual, Entries y, float* mean,
                      float* inverse, Stream stream);
/// The gradients, given that of y. Those of x and of the residual are the same numbers: the second
/// is written where it has data.
void row_norm_backward(const RowNorm& norm, Entries gradient, Entries x, Entries residual,
                       const float* mean, const float* inverse, Entries x_gradient,
                       Entries residual_gradient, float* scratch, float* weight_gradient,
                       float* bias_gradient, Stream stream);

enum class Activation { none, relu, gelu };
/// Floats of scratch memory that activation_backward() needs for a bias.
std::int64_t activation_scratch(Rows shape, std::int64_t networks);
/// Of y = f(x W^T + bias), `shape` for each network: result = gradient f' with `known` = y of ReLU
/// and the product of the exact GELU (without an activation neither is touched), and the sums of
/// that over the rows of a network, [networks, channels], unless null.
void activation_backward(Activation activation, const void* gradient, const void* known,
                         void* result, Rows shape, std::int64_t networks, float* scratch,
                         Entries bias_gradient, Stream stream);

/// Heads side by side in rows of bfloat16, which may be columns of a wider matrix: row r begins at
/// data + r * stride (in entries). All are multiples of 16 bytes.
struct HeadRows {
  void* data = nullptr;
  std::int64_t stride = 0;
};
/// softmax(scale q k^T) v of each head, of short sequences: queries [batch * queries, heads *
/// size], keys and values [batch * keys, kv_heads * size]; heads / kv_heads after one another read
/// the same keys. A query that sees no key that counts gets 0.
struct Attention {
  std::int64_t batch = 0, queries = 0, keys = 0;
  std::int64_t heads = 1, kv_heads = 1, size = 0;
  float scale = 1;
  bool causal = false;          ///< query i sees keys 0 to i
  const float* mask = nullptr;  ///< [batch, keys], 0 where a key does not count; null: all do
};
/// Do the kernels take it, on the current device? Up to 128 queries and keys, and heads of a
/// multiple of 16 up to 128, as far as shared memory goes.
bool attention_takes(const Attention& of);
void attention_forward(const Attention& of, HeadRows q, HeadRows k, HeadRows v, HeadRows y,
                       Stream stream);
/// Entries of scratch memory, in bfloat16, that attention_backward() needs.
std::int64_t attention_scratch(const Attention& of);
/// The gradients, given that of y. Nothing of the forward pass is needed.
void attention_backward(const Attention& of, HeadRows gradient, HeadRows q, HeadRows k, HeadRows v,
                        HeadRows q_gradient, HeadRows k_gradient, HeadRows v_gradient,
                        void* scratch, Stream stream);

/// Rows [count, width] that are added to rows of a table, by key: keys ascend, and that of number i
/// belongs to rows[order[i]]. Everything begins at 16 bytes, and width and stride are multiples
/// of 4.
struct SortedRows {
  const std::int64_t* keys = nullptr;
  const std::int64_t* order = nullptr;
  const float* rows = nullptr;
  float* table = nullptr;
  std::int64_t count = 0, stride = 0;  ///< from row to row of the table
  int width = 0;
};
/// Floats of scratch memory that add_rows() needs.
std::int64_t add_rows_scratch(const SortedRows& given);
/// table[keys[i]] += rows[order[i]], those of a key always in the same order.
void add_rows(const SortedRows& given, float* scratch, Stream stream);

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

/// Axes that slots have here: those that nobody cuts are merged into the one before.
constexpr int kMixAxes = 4;
/// A slot whose copies [networks, count, ...full] are read in part. Float32, contiguous; a copy has
/// less than 2^31 entries. Of the mix, [networks, mixed] or `by_row` [networks, at least full[0],
/// mixed] (then nobody cuts the first rows off), what belongs to a network is contiguous.
struct MixedSlot {
  const float* copies = nullptr;
  const float* mix = nullptr;  ///< null: the first copy alone, as it is
  /// For mix_backward(): the gradient of the copies, and where to put the products of the weights'
  /// gradients with them, [mix_terms(), mixed] or `by_row` [full[0], mixed] for each network.
  float* gradient = nullptr;
  float* products = nullptr;
  std::int64_t products_stride = 0, mix_stride = 0;  ///< from network to network
  int full[kMixAxes] = {1, 1, 1, 1};
  int count = 1, mixed = 1;
  int first_reader = 0, readers = 0;
  bool by_row = false;
  /// Is everything read and written in whole 16 bytes of float32? All begin at, and the last axis
  /// of the slot and of its readers is, multiples of that.
  bool lines = false;
};
/// Who reads the part of a slot that begins at `first`.
struct MixReader {
  void* weights = nullptr;  ///< [networks, ...size]: the result; for mix_backward() its gradient
  int size[kMixAxes] = {1, 1, 1, 1}, first[kMixAxes] = {0, 0, 0, 0};
  int slot = 0;
  bool bfloat16 = false;  ///< else float32
};
/// The gradient of a mix: sums of products [networks, terms, width] over terms.
struct MixGradient {
  const float* products = nullptr;
  float* result = nullptr;  ///< [networks, width]
  int terms = 0, width = 0;
};
/// Terms that a slot adds to the gradient of its mix.
std::int64_t mix_terms(const MixedSlot& slot);
/// weights[n, p] = sum_i mix[n, (row of p,) i] copies[n, i, first + p], of all readers, who stand
/// in the order of their slots.
void mix_forward(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
                 std::int64_t networks, Stream stream);
/// gradient[n, i, q] = g[n, q] mix_i / sum_j mix_j^2 with g the sum over readers, 0 where nobody
/// reads; products[n, t, i] = sums of g[n, q] copies[n, i, q] over some q; then their sums over t.
void mix_backward(const std::vector<MixedSlot>& slots, const std::vector<MixReader>& readers,
                  const std::vector<MixGradient>& sums, std::int64_t networks, Stream stream);

}  // namespace mosaic::supernet::cuda
