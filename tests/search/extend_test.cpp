// Searches whose limits are raised when they have ended.
#include "common.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

search::SearchOutcome run(Fixture& f, const search::SearchSettings& settings) {
  const auto objectives = f.counts();
  return search::run_search(f.space, objectives, {}, settings, 7, f.database, f.job);
}

/// dump() but for the order in which measurements came into the file.
std::string found(const Fixture& f) {
  std::istringstream lines(dump(f.database, f.job));
  std::string text;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("measurement ")) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("a search that is given more evaluations ends as one that had them from the beginning") {
  for (const auto& algorithm : search::algorithms().names()) {
    INFO(algorithm);
    const auto settings = [&](std::int64_t evaluations) {
      return search::SearchSettings{algorithm, 8, evaluations, 20};
    };
    Fixture whole(small_nasbench());
    run(whole, settings(40));
    // Ended within a generation, at its end, with fewer than a population, and asked for again.
    for (const auto& sittings :
         std::vector<std::vector<std::int64_t>>{{21, 22, 22, 40}, {8, 16, 40}, {5, 40}}) {
      Fixture broken(small_nasbench());
      for (const auto evaluations : sittings)
        CHECK(run(broken, settings(evaluations)).evaluations == evaluations);
      CHECK(run(broken, settings(40)).evaluations == 40);
      CHECK(found(broken) == found(whole));
    }
  }
}

TEST_CASE("a search that lost its patience goes on where it is given more") {
  const auto settings = [](std::int64_t patience, std::int64_t evaluations) {
    return search::SearchSettings{"nsga2", 8, evaluations, 20, patience};
  };
  Fixture whole(small_nasbench());
  const auto unbroken = run(whole, settings(0, 200));
  CHECK(unbroken.stopped_by == "evaluations");
  Fixture broken(small_nasbench());
  const auto impatient = run(broken, settings(1, 200));
  CHECK(impatient.stopped_by == "no gain in 1 generation");
  CHECK(impatient.evaluations < 200);
  CHECK(run(broken, settings(0, 200)).stopped_by == "evaluations");
  CHECK(found(broken) == found(whole));
}

TEST_CASE("a limit of a search is raised by more, or by none at all") {
  const search::SearchSettings before{"nsga2", 8, 100, 20, 5, 3};
  const auto allows = [&](std::int64_t evaluations, std::int64_t stall, std::int64_t patience,
                          double minutes) {
    return search::SearchSettings{"nsga2", 8, evaluations, stall, patience, minutes}
        .allows_as_much_as(before);
  };
  CHECK(allows(100, 20, 5, 3));
  CHECK(allows(200, 30, 6, 4));
  CHECK(allows(100, 20, 0, 0));
  CHECK_FALSE(allows(99, 20, 5, 3));
  CHECK_FALSE(allows(100, 19, 5, 3));
  CHECK_FALSE(allows(100, 20, 4, 3));
  CHECK_FALSE(allows(100, 20, 5, 2));
  CHECK_FALSE(before.allows_as_much_as({"nsga2", 8, 100, 20, 0, 3}));
}
