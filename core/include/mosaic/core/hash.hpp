/// Stable 128-bit hashes (XXH3): identities of networks, configurations and data. Not
/// cryptographic.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mosaic::core {

/// Streaming hash; the same sequence of add() calls gives the same digest on every machine.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  Hasher& bytes(const void* data, std::size_t size);
  Hasher& add(std::int64_t value);
  /// Length and characters, so that ("ab","c") differs from ("a","bc").
  Hasher& add(std::string_view text);
  /// 32 hexadecimal digits.
  std::string hex() const;
  /// The lower half of the digest: the last 16 digits of hex().
  std::uint64_t value64() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// XXH3-128 of the text itself, as `Hasher().bytes(...)` gives it: what xxh128sum prints.
std::string hash_hex(std::string_view text);
/// The lower half of hash_hex().
std::uint64_t hash64(std::string_view text);

}  // namespace mosaic::core
