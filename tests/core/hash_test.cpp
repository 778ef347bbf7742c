#include "mosaic/core/hash.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace core = mosaic::core;

TEST_CASE("XXH3-128 gives the published values") {
  CHECK(core::hash_hex("") == "99aa06d3014798d86001c324468d497f");
  CHECK(core::hash_hex("a") == "a96faf705af16834e6c632b61e964e1f");
  CHECK(core::hash_hex("abc") == "06b05ab6733a618578af5f94892f3950");
  CHECK(core::hash64("abc") == 0x78af5f94892f3950u);
}

TEST_CASE("a hash does not depend on how the bytes were cut up") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  core::Hasher pieces;
  for (std::size_t at = 0; at < text.size(); at += 37)
    pieces.bytes(text.data() + at, std::min<std::size_t>(37, text.size() - at));
  CHECK(pieces.hex() == core::hash_hex(text));
  CHECK(pieces.value64() == core::hash64(text));
}

TEST_CASE("where one text ends and the next begins is part of the hash") {
  CHECK(core::Hasher().add("ab").add("c").hex() != core::Hasher().add("a").add("bc").hex());
  CHECK(core::Hasher().add("").add("x").hex() != core::Hasher().add("x").add("").hex());
}

TEST_CASE("integers are hashed as eight little-endian bytes") {
  const unsigned char bytes[] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
  CHECK(core::Hasher().add(0x0102030405060708).hex() ==
        core::Hasher().bytes(bytes, sizeof bytes).hex());
}

TEST_CASE("reading a digest leaves the hash as it was") {
  core::Hasher hasher;
  hasher.add("a");
  const auto first = hasher.hex();
  CHECK(hasher.hex() == first);
  CHECK(hasher.add("b").hex() == core::Hasher().add("a").add("b").hex());
}
