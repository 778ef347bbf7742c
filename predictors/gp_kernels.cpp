#include "gp_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define MOSAIC_WITH_AVX2 1
#endif

namespace mosaic::predictors {

namespace {

using Four [[gnu::vector_size(32)]] = double;
using FourIntegers [[gnu::vector_size(32)]] = std::int64_t;

// Everything below is inlined into the functions at the end, which are compiled twice.
#define MOSAIC_INLINE inline __attribute__((always_inline))

constexpr std::size_t kRows = 6;       // of the left side at a time: 12 sums fit the registers
constexpr std::size_t kRowBlock = 96;  // rows that meet a panel while it is in the cache
constexpr double kSmallest = 1e-300;

template <std::size_t R>
MOSAIC_INLINE void dot(const double* a, std::size_t stride, const double* panel, std::size_t depth,
                       Four (&sum)[R][2]) {
  for (std::size_t r = 0; r < R; ++r) sum[r][0] = sum[r][1] = Four{0, 0, 0, 0};
  for (std::size_t k = 0; k < depth; ++k, panel += Panels::kWidth) {
    Four b0;
    Four b1;
    std::memcpy(&b0, panel, sizeof b0);
    std::memcpy(&b1, panel + 4, sizeof b1);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r) {
      const double value = a[r * stride + k];
      const Four all = {value, value, value, value};
      sum[r][0] += all * b0;
      sum[r][1] += all * b1;
    }
  }
}

template <std::size_t R>
MOSAIC_INLINE void multiply(const double* a, const Panels& b, std::size_t index,
                            Four (&sum)[R][2]) {
  const std::size_t begin = b.begin(index);
  dot<R>(a + begin, b.columns(), b.panel(index) + begin * Panels::kWidth, b.end(index) - begin,
         sum);
}

template <std::size_t R>
MOSAIC_INLINE void store_products(const double* a, const Panels& b, std::size_t index,
                                  double* out) {
  Four sum[R][2];
  multiply<R>(a, b, index, sum);
  const std::size_t left = b.rows() - index * Panels::kWidth;
  for (std::size_t r = 0; r < R; ++r) {
    double* const to = out + r * b.rows() + index * Panels::kWidth;
    if (left >= Panels::kWidth)
      std::memcpy(to, &sum[r], sizeof sum[r]);
    else
      std::memcpy(to, &sum[r], left * sizeof(double));
  }
}

template <std::size_t R>
MOSAIC_INLINE void add_squares(const double* a, const Panels& b, std::size_t index, double* out) {
  Four sum[R][2];
  multiply<R>(a, b, index, sum);
  for (std::size_t r = 0; r < R; ++r) {
    const Four squares = sum[r][0] * sum[r][0] + sum[r][1] * sum[r][1];
    out[r] += (squares[0] + squares[1]) + (squares[2] + squares[3]);
  }
}

MOSAIC_INLINE void products_body(const double* a, std::size_t count, const Panels& b, double* out) {
  for (std::size_t begin = 0; begin < count; begin += kRowBlock) {
    const std::size_t end = std::min(count, begin + kRowBlock);
    for (std::size_t index = 0; index < b.count(); ++index) {
      std::size_t i = begin;
      for (; i + kRows <= end; i += kRows)
        store_products<kRows>(a + i * b.columns(), b, index, out + i * b.rows());
      for (; i < end; ++i) store_products<1>(a + i * b.columns(), b, index, out + i * b.rows());
    }
  }
}

MOSAIC_INLINE void squared_products_body(const double* a, std::size_t count, const Panels& b,
                                         double* out) {
  std::fill_n(out, count, 0.0);
  for (std::size_t begin = 0; begin < count; begin += kRowBlock) {
    const std::size_t end = std::min(count, begin + kRowBlock);
    for (std::size_t index = 0; index < b.count(); ++index) {
      std::size_t i = begin;
      for (; i + kRows <= end; i += kRows)
        add_squares<kRows>(a + i * b.columns(), b, index, out + i);
      for (; i < end; ++i) add_squares<1>(a + i * b.columns(), b, index, out + i);
    }
  }
}

/// exp of four numbers in [-700, 0], to about two units in the last place: 2^n exp(x - n ln 2), the
/// Taylor series of the remainder being exact to 2e-16 up to degree 12.
MOSAIC_INLINE void exponentiate(Four& x) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const Four floor = {-700, -700, -700, -700};
  x = x > floor ? x : floor;
  const Four shifted = x * 1.4426950408889634 + kShift;
  const Four n = shifted - kShift;
  const Four r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  constexpr double kFactorials[] = {1.0 / 479001600,
                                    1.0 / 39916800,
                                    1.0 / 3628800,
                                    1.0 / 362880,
                                    1.0 / 40320,
                                    1.0 / 5040,
                                    1.0 / 720,
                                    1.0 / 120,
                                    1.0 / 24,
                                    1.0 / 6,
                                    1.0 / 2,
                                    1.0,
                                    1.0};
  Four sum = {kFactorials[0], kFactorials[0], kFactorials[0], kFactorials[0]};
#pragma GCC unroll 16
  for (std::size_t i = 1; i < std::size(kFactorials); ++i) sum = sum * r + kFactorials[i];
  FourIntegers bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 52) + std::bit_cast<std::int64_t>(1.0);  // 2^n
  Four power;
  std::memcpy(&power, &bits, sizeof power);
  x = sum * power;
}

