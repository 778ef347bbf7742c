#include "mosaic/predictors/transfer.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>
#include <set>

#include "mosaic/core/ranking.hpp"
#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;
using Catch::Contains;

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// Networks with costs of three kinds (x, y, z); a device's latency has a square root that is
/// linear in them, with coefficients of its own.
struct World {
  KnownDevices known;
  std::vector<double> fresh;  ///< latencies of the new device, without noise
  std::vector<Features> costs;

  World(std::size_t networks, std::size_t devices, double noise, std::uint64_t seed) {
    core::Stream stream(seed, "test.world");
    for (std::size_t i = 0; i < networks; ++i) {
      known.archs.push_back("net" + std::to_string(i));
      costs.push_back({1 + stream.uniform(), stream.uniform(), stream.uniform()});
    }
    for (std::size_t d = 0; d < devices; ++d) {
      known.devices.push_back("device" + std::to_string(d));
      known.latency.push_back(device(stream, noise));
    }
    fresh = device(stream, 0);
  }

  std::vector<double> device(core::Stream& stream, double noise) const {
    const double scale = 1 + 9 * stream.uniform();
    const double a = 1 + stream.uniform();
    const double b = 2 * stream.uniform();
    const double c = 2 * stream.uniform();
    std::vector<double> latency;
    for (const auto& cost : costs) {
      const double root = a * cost[0] + b * cost[1] + c * cost[2];
      const double off = 1 + noise * stream.normal();
      latency.push_back(scale * root * root * off * off);
    }
    return latency;
  }

  std::vector<Measured> measure(const std::vector<std::size_t>& networks) const {
    std::vector<Measured> result;
    for (const auto i : networks) result.push_back({known.archs[i], fresh[i]});
    return result;
  }

  Structure structure() const {
    Structure result;
    result.features = costs;
    result.functions = known.archs;
    return result;
  }
};

double rank_correlation(const Transferred& result, const std::vector<double>& truth) {
  std::vector<double> means;
  for (const auto& prediction : result.predictions) means.push_back(prediction.mean);
  means.resize(truth.size());
  return core::rank_correlation(means, truth);
}

/// Writes a table and gives its path for as long as it lives.
struct CsvFile {
  TemporaryFile file{"mosaic-transfer"};
  explicit CsvFile(const std::string& text) { std::ofstream(file.path()) << text; }
};

}  // namespace

TEST_CASE("without noise, one measurement more than there are factors tells everything") {
  const World world(200, 6, 0, 1);
  const Transfer transfer(world.known);
  const auto result = transfer.predict(world.measure(transfer.suggest(4)));
  REQUIRE(result.predictions.size() == 200);
  CHECK(result.measurements == 4);
  for (std::size_t i = 0; i < 200; ++i)
    CHECK(result.predictions[i].mean == Approx(world.fresh[i]).epsilon(1e-3));
}

TEST_CASE("noisy tables: better than the nearest known device, and structure is better still") {
  double nearest = 0;
  double alone = 0;
  double with_structure = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const World world(400, 8, 0.05, seed);
    const Transfer transfer(world.known);
    const auto result = transfer.predict(world.measure(transfer.suggest(10)));
    alone += rank_correlation(result, world.fresh) / 5;
    double best = 0;  // the luckiest choice of a known device, made with the truth in view
    for (const auto& latency : world.known.latency)
      best = std::max(best, core::rank_correlation(latency, world.fresh));
    nearest += best / 5;
    const Transfer sharper(world.known, world.structure());
    with_structure +=
        rank_correlation(sharper.predict(world.measure(sharper.suggest(10))), world.fresh) / 5;
  }
  INFO("nearest " << nearest << ", alone " << alone << ", with structure " << with_structure);
  CHECK(alone > nearest + 0.005);
  CHECK(with_structure > alone + 0.005);
  CHECK(with_structure > 0.99);
}

TEST_CASE("deviations are calibrated on known devices and hold on the new one") {
  std::size_t covered = 0;
  std::size_t count = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(300, 8, 0.05, seed);
    core::Stream stream(seed, "test.noise");
    for (double& latency : world.fresh) latency *= 1 + 0.1 * stream.normal();
    const Transfer transfer(world.known, world.structure());
    const auto result = transfer.predict(world.measure(transfer.suggest(10)));
    CHECK(result.coverage == Approx(0.9).margin(0.01));
    for (std::size_t i = 0; i < 300; ++i, ++count)
      covered += std::abs(result.predictions[i].mean - world.fresh[i]) <=
                 1.645 * result.predictions[i].deviation;
  }
  const double share = static_cast<double>(covered) / static_cast<double>(count);
  CHECK(share > 0.82);
  CHECK(share < 0.97);
}

