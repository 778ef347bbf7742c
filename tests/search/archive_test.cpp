#include <pagmo/utils/hypervolume.hpp>

#include "archive.hpp"
#include "common.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;

TEST_CASE("the hypervolume is that of pagmo") {
  const auto objectives = GENERATE(as<std::size_t>{}, 2, 3, 4, 5);
  core::Stream random(3, "hypervolume", objectives);
  const std::vector<double> reference(objectives, 1.0);
  for (const std::size_t count : {1u, 10u, 60u}) {
    std::vector<std::vector<double>> points(count, std::vector<double>(objectives));
    for (auto& point : points)
      for (double& value : point) value = random.uniform();
    CHECK(core::hypervolume(points, reference) ==
          Approx(pagmo::hypervolume(points).compute(reference)).epsilon(1e-12));
  }
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
  // In units of the first networks: (0, 1), (0.5, 0.5), (1, 0) below (1.1, 1.1).
  CHECK(archive.hypervolume() == Approx(0.5 * 0.1 + 0.5 * 0.6 + 0.1 * 1.1));

  archive.add({{4}, 14, {20, 300}});  // equal to a member: the first stays
  archive.add({{5}, 15, {10, 200}});  // dominates them all
  CHECK(archive.update());
  CHECK(archive.front() == std::vector<std::int64_t>{15});
  CHECK(archive.hypervolume() == Approx(1.21));
  CHECK(archive.size() == 6);
  CHECK(archive.failed() == 1);
  CHECK(archive.find({4})->architecture == 14);
  CHECK(archive.find({9}) == nullptr);
}

TEST_CASE("a front that leaves the box of the first networks has more hypervolume, never none") {
  search::Archive archive(2);
  archive.add({{1}, 11, {10, 10}});
  CHECK(archive.update());
  const double first = archive.hypervolume();
  CHECK(first == Approx(0.01));  // alone: a tenth of its own values
  // Better in one objective and worse in the other than all there was.
  archive.add({{2}, 12, {1, 90}});
  CHECK(archive.update());
  const double second = archive.hypervolume();
  CHECK(second > first);
  archive.add({{3}, 13, {80, 2}});
  CHECK(archive.update());
  CHECK(archive.hypervolume() > second);
  // What changes nothing on the front changes nothing.
  const double third = archive.hypervolume();
  archive.add({{4}, 14, {85, 95}});
  CHECK_FALSE(archive.update());
  CHECK(archive.hypervolume() == third);

  // Another archive goes on from the scale, and from one of an older version.
  search::Archive again(2);
  again.set_scale(archive.scale());
  again.add({{1}, 11, {10, 10}});
  again.add({{2}, 12, {1, 90}});
  again.add({{3}, 13, {80, 2}});
  again.update();
  CHECK(again.hypervolume() == third);
  search::Archive older(2);
  older.set_scale({{10, 10}, {10, 10}, {}});
  older.add({{1}, 11, {10, 10}});
  older.update();
  CHECK(older.hypervolume() == first);
}

TEST_CASE("two networks that are each best in one objective have a hypervolume") {
  search::Archive archive(2);
  archive.add({{1}, 1, {0, 1}});
  archive.add({{2}, 2, {1, 0}});
  archive.update();
  CHECK(archive.front().size() == 2);
  CHECK(archive.hypervolume() == Approx(1.1 * 0.1 + 0.1 * 1.1 - 0.01));
}
