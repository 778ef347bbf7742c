#include "mosaic/core/pareto.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "mosaic/core/random.hpp"

using namespace mosaic;

namespace {

using Points = std::vector<std::vector<double>>;

/// Front after front, by comparing everything with everything.
std::vector<std::size_t> peel(const Points& points) {
  std::vector<std::size_t> ranks(points.size(), points.size());
  std::size_t left = points.size();
  for (std::size_t rank = 0; left > 0; ++rank) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < points.size(); ++i) {
      bool dominated = ranks[i] != points.size();
      for (std::size_t j = 0; j < points.size() && !dominated; ++j)
        dominated = ranks[j] == points.size() && core::dominates(points[j], points[i]);
      if (!dominated) front.push_back(i);
    }
    for (const std::size_t i : front) ranks[i] = rank;
    left -= front.size();
  }
  return ranks;
}

/// `levels` values of each objective: few make many ties and equal points.
Points random_points(std::size_t count, std::size_t objectives, std::uint64_t levels,
                     std::uint64_t seed) {
  core::Stream stream(seed, "points");
  Points points(count, std::vector<double>(objectives));
  for (auto& point : points)
    for (double& value : point) value = static_cast<double>(stream.below(levels)) - 3;
  return points;
}

}  // namespace

TEST_CASE("ranks of nondominated sorting are those of peeling front after front") {
  for (const std::size_t objectives : {1u, 2u, 3u, 5u})
    for (const std::uint64_t levels : {2u, 5u, 1'000'000u})
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto points = random_points(3 + 5 * seed, objectives, levels, seed);
        INFO(objectives << " objectives, " << levels << " levels, seed " << seed);
        REQUIRE(core::nondominated_ranks(points) == peel(points));
      }
}

TEST_CASE("nondominated sorting of nothing, of equal points, of a chain, of zeros of both signs") {
  CHECK(core::nondominated_ranks(Points{}).empty());
  CHECK(core::nondominated_ranks(Points(4, {1, 2})) == std::vector<std::size_t>(4, 0));
  CHECK(core::nondominated_ranks(Points(4, {1, 2, 3})) == std::vector<std::size_t>(4, 0));
  CHECK(core::nondominated_ranks(Points{{3, 3}, {1, 1}, {2, 2}, {1, 2}}) ==
        std::vector<std::size_t>{3, 0, 2, 1});
  CHECK(core::nondominated_ranks(Points{{0.0, 1}, {-0.0, 1}, {0.0, 0.5}}) ==
        std::vector<std::size_t>{1, 1, 0});
  CHECK(core::nondominated_ranks(Points{{0.0, 1, 2}, {-0.0, 1, 2}, {0.0, 0.5, 2}}) ==
        std::vector<std::size_t>{1, 1, 0});
}

TEST_CASE("points with NaN come after all others, infinities are numbers") {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(core::nondominated_ranks(Points{{nan, 0}, {2, 2}, {1, 1}, {0, nan}, {1, infinity}}) ==
        std::vector<std::size_t>{2, 1, 0, 2, 1});
  CHECK(core::nondominated_ranks(Points{{nan, 0, 0}, {-infinity, 5, 5}, {1, 1, 1}}) ==
        std::vector<std::size_t>{1, 0, 0});
}

TEST_CASE("the Pareto front is what has rank 0, without repetitions") {
  for (const std::size_t objectives : {1u, 2u, 3u}) {
    const auto points = random_points(200, objectives, 12, 4);
    const auto ranks = core::nondominated_ranks(points);
    const auto front = core::pareto_front(points);
    for (const std::size_t i : front) CHECK(ranks[i] == 0);
    for (std::size_t i = 0; i < points.size(); ++i)
      if (ranks[i] == 0)
        CHECK(std::any_of(front.begin(), front.end(),
                          [&](std::size_t f) { return points[f] == points[i]; }));
  }
}