TEST_CASE("measurements that contradict the known devices are told, and deviations grow by it") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(300, 8, 0.05, seed);
    core::Stream stream(seed, "test.noise");
    for (double& latency : world.fresh) latency *= 1 + 0.1 * stream.normal();
    const Transfer transfer(world.known, world.structure());
    const auto good = world.measure(transfer.suggest(10));
    const auto fine = transfer.predict(good);
    CHECK(fine.misfit < kMisfit);
    CHECK(fine.astray.empty());
    auto seconds = good;  // one row in another unit
    seconds[4].latency_ms /= 1000;
    auto reversed = good;
    for (std::size_t i = 0; i < good.size(); ++i)
      reversed[i].latency_ms = good[good.size() - 1 - i].latency_ms;
    for (const auto& wrong : {seconds, reversed}) {
      const auto result = transfer.predict(wrong);
      CHECK(result.misfit > kMisfit);
      CHECK_FALSE(result.astray.empty());
      std::size_t covered = 0;
      for (std::size_t i = 0; i < 300; ++i)
        covered += std::abs(result.predictions[i].mean - world.fresh[i]) <=
                   1.645 * result.predictions[i].deviation;
      CHECK(covered > 200);
    }
  }
}

TEST_CASE("the order of measurements does not matter, and repeated ones are averaged") {
  const World world(100, 5, 0.05, 3);
  const Transfer transfer(world.known);
  auto measured = world.measure(transfer.suggest(8));
  const auto result = transfer.predict(measured);
  std::reverse(measured.begin(), measured.end());
  CHECK(same_bits(transfer.predict(measured).predictions, result.predictions));

  Measured& first = measured.front();
  first.latency_ms *= 1.5;
  Measured other = first;
  other.latency_ms *= 1 / 1.5 * 0.5;  // their mean is the latency itself
  measured.push_back(other);
  const auto averaged = transfer.predict(measured);
  CHECK(averaged.measurements == 8);
  for (std::size_t i = 0; i < 100; ++i)
    CHECK(averaged.predictions[i].mean == Approx(result.predictions[i].mean));
}

TEST_CASE("a known device in another unit is the same device") {
  World world(150, 5, 0.02, 4);
  const Transfer before(world.known);
  const auto measured = world.measure(before.suggest(6));
  for (double& latency : world.known.latency[2]) latency *= 1000;
  const Transfer after(world.known);
  const auto a = before.predict(measured);
  const auto b = after.predict(measured);
  for (std::size_t i = 0; i < 150; ++i)
    CHECK(b.predictions[i].mean == Approx(a.predictions[i].mean).epsilon(1e-6));
}

TEST_CASE("the choice of networks beats random ones, and a longer list begins with a shorter one") {
  double chosen = 0;
  double random = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(300, 8, 0.05, seed);
    core::Stream stream(seed, "test.noise");
    std::vector<double> truth = world.fresh;
    for (double& latency : world.fresh) latency *= 1 + 0.1 * stream.normal();
    const Transfer transfer(world.known, world.structure());
    const auto list = transfer.suggest(5);
    chosen += rank_correlation(transfer.predict(world.measure(list)), truth);
    std::vector<std::size_t> any;
    while (any.size() < 5) any.push_back(stream.below(300));
    if (std::set<std::size_t>(any.begin(), any.end()).size() >= 3)
      random += rank_correlation(transfer.predict(world.measure(any)), truth);
    const auto longer = transfer.suggest(20);
    CHECK(std::equal(list.begin(), list.end(), longer.begin()));
    CHECK(std::set<std::size_t>(longer.begin(), longer.end()).size() == 20);
  }
  INFO("chosen " << chosen / 10 << ", random " << random / 10);
  CHECK(chosen > random);
}

TEST_CASE("missing cells and networks that no known device has are filled in through structure") {
  World world(300, 6, 0.01, 5);
  const auto truth = world.known.latency[1];
  for (std::size_t i = 0; i < 300; i += 3) world.known.latency[1][i] = kMissing;
  CHECK_THAT(message_of([&] { Transfer{world.known}; }),
             Contains("device1 lacks 100 of 300 networks") && Contains("give --space"));
  const Transfer transfer(world.known, world.structure());
  const auto result = transfer.predict(world.measure(transfer.suggest(10)));
  CHECK(rank_correlation(result, world.fresh) > 0.99);

  // The last 20 networks are in no table; four of them are what was measured.
  for (auto& latency : world.known.latency) std::fill(latency.end() - 20, latency.end(), kMissing);
  const Transfer outside(world.known, world.structure());
  const auto from_outside =
      outside.predict(world.measure({285, 288, 292, 299, 281, 290, 295, 297}));
  CHECK(rank_correlation(from_outside, world.fresh) > 0.98);

  std::fill(world.known.latency[1].begin() + 5, world.known.latency[1].end(), kMissing);
  CHECK_THAT(message_of([&] { Transfer(world.known, world.structure()); }),
             Contains("device1 has the latencies of only") && Contains("at least 10"));
}

