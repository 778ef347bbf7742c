#include "mosaic/core/random.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <set>

namespace core = mosaic::core;
using core::Stream;

static_assert(std::uniform_random_bit_generator<Stream>);

// Random123, tests/kat_vectors, "philox4x32 10".
TEST_CASE("Philox gives the known answers of its authors") {
  using Block = std::array<std::uint32_t, 4>;
  CHECK(core::philox4x32({0, 0, 0, 0}, {0, 0}) ==
        Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(core::philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                         {0xffffffff, 0xffffffff}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(core::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                         {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

namespace {

std::vector<std::uint32_t> draw(Stream stream, std::size_t count) {
  std::vector<std::uint32_t> values(count);
  std::generate(values.begin(), values.end(), stream);
  return values;
}

}  // namespace

TEST_CASE("a stream is determined by seed, name and index") {
  CHECK(draw(Stream(1, "sampler", 2), 9) == draw(Stream(1, "sampler", 2), 9));
  std::set<std::vector<std::uint32_t>> different{
      draw(Stream(1, "sampler", 2), 9), draw(Stream(2, "sampler", 2), 9),
      draw(Stream(1, "samples", 2), 9), draw(Stream(1, "sampler", 3), 9),
      draw(Stream(1, "sampler", 2 + (std::uint64_t{1} << 32)), 9)};
  CHECK(different.size() == 5);
}

TEST_CASE("a copied stream goes on from the same position") {
  Stream stream(7, "x");
  for (int i = 0; i < 5; ++i) stream();
  Stream copy = stream;
  CHECK(draw(stream, 10) == draw(copy, 10));
}

TEST_CASE("the numbers of a stream never change between versions") {
  CHECK(draw(Stream(42, "golden", 3), 6) == std::vector<std::uint32_t>{0x1c4f0a6e, 0x5566fece,
                                                                       0xc18cbeab, 0x4cb52ed8,
                                                                       0x17ba059a, 0x5dc4987e});
}

TEST_CASE("uniform numbers fill the unit interval evenly") {
  Stream stream(1, "uniform");
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = stream.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    squares += u * u;
  }
  CHECK(sum / kCount == Approx(0.5).margin(0.005));
  CHECK(squares / kCount == Approx(1.0 / 3).margin(0.005));
}

TEST_CASE("below draws every value equally often") {
  Stream stream(1, "below");
  std::array<int, 7> counts{};
  constexpr int kCount = 70000;
  for (int i = 0; i < kCount; ++i) ++counts.at(stream.below(7));
  double chi2 = 0;
  for (const int count : counts) chi2 += std::pow(count - kCount / 7.0, 2) / (kCount / 7.0);
  CHECK(chi2 < 22.5);  // the 99.9 % quantile for 6 degrees of freedom
  CHECK(stream.below(1) == 0);
}

TEST_CASE("weighted draws every place by its share") {
  Stream stream(1, "weighted");
  const std::vector<double> shares{0.2, 0.0, 0.5, 0.3};
  std::vector<int> counts(shares.size(), 0);
  constexpr int kCount = 100'000;
  for (int i = 0; i < kCount; ++i) ++counts.at(stream.weighted(shares));
  for (std::size_t i = 0; i < shares.size(); ++i)
    CHECK(std::abs(counts[i] - shares[i] * kCount) < 5 * std::sqrt(kCount) / 2);
  CHECK(counts[1] == 0);
  CHECK(stream.weighted(std::vector{0.999}) == 0);  // where rounding leaves a gap, the last
}

TEST_CASE("below is unbiased where n is near the size of the generator") {
  // Without rejection, values under 2^62 would come twice as often as the others.
  const std::uint64_t n = std::uint64_t{3} << 62;
  Stream stream(1, "large");
  int low = 0;
  constexpr int kCount = 30000;
  for (int i = 0; i < kCount; ++i) {
    const std::uint64_t value = stream.below(n);
    REQUIRE(value < n);
    if (value % 3 == 0) ++low;
  }
  CHECK(low == Approx(kCount / 3.0).margin(300));
}

TEST_CASE("normal numbers have the moments of a standard normal") {
  Stream stream(1, "normal");
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = stream.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  CHECK(sum / kCount == Approx(0).margin(0.015));
  CHECK(squares / kCount == Approx(1).margin(0.02));
  CHECK(fourth / kCount == Approx(3).margin(0.15));
}

TEST_CASE("shuffle makes every order equally often") {
  std::map<std::vector<int>, int> counts;
  constexpr int kCount = 12000;
  for (int i = 0; i < kCount; ++i) {
    std::vector<int> values{1, 2, 3};
    Stream(5, "shuffle", static_cast<std::uint64_t>(i)).shuffle(values);
    ++counts[values];
  }
  REQUIRE(counts.size() == 6);
  for (const auto& [order, count] : counts) CHECK(count == Approx(kCount / 6.0).margin(200));
}
