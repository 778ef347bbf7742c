// Ten measurements to a new device's latencies, as docs/new-device.md goes through it.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/predictors/transfer.hpp"
#include "program.hpp"

using namespace mosaic::cli::test;
using namespace mosaic;
using Catch::Contains;
using nlohmann::json;

namespace {

/// 200 networks of NAS-Bench-201 on five devices whose latency grows with their convolutions and
/// with their depth, each device weighing them in its own way.
class Devices {
 public:
  Devices() : space_(spaces::Space::make("nasbench201")) {
    core::Stream stream(1, "test.devices");
    std::set<std::string> seen;
    while (genotypes_.size() < 200) {
      const auto genotype = space_.random(stream);
      if (seen.insert(space_.text(genotype)).second) genotypes_.push_back(genotype);
    }
  }
  std::string arch(std::size_t i) const { return space_.text(genotypes_[i]); }

  double latency(std::size_t i, double launch, double compute) const {
    const std::string text = arch(i);
    const auto count = [&](const std::string& op) {
      double n = 0;
      for (auto at = text.find(op); at != std::string::npos; at = text.find(op, at + 1)) ++n;
      return n;
    };
    return 2 + launch * (6 - count("none")) +
           compute * (count("nor_conv_1x1") + 4 * count("nor_conv_3x3")) +
           (launch + compute) * 0.3 * count("avg_pool");
  }

  std::string known() const {
    std::string text = "arch,gpu,big_gpu,cpu,phone,old_phone\n";
    for (std::size_t i = 0; i < genotypes_.size(); ++i) {
      text += arch(i);
      for (const auto& [launch, compute] :
           {std::pair{1.0, 0.05}, {0.8, 0.02}, {0.3, 0.6}, {0.2, 1.5}, {0.4, 4.0}})
        text += "," + core::format_double(latency(i, launch, compute));
      text += "\n";
    }
    return text;
  }

  std::size_t find(const std::string& name) const {
    for (std::size_t i = 0; i < genotypes_.size(); ++i)
      if (arch(i) == name) return i;
    FAIL("no network " << name);
    return 0;
  }

 private:
  spaces::Space space_;
  std::vector<spaces::Genotype> genotypes_;
};

constexpr double kLaunch = 0.6137;
constexpr double kCompute = 0.4171;

/// What measuring on the new device would give.
std::string measured(const Devices& devices, const std::string& list) {
  std::string text = "arch,latency_ms,standard_error,note,reference_ms\n";
  for (const auto& line : core::split(list, '\n'))
    if (!line.empty())
      text += line + "," +
              core::format_double(devices.latency(devices.find(line), kLaunch, kCompute)) +
              ",0.01,\"10%-90%: 1-2 ms\",40\n";
  return text;
}

}  // namespace

