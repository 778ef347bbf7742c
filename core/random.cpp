#include "mosaic/core/random.hpp"

#include <cassert>
#include <cmath>
#include <numbers>

#include "mosaic/core/hash.hpp"

namespace mosaic::core {

namespace {

__extension__ using Wide = unsigned __int128;

std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Stream::Stream(std::uint64_t seed, std::string_view name, std::uint64_t index) {
  const std::uint64_t key = Hasher().add(static_cast<std::int64_t>(seed)).add(name).value64();
  key_ = {low(key), high(key)};
  counter_ = {0, 0, low(index), high(index)};
}

void Stream::refill() {
  block_ = philox4x32(counter_, key_);
  if (++counter_[0] == 0) ++counter_[1];
  used_ = 0;
}

Stream::result_type Stream::operator()() {
  if (used_ == block_.size()) refill();
  return block_[used_++];
}

std::uint64_t Stream::next64() {
  const std::uint64_t first = (*this)();
  const std::uint64_t second = (*this)();
  return second << 32 | first;
}

double Stream::uniform() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

std::uint64_t Stream::below(std::uint64_t n) {
  assert(n > 0);
  // Lemire, "Fast random integer generation in an interval" (2019): the upper half of a product is
  // uniform once the few products whose lower half is under 2^64 mod n are drawn again.
  auto product = static_cast<Wide>(next64()) * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t threshold = (0 - n) % n;
    while (static_cast<std::uint64_t>(product) < threshold)
      product = static_cast<Wide>(next64()) * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

std::size_t Stream::weighted(std::span<const double> shares) {
  double left = uniform();
  std::size_t place = 0;
  while (place + 1 < shares.size() && left >= shares[place]) left -= shares[place++];
  return place;
}

double Stream::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u is never 0
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace mosaic::core