/// r^2 -> m(r), and dm/d(r^2).
template <GpKernel kernel, bool with_slope>
MOSAIC_INLINE void evaluate(Four& squared, Four& slope) {
  const Four least = {kSmallest, kSmallest, kSmallest, kSmallest};
  const Four s = squared > least ? squared : least;
  if constexpr (kernel == GpKernel::rbf) {
    squared = s * -0.5;
    exponentiate(squared);
    if constexpr (with_slope) slope = squared * -0.5;
  } else {
    Four a;
    for (std::size_t i = 0; i < 4; ++i) a[i] = __builtin_sqrt(5 * s[i]);
    Four e = -a;
    exponentiate(e);
    squared = (1 + a + a * a * (1.0 / 3)) * e;
    if constexpr (with_slope) slope = (1 + a) * e * (-5.0 / 6);
  }
}

/// Four numbers, or the last `left` of a row.
MOSAIC_INLINE void load(const double* from, std::size_t left, Four& to) {
  if (left >= 4)
    std::memcpy(&to, from, sizeof to);
  else
    for (std::size_t i = 0; i < 4; ++i) to[i] = i < left ? from[i] : 0;
}
MOSAIC_INLINE void store(const Four& from, std::size_t left, double* to) {
  if (left >= 4)
    std::memcpy(to, &from, sizeof from);
  else
    for (std::size_t i = 0; i < left; ++i) to[i] = from[i];
}

template <GpKernel kernel>
MOSAIC_INLINE void slopes_body(double* values, double* value, std::size_t count) {
  for (std::size_t i = 0; i < count; i += 4) {
    Four squared;
    Four slope;
    load(values + i, count - i, squared);
    evaluate<kernel, true>(squared, slope);
    store(slope, count - i, values + i);
    store(squared, count - i, value + i);
  }
}

template <GpKernel kernel>
MOSAIC_INLINE void covariances_body(const CovarianceRow& row, double* values, std::size_t count) {
  for (std::size_t j = 0; j < count; j += 4) {
    Four squared;
    Four lengths;
    Four unused;
    load(values + j, count - j, squared);
    load(row.lengths + j, count - j, lengths);
    squared = row.length + lengths - 2 * squared;
    evaluate<kernel, false>(squared, unused);
    squared = row.signal * squared + 1;
    if (row.linear != 0) {
      Four inner;
      load(row.inner + j, count - j, inner);
      squared += row.linear * inner;
    }
    store(squared, count - j, values + j);
  }
}

MOSAIC_INLINE void any_slopes(GpKernel kernel, double* values, double* value, std::size_t count) {
  if (kernel == GpKernel::rbf)
    slopes_body<GpKernel::rbf>(values, value, count);
  else
    slopes_body<GpKernel::matern52>(values, value, count);
}

MOSAIC_INLINE void any_covariances(const CovarianceRow& row, double* values, std::size_t count) {
  if (row.kernel == GpKernel::rbf)
    covariances_body<GpKernel::rbf>(row, values, count);
  else
    covariances_body<GpKernel::matern52>(row, values, count);
}