TEST_CASE("suggest, measure, transfer: latencies of a new device from ten measurements") {
  const Devices devices;
  const Folder folder("transfer");
  folder.write("known.csv", devices.known());
  const std::vector<std::string> common{"--space", "nasbench201", "--known", "known.csv"};
  const auto with = [&](std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };

  const auto list = folder.run(with({"predictor", "suggest"}, {"--count", "10"}));
  INFO(list.errors);
  REQUIRE(list.status == 0);
  const auto lines = core::split(list.output, '\n');
  REQUIRE(lines.size() == 11);  // and nothing after the last line break
  const auto as_json =
      folder.run(with({"predictor", "suggest"}, {"--count", "10", "--json", "--out", "list.txt"}));
  REQUIRE(json::parse(as_json.output) ==
          json(std::vector<std::string>(lines.begin(), lines.end() - 1)));
  REQUIRE(slurp(folder / "list.txt") == list.output);

  folder.write("ten.csv", measured(devices, list.output));
  const auto transfer = folder.run(
      with({"predictor", "transfer"}, {"--measured", "ten.csv", "--out", "predictions.csv"}));
  INFO(transfer.errors);
  REQUIRE(transfer.status == 0);
  REQUIRE_THAT(transfer.output, Contains("10 measured networks, 5 known devices") &&
                                    Contains("nearest known devices:") &&
                                    Contains("expected error") &&
                                    Contains("200 networks written to predictions.csv"));
  const auto table = core::read_csv((folder / "predictions.csv").string());
  REQUIRE(table.columns == std::vector<std::string>{"arch", "mean", "deviation"});
  REQUIRE(table.rows.size() == 200);
  for (std::size_t i = 0; i < 200; ++i) {
    REQUIRE(table.rows[i][0] == devices.arch(i));
    CHECK(table.number(i, 1) == Approx(devices.latency(i, kLaunch, kCompute)).epsilon(0.1));
    CHECK(table.number(i, 2) > 0);
  }

  SECTION("as JSON, and from the table alone") {
    const auto bare = folder.run({"predictor", "transfer", "--known", "known.csv", "--measured",
                                  "ten.csv", "--out", "bare.csv", "--json"});
    INFO(bare.errors);
    REQUIRE(bare.status == 0);
    const auto said = json::parse(bare.output);
    CHECK(said["measured"] == 10);
    CHECK(said["nearest"].size() == 5);
    CHECK(said["leave_one_out"].size() == 5);
    CHECK(said["expected"]["spearman"].get<double>() > 0.8);
    CHECK(said["resolution_ms"] == 0);
  }
  SECTION("devices are left out by pattern") {
    const auto fewer =
        folder.run(with({"predictor", "transfer"},
                        {"--measured", "ten.csv", "--out", "p.csv", "--drop", "*phone", "--json"}));
    REQUIRE(json::parse(fewer.output)["nearest"].size() == 3);
    const auto none = folder.run(with({"predictor", "suggest"}, {"--drop", "tablet*"}));
    CHECK(none.status == 2);
    CHECK_THAT(none.errors, Contains("no column of known.csv matches 'tablet*'"));
  }
  SECTION("a network that the table lacks speaks through its structure, or is an error") {
    const std::string stranger = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|";
    folder.write("more.csv", slurp(folder / "ten.csv") + stranger + ",4.9,0.01,,40\n");
    const auto used = folder.run(
        with({"predictor", "transfer"}, {"--measured", "more.csv", "--out", "p.csv", "--json"}));
    INFO(used.errors);
    REQUIRE(used.status == 0);
    CHECK(json::parse(used.output)["measured"] == 11);
    CHECK(core::read_csv((folder / "p.csv").string()).rows.size() == 200);
    const auto refused = folder.run({"predictor", "transfer", "--known", "known.csv", "--measured",
                                     "more.csv", "--out", "p.csv"});
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, Contains(stranger + " is not in the table") && Contains("--space"));
  }
  SECTION("wrong usage is explained") {
    folder.write("two.csv", "arch,latency_ms\n" + lines[0] + ",3\n" + lines[1] + ",4\n");
    const auto few =
        folder.run(with({"predictor", "transfer"}, {"--measured", "two.csv", "--out", "p.csv"}));
    CHECK(few.status == 1);
    CHECK_THAT(few.errors, Contains("measurements of 2 networks are too few"));
    folder.write("none.csv", "arch,latency_ms\n" + lines[0] + ",\n");
    const auto none =
        folder.run(with({"predictor", "transfer"}, {"--measured", "none.csv", "--out", "p.csv"}));
    CHECK_THAT(none.errors, Contains("none.csv has no row with a latency"));
    const auto space =
        folder.run({"predictor", "suggest", "--space", "resnet-elastic", "--known", "known.csv"});
    CHECK(space.status == 2);
    CHECK_THAT(space.errors, Contains("known.csv"));
    CHECK_FALSE(std::filesystem::exists(folder / "p.csv"));
  }
}

TEST_CASE("known tables say which columns are devices, and how far repeated networks differ") {
  const Devices devices;
  const Folder folder("transfer_tables");
  std::istringstream lines(devices.known());
  std::string line;
  std::string text;
  for (int i = -1; std::getline(lines, line); ++i)
    text += (i < 0 ? std::string() : std::to_string(i + 1)) + "," + line + "\n";
  folder.write("counted.csv", text);
  const std::string repeated = devices.known() + devices.arch(0) + ",100,,,,\n";
  folder.write("repeated.csv", repeated);
  const auto suggest = [&](const std::string& table, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"predictor", "suggest", "--known", table, "--count", "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return folder.run(arguments);
  };
  const Outcome counted = suggest("counted.csv");
  INFO(counted.errors);
  REQUIRE(counted.status == 0);
  CHECK_THAT(counted.errors,
             Contains("counted.csv: column '' counts the rows, and is taken for no device") &&
                 Contains("5 columns of counted.csv taken as devices: gpu, big_gpu, cpu, phone, "
                          "old_phone"));
  folder.write("known.csv", devices.known());
  CHECK(counted.output == suggest("known.csv").output);

  for (const auto& space : {std::vector<std::string>{}, {"--space", "nasbench201"}}) {
    const Outcome twice = suggest("repeated.csv", space);
    INFO(twice.errors);
    CHECK(twice.status == 0);
    CHECK_THAT(twice.errors,
               Contains("warning: repeated.csv: 1 network in several rows (2): their means are "
                        "taken; they differ by up to ") &&
                   Contains("% (gpu of " + devices.arch(0) + ": ") &&
                   Contains(" in line 2, 100 in line 202)"));
  }
  folder.write("broken.csv", devices.known() + "nonsense,1,2,3,4,5\n");
  CHECK_THAT(suggest("broken.csv", {"--space", "nasbench201"}).errors,
             Contains("broken.csv:202: "));
}

