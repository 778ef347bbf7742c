#include "mosaic/core/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>

namespace mosaic::core {

namespace {

/// High half first, as xxh128sum prints it.
std::string to_hex(XXH128_hash_t hash) {
  std::array<char, 33> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return buffer.data();
}

}  // namespace

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
Hasher::~Hasher() = default;

Hasher& Hasher::bytes(const void* data, std::size_t size) {
  if (size > 0) XXH3_128bits_update(&state_->xxh, data, size);
  return *this;
}

Hasher& Hasher::add(std::int64_t value) {
  // Little endian whatever the machine, so that digests can be stored and compared elsewhere.
  std::array<unsigned char, 8> little{};
  const auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < little.size(); ++i)
    little[i] = static_cast<unsigned char>(bits >> (8 * i));
  return bytes(little.data(), little.size());
}

Hasher& Hasher::add(std::string_view text) {
  add(static_cast<std::int64_t>(text.size()));
  return bytes(text.data(), text.size());
}

std::string Hasher::hex() const { return to_hex(XXH3_128bits_digest(&state_->xxh)); }
std::uint64_t Hasher::value64() const { return XXH3_128bits_digest(&state_->xxh).low64; }

std::string hash_hex(std::string_view text) {
  return to_hex(XXH3_128bits(text.data(), text.size()));
}

std::uint64_t hash64(std::string_view text) { return XXH3_128bits(text.data(), text.size()).low64; }

}  // namespace mosaic::core
