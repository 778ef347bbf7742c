// main() of every test executable. The environment that ctest sets is filled in here where a test
// executable is run by hand.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>

int main(int argc, char** argv) {
  setenv("MOSAIC_SOURCE_DIR", MOSAIC_TEST_SOURCE_DIR, 0);
  setenv("MOSAIC_BINARY", MOSAIC_TEST_BINARY, 0);
  return Catch::Session().run(argc, argv);
}
