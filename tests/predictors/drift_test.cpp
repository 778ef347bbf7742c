#include "mosaic/predictors/drift.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

/// Networks in random order: depth 1-6, width, kernel; latency with relative noise.
Records measured_in_order(std::size_t count, double noise, std::uint64_t seed) {
  core::Stream stream(seed, "test.measured");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    const Features row{1 + static_cast<double>(stream.below(6)), 1 + stream.uniform(),
                       static_cast<double>(stream.below(3))};
    records.rows.push_back(row);
    records.targets.push_back((20 + 30 * row[0] * row[1] + 5 * row[2]) *
                              std::exp(noise * stream.normal()));
  }
  return records;
}

void slow_down(Records& records, std::size_t first, std::size_t last, double factor) {
  for (std::size_t i = first; i <= last; ++i) records.targets[i] *= factor;
}

std::size_t distance(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

double median_of(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

/// The reference, which is told what matters: a row is slow where the ratio to the median of its
/// group, as a median over the 41 rows around it, exceeds 1.1.
std::vector<bool> slow_by_group(const Records& records, std::size_t group_column) {
  std::map<double, std::vector<double>> groups;
  for (std::size_t i = 0; i < records.rows.size(); ++i)
    groups[records.rows[i][group_column]].push_back(records.targets[i]);
  std::vector<double> ratio;
  for (std::size_t i = 0; i < records.rows.size(); ++i)
    ratio.push_back(records.targets[i] / median_of(groups[records.rows[i][group_column]]));
  std::vector<bool> slow;
  for (std::ptrdiff_t i = 0; i < std::ssize(ratio); ++i)
    slow.push_back(
        median_of({ratio.begin() + std::max<std::ptrdiff_t>(0, i - 20),
                   ratio.begin() + std::min<std::ptrdiff_t>(std::ssize(ratio), i + 21)}) > 1.1);
  return slow;
}

}  // namespace

TEST_CASE("slow and fast stretches are found where they are, with their factors") {
  Records records = measured_in_order(600, 0.03, 1);
  slow_down(records, 100, 179, 1.24);
  slow_down(records, 300, 329, 1.4);
  slow_down(records, 450, 519, 0.8);
  const Drift drift = detect_slow_stretches(records.rows, records.targets);
  REQUIRE(drift.stretches.size() == 3);
  const std::vector<Stretch> truth{
      {100, 179, 1.24, true}, {300, 329, 1.4, true}, {450, 519, 0.8, true}};
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(distance(drift.stretches[k].first, truth[k].first) <= 1);
    CHECK(distance(drift.stretches[k].last, truth[k].last) <= 1);
    CHECK(drift.stretches[k].factor == Approx(truth[k].factor).epsilon(0.02));
    CHECK(drift.stretches[k].corrected);
  }
  CHECK(drift.speed[140] == Approx(1.24).epsilon(0.05));
  CHECK(drift.speed[10] == Approx(1).epsilon(0.05));
  CHECK_THAT(describe(drift), Catch::Contains("1.24 times slow") && Catch::Contains("times fast"));
}

TEST_CASE("a stretch at the very beginning or end is found") {
  Records records = measured_in_order(400, 0.03, 2);
  slow_down(records, 0, 39, 1.3);
  slow_down(records, 370, 399, 1.25);
  const Drift drift = detect_slow_stretches(records.rows, records.targets);
  REQUIRE(drift.stretches.size() == 2);
  CHECK(drift.stretches[0].first == 0);
  CHECK(distance(drift.stretches[0].last, 39) <= 1);
  CHECK(distance(drift.stretches[1].first, 370) <= 1);
  CHECK(drift.stretches[1].last == 399);
}

TEST_CASE("no stretch is found where there is none, however the rows are sorted") {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    Records records = measured_in_order(400, 0.06, 10 + seed);
    CHECK(detect_slow_stretches(records.rows, records.targets).stretches.empty());
    for (std::size_t column = 0; column < 3; ++column) {
      std::vector<std::size_t> order(records.rows.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return records.rows[a][column] < records.rows[b][column];
      });
      Records sorted;
      for (const auto i : order) {
        sorted.rows.push_back(records.rows[i]);
        sorted.targets.push_back(records.targets[i]);
      }
      CHECK(detect_slow_stretches(sorted.rows, sorted.targets).stretches.empty());
    }
  }
}

TEST_CASE("an unsteady stretch is left out, and so are outliers at its fringes") {
  Records records = measured_in_order(500, 0.02, 3);
  core::Stream stream(4, "test.unsteady");
  for (std::size_t i = 200; i < 260; ++i) records.targets[i] *= 1.2 + 0.5 * stream.uniform();
  records.targets[264] *= 1.4;
  const Drift drift = detect_slow_stretches(records.rows, records.targets);
  REQUIRE(drift.stretches.size() == 1);
  CHECK_FALSE(drift.stretches[0].corrected);
  for (std::size_t i = 205; i < 255; ++i) CHECK(drift.left_out[i]);
  CHECK(drift.left_out[264]);
  CHECK(std::count(drift.left_out.begin(), drift.left_out.begin() + 190, true) <= 3);
}

TEST_CASE("the wandering of a device is followed") {
  Records records = measured_in_order(500, 0.01, 5);
  std::vector<double> truth;
  for (std::size_t i = 0; i < 500; ++i) {
    truth.push_back(std::exp(0.04 * std::sin(static_cast<double>(i) / 25)));
    records.targets[i] *= truth.back();
  }
  const Drift drift = detect_slow_stretches(records.rows, records.targets);
  CHECK(drift.stretches.empty());
  CHECK(drift.wandering > 0.7);
  double before = 0;
  double after = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    before += std::abs(std::log(truth[i]));
    after += std::abs(std::log(truth[i] / drift.speed[i]));
  }
  CHECK(after < 0.3 * before);
  CHECK(detect_slow_stretches(measured_in_order(500, 0.03, 6).rows,
                              measured_in_order(500, 0.03, 6).targets)
            .wandering < 0.06);
}

TEST_CASE("few rows and targets that are not positive have no drift to find") {
  Records records = measured_in_order(40, 0.02, 7);
  slow_down(records, 10, 25, 2);
  CHECK(detect_slow_stretches(records.rows, records.targets).stretches.empty());
  Records negative = measured_in_order(200, 0.02, 8);
  negative.targets[3] = -1;
  const Drift drift = detect_slow_stretches(negative.rows, negative.targets);
  CHECK(drift.stretches.empty());
  CHECK(drift.speed == std::vector<double>(200, 1.0));
}

TEST_CASE("in measured tables the stretches found are those of the depth column's medians") {
  for (const std::string name : {"iwslt14deen_gpu_titanxp", "wmt14ende_gpu_titanxp",
                                 "wmt14ende_cpu_xeon", "wmt14ende_cpu_raspberrypi"}) {
    const auto path = data_file("hat-latency/" + name + ".csv.gz");
    const Records records = hat_records(path);
    const Drift drift = detect_slow_stretches(records.rows, records.targets);
    const auto slow = slow_by_group(records, 5);
    std::size_t equal = 0;
    for (std::size_t i = 0; i < slow.size(); ++i) equal += slow[i] == drift.in_stretch(i) ? 1 : 0;
    INFO(name << ": " << equal << " of " << slow.size() << " rows\n" << describe(drift));
    CHECK(equal >= slow.size() - 12);
  }
}
