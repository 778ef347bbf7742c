#include "mosaic/core/pareto.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

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

/// Inclusion-exclusion over all subsets: exact, exponential, and knows nothing of fronts.
double by_inclusion_exclusion(const Points& points, const std::vector<double>& reference) {
  double volume = 0;
  for (std::size_t subset = 1; subset < std::size_t{1} << points.size(); ++subset) {
    double common = 1;
    for (std::size_t k = 0; k < reference.size(); ++k) {
      double corner = -INFINITY;
      for (std::size_t i = 0; i < points.size(); ++i)
        if (subset >> i & 1) corner = std::max(corner, points[i][k]);
      common *= std::max(0.0, reference[k] - corner);
    }
    volume += __builtin_popcountll(subset) % 2 == 1 ? common : -common;
  }
  return volume;
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

TEST_CASE("hypervolume is the volume that inclusion and exclusion give, in any dimension") {
  const auto width = GENERATE(as<std::size_t>{}, 1, 2, 3, 4, 5);
  core::Stream random(11, "hypervolume", width);
  for (int round = 0; round < 20; ++round) {
    Points points;
    const auto count = 1 + random.below(10);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::vector<double> point;
      // Coarse, so that points share values, repeat and dominate; some lie beyond the reference.
      for (std::size_t k = 0; k < width; ++k)
        point.push_back(static_cast<double>(random.below(7)) / 5);
      points.push_back(point);
    }
    const std::vector<double> reference(width, 1.0);
    CHECK(core::hypervolume(points, reference) ==
          Approx(by_inclusion_exclusion(points, reference)).margin(1e-12));
  }
}

TEST_CASE("the hypervolume of a few points is what is drawn by hand") {
  CHECK(core::hypervolume(Points{{2}, {3}}, {5}) == 3);
  CHECK(core::hypervolume(Points{{1, 1}}, {3, 4}) == 6);
  CHECK(core::hypervolume(Points{{-2, 0}}, {1, 1}) == 3);
  // Steps at x = 1, 2, 3 of heights 1, 2, 3 below the reference (4, 4).
  CHECK(core::hypervolume(Points{{1, 3}, {2, 2}, {3, 1}}, {4, 4}) == 6);
  // A dominated point and a repeated one add nothing.
  CHECK(core::hypervolume(Points{{1, 3}, {2, 2}, {3, 1}, {3, 3}, {2, 2}}, {4, 4}) == 6);
  // Two boxes 2 x 2 x 1 and 1 x 1 x 2 that share 1 x 1 x 1.
  CHECK(core::hypervolume(Points{{1, 1, 2}, {2, 2, 1}}, {3, 3, 3}) == 4 + 2 - 1);
}

TEST_CASE("what does not reach into the box, or has no value, is left out of the hypervolume") {
  const double nan = std::nan("");
  CHECK(core::hypervolume(Points{}, {1, 1}) == 0);
  CHECK(core::hypervolume(Points{{1, 4}, {5, 0}, {nan, 0}}, {4, 4}) == 0);
  CHECK(core::hypervolume(Points{{1, 4}, {5, 0}, {nan, 0}, {3, 3}}, {4, 4}) == 1);
  CHECK_THROWS_AS(core::hypervolume(Points{{1, 4, 2}}, {4, 4}), std::logic_error);
}
