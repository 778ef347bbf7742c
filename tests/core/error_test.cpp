#include "mosaic/core/error.hpp"

#include <catch2/catch.hpp>

namespace core = mosaic::core;

TEST_CASE("an error tells what is wrong and what to do") {
  const core::Error error("population 30 is not a multiple of 4", "use 28 or 32");
  CHECK(std::string(error.what()) == "population 30 is not a multiple of 4: use 28 or 32");
  CHECK(error.message() == "population 30 is not a multiple of 4");
  CHECK(error.advice() == "use 28 or 32");
}

TEST_CASE("an error without advice is its message alone") {
  CHECK(std::string(core::Error("disk on fire").what()) == "disk on fire");
}

TEST_CASE("usage errors and interrupts can be told from other errors") {
  CHECK_THROWS_AS(throw core::UsageError("x"), core::Error);
  CHECK_THROWS_AS(throw core::Interrupted("x"), core::Error);
}
