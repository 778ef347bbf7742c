#include <limits>

#include "archive.hpp"
#include "common.hpp"

using namespace mosaic;
using search::hypervolume;

TEST_CASE("the hypervolume of a few points is what is drawn by hand") {
  CHECK(hypervolume({}, {1, 1}) == 0);
  CHECK(hypervolume({{2}, {3}}, {5}) == 3);
  CHECK(hypervolume({{1, 1}}, {3, 4}) == 6);
  // Steps at x = 1, 2, 3 of heights 1, 2, 3 below the reference (4, 4).
  CHECK(hypervolume({{1, 3}, {2, 2}, {3, 1}}, {4, 4}) == Approx(6));
  // A dominated point and a repeated one add nothing.
  CHECK(hypervolume({{1, 3}, {2, 2}, {3, 1}, {3, 3}, {2, 2}}, {4, 4}) == Approx(6));
  // Two boxes 2 x 2 x 1 and 1 x 1 x 2 that share 1 x 1 x 1.
  CHECK(hypervolume({{1, 1, 2}, {2, 2, 1}}, {3, 3, 3}) == Approx(4 + 2 - 1));
}

TEST_CASE(
    "points on or beyond the reference, or without a value, are left out of the hypervolume") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(hypervolume({{1, 4}, {5, 0}, {nan, 0}}, {4, 4}) == 0);
  CHECK(hypervolume({{1, 4}, {5, 0}, {nan, 0}, {3, 3}}, {4, 4}) == 1);
  CHECK(hypervolume({{-2, 0}}, {1, 1}) == 3);
}

TEST_CASE("an archive keeps its front and scale while networks are added") {
  search::Archive archive(2);
  archive.update();
  CHECK(archive.hypervolume() == 0);
  archive.add({{0}, 10, {}});  // failed
  archive.update();
  CHECK(archive.front().empty());
  CHECK(archive.scale().best.empty());

  archive.add({{1}, 11, {10, 400}});
  archive.add({{2}, 12, {30, 200}});
  archive.add({{3}, 13, {20, 300}});
  archive.update();
  CHECK(archive.front() == std::vector<std::int64_t>{11, 13, 12});
  // In units of the first networks: (0, 1), (0.5, 0.5), (1, 0) below (1, 1).
  CHECK(archive.hypervolume() == Approx(0.25));

  archive.add({{4}, 14, {20, 300}});  // equal to a member: the first stays
  archive.add({{5}, 15, {10, 200}});  // dominates them all
  archive.update();
  CHECK(archive.front() == std::vector<std::int64_t>{15});
  CHECK(archive.hypervolume() == Approx(1));
  CHECK(archive.size() == 6);
  CHECK(archive.find({4})->architecture == 14);
  CHECK(archive.find({9}) == nullptr);
}