TEST_CASE("a runtime that removes dead branches is understood from networks of one function") {
  // Networks 2i and 2i + 1 compute the same; the odd ones have dead branches that cost on the known
  // devices and nothing on the new one.
  World world(400, 8, 0.01, 6);
  Structure structure = world.structure();
  std::vector<double> pruned = world.fresh;
  for (std::size_t i = 0; i < 400; i += 2) {
    structure.functions[i + 1] = structure.functions[i];
    world.costs[i + 1] = {world.costs[i][0] + 1, world.costs[i][1], world.costs[i][2]};
    pruned[i + 1] = pruned[i];
  }
  core::Stream stream(6, "test.devices");
  for (auto& latency : world.known.latency) latency = world.device(stream, 0.01);
  structure.features = world.costs;
  world.fresh = pruned;
  const Transfer knows(world.known, structure);
  structure.functions = world.known.archs;
  const Transfer blind(world.known, structure);
  const auto list = knows.suggest(10);
  const double with = rank_correlation(knows.predict(world.measure(list)), pruned);
  const double without = rank_correlation(blind.predict(world.measure(list)), pruned);
  INFO("with " << with << ", without " << without);
  CHECK(with > without + 0.05);
  CHECK(knows.predict(world.measure(list)).pruning > 0.9);
  world.fresh = world.device(stream, 0.01);
  CHECK(knows.predict(world.measure(list)).pruning < 0.1);
}

TEST_CASE("the step of a coarse clock is found") {
  const auto step = [](std::vector<double> readings) { return clock_resolution(readings); };
  CHECK(step({9, 14, 45, 22, 18}) == 1);
  CHECK(step({90, 140, 450, 220}) == 10);
  CHECK(step({0.9, 1.4, 4.5}) == Approx(0.1));
  CHECK(step({10.7544, 17.2553, 7.6585}) == 0);
  CHECK(step({200, 301, 254}) == 0);  // whole numbers, but a step of 0.4% is not coarse
  CHECK(step({}) == 0);
}

TEST_CASE("measurements that cannot be used are refused with the rule and the way out") {
  const World world(50, 4, 0.01, 7);
  const Transfer transfer(world.known);
  auto measured = world.measure({1, 2});
  CHECK_THAT(message_of([&] { transfer.predict(measured); }),
             Contains("measurements of 2 networks are too few") && Contains("at least 3"));
  measured.push_back(measured[0]);
  CHECK_THAT(message_of([&] { transfer.predict(measured); }), Contains("of 2 networks"));
  measured.push_back({"stranger", 5});
  CHECK_THAT(message_of([&] { transfer.predict(measured); }),
             Contains("the measured network stranger is not in the table") &&
                 Contains("mosaic predictor suggest"));
  measured.back() = {world.known.archs[3], 0};
  CHECK_THAT(message_of([&] { transfer.predict(measured); }),
             Contains("the measured latency of net3 is 0 ms, not a positive number"));
  CHECK_THAT(message_of([&] { transfer.suggest(0); }), Contains("cannot suggest 0 of 50"));
  CHECK_THAT(message_of([&] { transfer.suggest(51); }), Contains("at most 50"));
}

TEST_CASE("two known devices are enough, one is not") {
  World world(60, 2, 0.01, 8);
  const Transfer transfer(world.known);
  const auto result = transfer.predict(world.measure(transfer.suggest(6)));
  CHECK(rank_correlation(result, world.fresh) > 0.8);
  CHECK(result.checked.size() == 2);
  for (const auto& prediction : result.predictions) CHECK(prediction.deviation > 0);
  world.known.devices.pop_back();
  world.known.latency.pop_back();
  CHECK_THAT(message_of([&] { Transfer{world.known}; }),
             Contains("at least 2 known devices, not 1"));
}

