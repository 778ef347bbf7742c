/// Named, counter-based random streams: the same (seed, name, index) gives the same numbers
/// everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mosaic::core {

/// One block of Philox4x32-10, the function under every Stream.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11), keyed by a
/// hash of seed and name, with `index` as the upper half of the counter. A stream is a value:
/// copying it copies its position; no state needs saving as long as (seed, name, index) are known.
/// Satisfies UniformRandomBitGenerator. The distributions are our own because those of the standard
/// library differ between implementations.
class Stream {
 public:
  using result_type = std::uint32_t;
  Stream(std::uint64_t seed, std::string_view name, std::uint64_t index = 0);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xffffffffu; }
  result_type operator()();

  std::uint64_t next64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in {0 .. n-1}, unbiased; n > 0.
  std::uint64_t below(std::uint64_t n);
  /// A place drawn by its share; the shares sum to 1 and there is at least one.
  std::size_t weighted(std::span<const double> shares);
  /// Standard normal (Box-Muller, one value a call). Its last bit may differ between C libraries,
  /// whose log and cos do.
  double normal();

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }
  /// 0 .. count - 1 in random order.
  template <class T>
  std::vector<T> permutation(T count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), T{0});
    shuffle(values);
    return values;
  }

 private:
  void refill();
  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 4> counter_{};
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace mosaic::core