MOSAIC_INLINE double dot_product_body(const double* a, const double* b, std::size_t count) {
  Four sums[4] = {};
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (std::size_t k = 0; k < 4; ++k) {
      Four left;
      Four right;
      std::memcpy(&left, a + i + 4 * k, sizeof left);
      std::memcpy(&right, b + i + 4 * k, sizeof right);
      sums[k] += left * right;
    }
  }
  const Four all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = (all[0] + all[1]) + (all[2] + all[3]);
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

#ifdef MOSAIC_WITH_AVX2
#define MOSAIC_AVX2 __attribute__((target("avx2,fma")))
MOSAIC_AVX2 void products_avx2(const double* a, std::size_t count, const Panels& b, double* out) {
  products_body(a, count, b, out);
}
MOSAIC_AVX2 void squared_products_avx2(const double* a, std::size_t count, const Panels& b,
                                       double* out) {
  squared_products_body(a, count, b, out);
}
MOSAIC_AVX2 void correlation_slopes_avx2(GpKernel kernel, double* values, double* value,
                                         std::size_t count) {
  any_slopes(kernel, values, value, count);
}
MOSAIC_AVX2 void covariances_avx2(const CovarianceRow& row, double* values, std::size_t count) {
  any_covariances(row, values, count);
}
MOSAIC_AVX2 double dot_product_avx2(const double* a, const double* b, std::size_t count) {
  return dot_product_body(a, b, count);
}
const bool kHasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#define MOSAIC_DISPATCH(call) \
  if (kHasAvx2) return call
#else
#define MOSAIC_DISPATCH(call)
#endif

}  // namespace

Panels::Panels(std::size_t rows, std::size_t columns, Shape shape)
    : rows_(rows), columns_(columns), shape_(shape), packed_(count() * columns * kWidth, 0.0) {}

Panels Panels::full(const double* data, std::size_t rows, std::size_t columns) {
  Panels panels(rows, columns, Shape::full);
  for (std::size_t i = 0; i < rows; ++i) {
    double* const at = panels.packed_.data() + (i / kWidth) * columns * kWidth + i % kWidth;
    for (std::size_t k = 0; k < columns; ++k) at[k * kWidth] = data[i * columns + k];
  }
  return panels;
}

Panels Panels::lower(const double* data, std::size_t rows) {
  Panels panels(rows, rows, Shape::lower);
  for (std::size_t i = 0; i < rows; ++i) {
    double* const at = panels.packed_.data() + (i / kWidth) * rows * kWidth + i % kWidth;
    for (std::size_t k = 0; k <= i; ++k) at[k * kWidth] = data[i * rows + k];
  }
  return panels;
}

Panels Panels::transposed_lower(const double* data, std::size_t rows) {
  Panels panels(rows, rows, Shape::upper);
  for (std::size_t k = 0; k < rows; ++k)
    for (std::size_t i = 0; i <= k; i += kWidth)
      std::copy_n(data + k * rows + i, std::min(kWidth, k + 1 - i),
                  panels.packed_.data() + (i * rows) + k * kWidth);
  return panels;
}

void products(const double* a, std::size_t count, const Panels& b, double* out) {
  MOSAIC_DISPATCH(products_avx2(a, count, b, out));
  products_body(a, count, b, out);
}

void squared_products(const double* a, std::size_t count, const Panels& b, double* out) {
  MOSAIC_DISPATCH(squared_products_avx2(a, count, b, out));
  squared_products_body(a, count, b, out);
}

void correlation_slopes(GpKernel kernel, double* values, double* value, std::size_t count) {
  MOSAIC_DISPATCH(correlation_slopes_avx2(kernel, values, value, count));
  any_slopes(kernel, values, value, count);
}

void covariances(const CovarianceRow& row, double* values, std::size_t count) {
  MOSAIC_DISPATCH(covariances_avx2(row, values, count));
  any_covariances(row, values, count);
}

double dot_product(const double* a, const double* b, std::size_t count) {
  MOSAIC_DISPATCH(dot_product_avx2(a, b, count));
  return dot_product_body(a, b, count);
}

}  // namespace mosaic::predictors
