#include "common.hpp"
#include "mosaic/core/files.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

TEST_CASE("the golden signature of the search has not moved") {
  // NSGA-II over NAS-Bench-201 with two exact metrics: every network evaluated, in order, and the
  // front.
  Fixture f(spaces::Space::make("nasbench201"));
  search::run_search(f.space, f.counts(), {}, {"nsga2(cr=0.9)", 16, 200, 20}, 1, f.database, f.job);
  core::Hasher hasher;
  for (const auto& evaluation : f.database.evaluations(f.job.id)) hasher.add(evaluation.arch);
  const auto front = f.database.front(f.job);
  for (const auto& network : front) {
    hasher.add(network.arch);
    for (const auto& [metric, measurement] : network.metrics)
      hasher.add(metric).add(core::format_double(measurement.value));
  }
  CHECK(front.size() >= 5);
  const std::string signature = hasher.hex();

  const char* source = std::getenv("MOSAIC_SOURCE_DIR");
  REQUIRE(source != nullptr);
  const std::string path = std::string(source) + "/tests/golden/search_signature.txt";
  if (std::getenv("MOSAIC_UPDATE_GOLDEN") != nullptr)
    core::write_file_atomic(path, signature + "\n");
  const std::string golden(core::trim(core::read_file(path)));
  INFO("the search signature moved from "
       << golden << " to " << signature
       << ": the same seed now finds other networks. If that is meant, run test_search with "
          "MOSAIC_UPDATE_GOLDEN=1 and commit tests/golden/search_signature.txt with the reason");
  CHECK(signature == golden);
}
