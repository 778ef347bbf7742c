// main() of every test executable. The environment that ctest sets is filled in here where a test
// executable is run by hand.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "needs.hpp"

namespace mosaic {

namespace {

std::vector<std::string> skipped;

}  // namespace

void skip(Need need, const std::string& why) {
  const char* variable = need == Need::kData    ? "MOSAIC_REQUIRE_DATA"
                         : need == Need::kTools ? "MOSAIC_REQUIRE_TOOLS"
                         : need == Need::kGpu   ? "MOSAIC_REQUIRE_GPU"
                                                : nullptr;
  const char* required = variable ? std::getenv(variable) : nullptr;
  if (required && std::string(required) == "1") FAIL(why << " (" << variable << "=1)");
  skipped.push_back(Catch::getResultCapture().getCurrentTestName() + ": " + why);
  throw Catch::TestFailureException();  // ends the test case; only a failed assertion fails it
}

}  // namespace mosaic

int main(int argc, char** argv) {
  setenv("MOSAIC_SOURCE_DIR", MOSAIC_TEST_SOURCE_DIR, 0);
  setenv("MOSAIC_BINARY", MOSAIC_TEST_BINARY, 0);
  const int status = Catch::Session().run(argc, argv);
  if (mosaic::skipped.empty()) return status;
  std::cerr << mosaic::skipped.size() << " skipped:\n";
  const char* list = std::getenv("MOSAIC_SKIPPED");  // where scripts/test.sh collects them
  std::ofstream file(list ? list : "/dev/null", std::ios::app);
  for (const auto& line : mosaic::skipped) {
    std::cerr << "  " << line << "\n";
    file << line << "\n";
  }
  return status;
}
