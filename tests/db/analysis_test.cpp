// History and comparison against independent references.

#include "mosaic/db/analysis.hpp"

#include <cmath>

#include "fixtures.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;

namespace {

using Point = std::vector<double>;
using Points = std::vector<Point>;

std::int64_t add(Database& database, const Job& job, const std::string& arch, double accuracy,
                 double latency) {
  const auto id = add_network(database, job, arch);
  database.add_measurement(job.id, id, measured("accuracy", accuracy));
  database.add_measurement(job.id, id, measured("latency_ms", latency));
  return id;
}

}  // namespace

TEST_CASE(
    "objectives are scaled by ideal and nadir, and a flat one by what lies beside the front") {
  const Points front{{1, 10}, {3, 10}};
  const auto scale = Scale::of(front, Points{{5, 30}});
  CHECK(scale({1, 10}) == Point{0, 0});
  CHECK(scale({3, 30}) == Point{1, 1});
  CHECK(Scale::of(front)({3, 10.5}) == Point{1, 0.5});
}

TEST_CASE("history tells each generation's measured hypervolume as a computation by hand does") {
  const Folder folder;
  Database database(folder.file());
  Job job = sample_job("first");
  job.constraints = {{"latency_ms", true, 8}};
  database.create_job(job);
  const auto a = add(database, job, "a", 80, 8);
  database.add_generation(job.id, {1, 1, 0.5, {a}});
  const auto b = add(database, job, "b", 90, 9);  // not feasible
  add(database, job, "c", 70, 4);
  database.add_generation(job.id, {2, 3, 0.75, {a, b}});
  add(database, job, "d", 75, 6);
  database.add_generation(job.id, {3, 4, 0.8, {a, b}});
  const auto rows = history(database, job);
  REQUIRE(rows.size() == 3);
  // Scaled by ideal (-80, 4) and nadir (-70, 8): a is (0, 1), c (1, 0), d (0.5, 0.5).
  CHECK(rows[0].measured_hypervolume == Approx(1.1 * 0.1));
  CHECK(rows[1].measured_hypervolume == Approx(1.1 * 0.1 + 0.1 * 1.0));
  CHECK(rows[2].measured_hypervolume == Approx(1.1 * 0.1 + 0.6 * 0.5 + 0.1 * 0.5));
  CHECK(rows[1].measured_front_size == 2);
  CHECK(rows[2].measured_front_size == 3);
  CHECK(rows[1].front_size == 2);
  CHECK(rows[1].hypervolume == 0.75);
  CHECK(rows[2].evaluations == 4);
  CHECK(rows[2].generation == 3);
}

TEST_CASE_METHOD(OneJob, "history counts a value that was replaced later as it was known then") {
  add(database, job, "a", 80, 8);
  const auto b = add(database, job, "b", 70, 4);
  database.add_generation(job.id, {1, 2, 0, {}});
  add(database, job, "c", 60, 6);
  add(database, job, "d", 90, 10);
  database.add_generation(job.id, {2, 4, 0, {}});
  database.add_measurement(job.id, b, measured("latency_ms", 7));
  const auto rows = history(database, job);
  CHECK(rows[0].measured_front_size == 2);
  CHECK(rows[1].measured_front_size == 4);  // b at 7 ms no longer dominates c
  const auto points = database.front_points(job, {2, 3, 4});
  CHECK(points[0] == Points{{-80, 8}, {-70, 4}});
  CHECK(points[1] == Points{{-80, 8}, {-70, 4}});
  CHECK(points[2] == Points{{-90, 10}, {-80, 8}, {-70, 7}, {-60, 6}});
}

TEST_CASE("history has a scale even where nothing is feasible any more") {
  const Folder folder;
  Database database(folder.file());
  Job job = sample_job("first");
  job.constraints = {{"latency_ms", true, 5}};
  database.create_job(job);
  const auto a = add(database, job, "a", 80, 5);
  database.add_generation(job.id, {1, 1, 0, {}});
  add(database, job, "b", 99, 6);
  database.add_generation(job.id, {2, 2, 0, {}});
  CHECK(history(database, job)[1].measured_hypervolume == Approx(1.1 * 1.1));
  database.add_measurement(job.id, a, measured("latency_ms", 7));
  const auto rows = history(database, job);
  CHECK(database.front(job).empty());
  CHECK(rows[0].measured_hypervolume == Approx(1.1 * 1.1));
  CHECK(rows[1].measured_front_size == 0);
  CHECK(rows[1].measured_hypervolume == 0);
}

TEST_CASE("jobs are compared on the front of their union") {
  const Folder folder;
  Database database(folder.file());
  Job one = sample_job("one");
  Job two = sample_job("two", {{"latency_ms", false}, {"accuracy", true}});
  database.create_job(one);
  database.create_job(two);
  add(database, one, "a", 90, 10);
  add(database, one, "b", 80, 6);
  add(database, two, "c", 85, 6);
  add(database, two, "d", 70, 2);
  add(database, two, "e", 60, 9);
  const std::vector jobs{one, two};
  const auto result = compare(database, jobs);
  CHECK(result.union_size == 3);  // a, c, d
  CHECK(result.scale.ideal == Point{-90, 2});
  CHECK(result.scale.nadir == Point{-70, 10});
  const auto& first = result.jobs.at(0);
  const auto& second = result.jobs.at(1);
  CHECK(first.evaluations == 2);
  CHECK(second.evaluations == 3);
  CHECK(first.front_size == 2);
  CHECK(first.held == 1);
  CHECK(second.held == 2);
  CHECK(first.best == Point{90, 6});
  CHECK(second.best == Point{85, 2});
  CHECK(first.covers[1] == 0);
  CHECK(second.covers[0] == 0.5);
  CHECK(first.covers[0] == 1);
  const Points scaled_one{{0, 1}, {0.5, 0.5}};
  const Points scaled_two{{0.25, 0.5}, {1, 0}};
  const Points both{{0, 1}, {0.25, 0.5}, {1, 0}};
  const Point reference{1.1, 1.1};
  CHECK(first.share ==
        Approx(core::hypervolume(scaled_one, reference) / core::hypervolume(both, reference)));
  CHECK(second.share ==
        Approx(core::hypervolume(scaled_two, reference) / core::hypervolume(both, reference)));

  const auto early = compare(database, jobs, 1);
  CHECK(early.jobs[1].evaluations == 1);
  CHECK(early.jobs[1].front_size == 1);
  CHECK(early.union_size == 2);
}

TEST_CASE("jobs with other objectives are not compared, and one job alone is not either") {
  const Folder folder;
  Database database(folder.file());
  Job one = sample_job("one");
  Job two = sample_job("two", {{"accuracy", true}, {"params", false}});
  Job empty = sample_job("empty");
  for (Job* job : {&one, &two, &empty}) database.create_job(*job);
  CHECK_THAT(
      error_of([&] {
        compare(database, std::vector{one, two});
      }),
      Contains("job 'one' has the objectives max accuracy, min latency_ms, and job 'two' has "
               "max accuracy, min params: compare jobs with the same objectives"));
  CHECK_THAT(error_of([&] { compare(database, std::vector{one}); }),
             Contains("a comparison takes at least two jobs"));
  add(database, one, "a", 90, 10);
  const auto result = compare(database, std::vector{one, empty});
  CHECK(result.jobs[1].share == 0);
  CHECK(std::isnan(result.jobs[1].best[0]));
  CHECK(result.jobs[0].share == Approx(1));
}
