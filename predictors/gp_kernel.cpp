#include "gp_kernel.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace mosaic::predictors {

namespace {

// Inlined into the two functions at the end, which are compiled for different processors.
#define MOSAIC_INLINE inline __attribute__((always_inline))

using Four [[gnu::vector_size(32)]] = double;
constexpr std::size_t kRows = 6;   // at a time: with two vectors of columns 12 sums, in registers
constexpr std::size_t kWidth = 8;  // columns at a time

/// Rows of `lower`, `depth` numbers of each, by a block [depth, kWidth] of k.
template <std::size_t R>
MOSAIC_INLINE void add_squares(const double* lower, std::size_t n, std::size_t depth,
                               const double* block, double* sums) {
  Four product[R][2];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r) product[r][0] = product[r][1] = Four{};
  for (std::size_t j = 0; j < depth; ++j) {
    Four left, right;  // an array of both would pass through memory
    std::memcpy(&left, block + j * kWidth, sizeof left);
    std::memcpy(&right, block + j * kWidth + 4, sizeof right);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r) {
      product[r][0] += lower[r * n + j] * left;
      product[r][1] += lower[r * n + j] * right;
    }
  }
  Four sum[2];
  std::memcpy(sum, sums, sizeof sum);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r) {
    sum[0] += product[r][0] * product[r][0];
    sum[1] += product[r][1] * product[r][1];
  }
  std::memcpy(sums, sum, sizeof sum);
}

/// `blocks` of k lie one after the other, sums too. Rows stay in the cache while all blocks pass.
MOSAIC_INLINE void add_all(const double* lower, std::size_t n, const std::vector<double>& blocks,
                           std::vector<double>& sums) {
  for (std::size_t i = 0; i < n; i += kRows)
    for (std::size_t b = 0; b < sums.size(); b += kWidth) {
      const double* const block = blocks.data() + b * n;
      if (i + kRows <= n)
        add_squares<kRows>(lower + i * n, n, i + kRows, block, sums.data() + b);
      else
        for (std::size_t last = i; last < n; ++last)
          add_squares<1>(lower + last * n, n, last + 1, block, sums.data() + b);
    }
}

void add_all_generic(const double* lower, std::size_t n, const std::vector<double>& blocks,
                     std::vector<double>& sums) {
  add_all(lower, n, blocks, sums);
}
#ifdef __x86_64__
__attribute__((target("avx2,fma"))) void add_all_avx2(const double* lower, std::size_t n,
                                                      const std::vector<double>& blocks,
                                                      std::vector<double>& sums) {
  add_all(lower, n, blocks, sums);
}
const bool kHasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
const auto kAddAll = kHasAvx2 ? add_all_avx2 : add_all_generic;
#else
const auto kAddAll = add_all_generic;
#endif

}  // namespace

void squared_products(const double* lower, std::size_t n, const double* k, std::size_t columns,
                      double* sums) {
  std::vector<double> padded((columns + kWidth - 1) / kWidth * kWidth);
  std::vector<double> blocks(padded.size() * n);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t c = 0; c < columns; ++c)
      blocks[(c / kWidth * n + j) * kWidth + c % kWidth] = k[j * columns + c];
  kAddAll(lower, n, blocks, padded);
  std::copy_n(padded.begin(), columns, sums);
}

}  // namespace mosaic::predictors
