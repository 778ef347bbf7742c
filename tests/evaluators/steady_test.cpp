#include "steady.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <stdexcept>

using namespace mosaic;
using Catch::Contains;
using evaluators::SteadyMeasuring;

namespace {

/// A device whose speed is a function of its clock: every measurement takes a second, every wait
/// ten, and a network i takes (i + 1) ms times the slowness at that moment.
class Simulated {
 public:
  explicit Simulated(std::function<double(double)> slowness) : slowness_(std::move(slowness)) {}

  SteadyMeasuring make(std::int64_t block, double usual = INFINITY) {
    SteadyMeasuring::Settings settings;
    settings.block = block;
    settings.usual = usual;
    return {settings,
            {.time_reference = [this] { return time(100); },
             .wait =
                 [this](int) {
                   now += 10;
                   ++waits;
                 },
             .seconds = [this] { return now; }}};
  }

  /// Releases, in order, as (index, value, note).
  void run(SteadyMeasuring& steady, std::size_t count) {
    steady.run(
        count,
        [this](std::size_t i) {
          ++taken;
          core::Measurement result;
          result.value = time(static_cast<double>(i + 1));
          return result;
        },
        [this](std::size_t i, const core::Measurement& measurement) {
          order.push_back(i);
          released[i] = measurement;
        });
  }

  double now = 0;
  int waits = 0;
  int taken = 0;
  std::vector<std::size_t> order;
  std::map<std::size_t, core::Measurement> released;

 private:
  double time(double ms) {
    const double result = ms * slowness_(now);
    now += 1;
    return result;
  }
  std::function<double(double)> slowness_;
};

double slow_between(double now, double begin, double end) {
  return now >= begin && now < end ? 1.3 : 1;
}

}  // namespace

TEST_CASE("on a steady device every network is measured once, with a reference around each block") {
  Simulated device([](double) { return 1.0; });
  auto steady = device.make(4);
  device.run(steady, 10);
  CHECK(device.taken == 10);
  CHECK(device.now == 10 + 4);  // before, and after blocks of 4, 4 and 2
  CHECK(device.waits == 0);
  REQUIRE(device.order == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(device.released[i].value == static_cast<double>(i + 1));
    CHECK(device.released[i].message.empty());
  }
}

TEST_CASE("what was measured while the device was slow is measured again, and no value is slow") {
  // Throttled phases of all lengths, beginning at every moment: in the middle of a block, at its
  // end, over several blocks.
  for (double begin = 2; begin < 17; ++begin)
    for (const double length : {4.0, 7.0, 15.0}) {
      INFO("slow from " << begin << " s for " << length << " s");
      Simulated device([&](double now) { return slow_between(now, begin, begin + length); });
      auto steady = device.make(3);
      device.run(steady, 12);
      REQUIRE(device.order.size() == 12);
      for (std::size_t i = 0; i < 12; ++i) {
        INFO(i << ": " << device.released[i].message);
        CHECK(device.order[i] == i);
        CHECK(device.released[i].value == static_cast<double>(i + 1));
      }
      CHECK(device.taken > 12);
    }
}

TEST_CASE("a block that was taken again says so") {
  Simulated device([](double now) { return slow_between(now, 3, 8); });
  auto steady = device.make(5);
  device.run(steady, 10);
  CHECK_THAT(device.released[0].message, Contains("taken again") && Contains("1.30x"));
  CHECK(device.released[7].message.empty());
}

TEST_CASE("a device that stays slow is waited for, then its values are released with a note") {
  Simulated device([](double now) { return now >= 7 ? 1.5 : 1; });
  auto steady = device.make(5);
  device.run(steady, 15);
  REQUIRE(device.order.size() == 15);
  CHECK(device.released[0].message.empty());
  CHECK(device.released[0].value == 1);
  for (std::size_t i = 5; i < 15; ++i) {
    CHECK(device.released[i].message == "device slow: reference network at 1.50x of its best");
    CHECK(device.released[i].value == 1.5 * static_cast<double>(i + 1));
  }
  CHECK(device.taken <= 3 * 15);  // bounded
  CHECK(device.waits >= 3);
}

TEST_CASE("a device that is off now and again costs at most three attempts a block") {
  // Slow at every second look: no block is ever between two good references.
  int looks = 0;
  int taken = 0;
  int released = 0;
  SteadyMeasuring::Settings settings;
  settings.block = 2;
  settings.patience = 0;
  SteadyMeasuring steady(settings, {.time_reference = [&] { return looks++ % 2 ? 130.0 : 100.0; },
                                    .wait = [](int) {},
                                    .seconds = [] { return 0.0; }});
  steady.run(
      6,
      [&](std::size_t) {
        ++taken;
        return core::Measurement{};
      },
      [&](std::size_t, const core::Measurement& measurement) {
        ++released;
        CHECK_THAT(measurement.message, Contains("device slow"));
      });
  CHECK(released == 6);
  CHECK(taken <= 18);
}

TEST_CASE("a device that was slow from the beginning is noticed when it becomes faster") {
  Simulated device([](double now) { return now < 4 ? 1.4 : 1; });
  auto steady = device.make(5);
  device.run(steady, 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(device.released[i].value == static_cast<double>(i + 1));
  CHECK_THAT(device.released[0].message, Contains("taken again") && Contains("1.40x"));
}

TEST_CASE("the usual time of an earlier run tells that a device is slow from the start") {
  Simulated device([](double now) { return now < 25 ? 1.4 : 1; });
  auto steady = device.make(5, 100);
  device.run(steady, 5);
  CHECK(device.waits == 3);
  CHECK(device.taken == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(device.released[i].value == static_cast<double>(i + 1));
}

TEST_CASE("a fresh reference opens the next run too, an old one does not") {
  Simulated device([](double) { return 1.0; });
  auto steady = device.make(5);
  device.run(steady, 1);
  const double first = device.now;
  CHECK(first == 3);
  device.run(steady, 1);
  CHECK(device.now - first == 2);
  device.now += 60;
  const double later = device.now;
  device.run(steady, 1);
  CHECK(device.now - later == 3);
}

TEST_CASE("an interruption releases nothing of its block, and what came before is kept") {
  Simulated device([](double) { return 1.0; });
  auto steady = device.make(3);
  std::vector<std::size_t> released;
  CHECK_THROWS_AS(steady.run(
                      9,
                      [](std::size_t i) {
                        if (i == 4) throw std::runtime_error("stop");
                        return core::Measurement{};
                      },
                      [&](std::size_t i, const core::Measurement&) { released.push_back(i); }),
                  std::runtime_error);
  CHECK(released == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("without a reference that can be timed everything is measured once") {
  SteadyMeasuring steady({}, {.time_reference = [] { return NAN; },
                              .wait = [](int) { FAIL("waited"); },
                              .seconds = [] { return 0.0; }});
  int released = 0;
  steady.run(
      25, [](std::size_t) { return core::Measurement{}; },
      [&](std::size_t, const core::Measurement& measurement) {
        ++released;
        CHECK(measurement.message.empty());
      });
  CHECK(released == 25);
}