TEST_CASE("tables of known devices are read with their patterns, and errors say where") {
  const CsvFile good("arch,ms_a,ms_b,std_a,ms_c\nx,1,2,0.1,3\ny,4,,0.1,6\n");
  const std::vector<std::string> drop{"std_*"};
  const auto known = read_known_devices(good.file.path(), {}, drop);
  CHECK(known.devices == std::vector<std::string>{"ms_a", "ms_b", "ms_c"});
  CHECK(known.archs == std::vector<std::string>{"x", "y"});
  CHECK(known.latency[2] == std::vector<double>{3, 6});
  CHECK(std::isnan(known.latency[1][1]));
  const std::vector<std::string> select{"ms_[ab]"};
  CHECK(read_known_devices(good.file.path(), select).devices.size() == 2);

  const std::vector<std::string> wrong{"gpu_*"};
  CHECK_THAT(message_of([&] { read_known_devices(good.file.path(), wrong); }),
             Contains("matches 'gpu_*'") && Contains("ms_a"));
  const std::vector<std::string> one{"ms_a"};
  CHECK_THAT(message_of([&] { read_known_devices(good.file.path(), one); }),
             Contains("gives 1 known device, but at least 2"));
  const CsvFile zero("arch,a,b\nx,1,2\ny,0,2\n");
  CHECK_THAT(message_of([&] { read_known_devices(zero.file.path()); }),
             Contains(":3: column 'a' is 0, but a latency is more than 0 ms"));
}

TEST_CASE("a network in several rows has the mean of each device's latencies") {
  const CsvFile file("arch,a,b\nx,1,2\ny,5,6\nx,3,\n x,nan,4\n");
  const auto trimmed = [](const std::string& arch) { return std::string(core::trim(arch)); };
  const auto known = read_known_devices(file.file.path(), {}, {}, trimmed);
  CHECK(known.archs == std::vector<std::string>{"x", "y"});
  CHECK(known.latency == std::vector<std::vector<double>>{{2, 5}, {3, 6}});
}

TEST_CASE("a column that counts the rows is taken for no device") {
  const CsvFile file(",arch,a,b\n0,v,1,2\n1,w,2,3\n2,x,1,4\n3,y,4,5\n4,z,2,4\n");
  CHECK(read_known_devices(file.file.path()).devices == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a network that the space cannot read is named with file and line") {
  const CsvFile file("arch,a,b\nx,1,2\nbad,1,2\n");
  const auto name = [](const std::string& arch) -> std::string {
    if (arch == "bad") throw core::UsageError("'bad' is no network", "write another");
    return arch;
  };
  CHECK_THAT(message_of([&] { read_known_devices(file.file.path(), {}, {}, name); }),
             Contains(":3: 'bad' is no network: write another"));
}

TEST_CASE("measurements are read with what mosaic measure writes beside them") {
  const CsvFile file(
      "arch,latency_ms,standard_error,note\nx,5.5,0.1,\"10%-90%: 5-6 ms\"\nfailed,,0,out of "
      "memory\ny,7,,\n");
  const auto measured = read_measured(file.file.path());
  REQUIRE(measured.size() == 2);
  CHECK(measured[0].arch == "x");
  CHECK(measured[0].latency_ms == 5.5);
  CHECK(measured[0].standard_error == 0.1);
  CHECK(measured[1].standard_error == 0);
  const CsvFile negative("arch,latency_ms\nx,-1\n");
  CHECK_THAT(message_of([&] { read_measured(negative.file.path()); }),
             Contains(":2: column 'latency_ms' is -1"));
}

TEST_CASE("structure comes from the space: equal functions, distinct features") {
  const auto space = spaces::Space::make("nasbench201", {}, {{"cells", "1"}});
  const std::vector<std::string> archs{
      "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
      "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
      "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"};  // 0 - 1 - 3
  const Structure structure = structure_of(space, archs);
  CHECK(structure.functions[0] == structure.functions[1]);  // the convolution is dead
  CHECK(structure.functions[0] != structure.functions[2]);
  CHECK(structure.features[0] != structure.features[1]);
  CHECK(structure.constant == std::vector<bool>{true, true, false});  // 2 is cut off from 0
  const std::vector<std::string> foreign{"stage1.width=2"};
  CHECK_THROWS_AS(structure_of(space, foreign), core::UsageError);
}

TEST_CASE("one NAS-Bench-201 device from ten measurements, its siblings unknown", "[slow]") {
  const auto path = data_file("nasbench201.csv.gz");
  const std::vector<std::string> select{"latency_ms_*"};
  const std::vector<std::string> drop{"latency_ms_essential_ph_1"};
  const auto all = read_known_devices(path, select);
  const auto known = read_known_devices(path, select, drop);
  const auto device = static_cast<std::size_t>(
      std::find(all.devices.begin(), all.devices.end(), drop[0]) - all.devices.begin());
  const auto space = spaces::Space::make("nasbench201", {}, {{"cells", "1"}});
  const Transfer transfer(known, structure_of(space, known.archs));
  std::vector<Measured> measured;
  for (const auto i : transfer.suggest(10))
    measured.push_back({known.archs[i], all.latency[device][i]});
  const auto result = transfer.predict(measured);
  CHECK(result.resolution == 1);
  CHECK(rank_correlation(result, all.latency[device]) > 0.91);  // 0.937: the clock's own limit
}