TEST_CASE("measurements that no known device has are enough for predictions, not for their error") {
  const Devices devices;
  const Folder folder("transfer_strangers");
  std::string known = "arch,gpu,cpu,phone\n";
  std::string measured = "arch,latency_ms\n";
  for (std::size_t i = 0; i < 200; ++i) {
    const auto ms = [&](double launch, double compute) {
      return "," + core::format_double(devices.latency(i, launch, compute));
    };
    if (i < 190)
      known += devices.arch(i) + ms(1, 0.05) + ms(0.3, 0.6) + ms(0.2, 1.5) + "\n";
    else
      measured += devices.arch(i) + ms(0.6, 0.4) + "\n";
  }
  folder.write("known.csv", known);
  folder.write("ten.csv", measured);
  std::vector<std::string> arguments{"predictor", "transfer",   "--space", "nasbench201", "--known",
                                     "known.csv", "--measured", "ten.csv", "--out",       "p.csv"};
  const Outcome text = folder.run(arguments);
  INFO(text.errors);
  CHECK(text.status == 0);
  CHECK_THAT(text.output, Contains("the error to expect is not known: no known device has 3 of the "
                                   "measured networks"));
  arguments.back() = "caf\xE9.csv";
  arguments.emplace_back("--json");
  const Outcome as_json = folder.run(arguments);
  INFO(as_json.errors);
  REQUIRE(as_json.status == 0);
  CHECK(json::parse(as_json.output)["expected"].is_null());
  CHECK(std::filesystem::exists(folder / "caf\xE9.csv"));
}

TEST_CASE("networks of a list are measured on this machine, and a broken run goes on") {
  const Devices devices;
  const Folder folder("measure_list");
  folder.write("job.toml", R"([job]
name = "device"
threads = 1

[space]
name = "nasbench201"
cells = 1
channels = 4

[[objective]]
metric = "latency_ms"
repeats = 5
warmup = 1
reference_every = 2
)");
  std::string list;
  for (std::size_t i = 0; i < 5; ++i) list += devices.arch(i) + "\n";
  folder.write("list.txt", list);
  const auto measure = folder.run({"measure", "job.toml", "--archs", "list.txt", "--out", "t.csv"});
  INFO(measure.errors);
  REQUIRE(measure.status == 0);
  const auto table = core::read_csv((folder / "t.csv").string());
  REQUIRE(table.columns ==
          std::vector<std::string>{"arch", "latency_ms", "standard_error", "note", "reference_ms"});
  REQUIRE(table.rows.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(table.rows[i][0] == devices.arch(i));
    CHECK(table.number(i, 1) > 0);
    CHECK(table.number(i, 4) > 0);
  }
  REQUIRE(predictors::read_measured((folder / "t.csv").string()).size() == 5);

  // Measurements are not written over.
  const auto twice = folder.run({"measure", "job.toml", "--archs", "list.txt", "--out", "t.csv"});
  CHECK(twice.status == 2);
  CHECK_THAT(twice.errors, Contains("t.csv is there already, and may hold measurements") &&
                               Contains("add --resume to keep its rows"));
  CHECK(core::read_csv((folder / "t.csv").string()).rows.size() == 5);

  // Two rows, and a third that was cut off in the middle.
  const std::string whole = slurp(folder / "t.csv");
  std::size_t end = 0;
  for (int i = 0; i < 3; ++i) end = whole.find('\n', end) + 1;
  folder.write("t.csv", whole.substr(0, end + 20));
  const auto resumed =
      folder.run({"measure", "job.toml", "--archs", "list.txt", "--out", "t.csv", "--resume"});
  INFO(resumed.errors);
  REQUIRE(resumed.status == 0);
  CHECK_THAT(resumed.errors, Contains("2 of 5 networks are in t.csv"));
  const std::string after = slurp(folder / "t.csv");
  CHECK(after.substr(0, end) == whole.substr(0, end));
  const auto again = core::read_csv((folder / "t.csv").string());
  REQUIRE(again.rows.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(again.rows[i][0] == devices.arch(i));

  folder.write("t.csv", "arch,accuracy\nx,1\n");
  const auto foreign =
      folder.run({"measure", "job.toml", "--archs", "list.txt", "--out", "t.csv", "--resume"});
  CHECK(foreign.status == 2);
  CHECK_THAT(foreign.errors, Contains("has the columns arch, accuracy, not arch, latency_ms"));
  CHECK(slurp(folder / "t.csv") == "arch,accuracy\nx,1\n");
}
