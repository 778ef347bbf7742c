#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

std::map<std::string, double> named(const FeatureExtractor& extractor,
                                    const spaces::Genotype& genotype) {
  std::map<std::string, double> result;
  const Features features = extractor(genotype);
  REQUIRE(features.size() == extractor.names().size());
  for (std::size_t i = 0; i < features.size(); ++i) result[extractor.names()[i]] = features[i];
  return result;
}

}  // namespace

TEST_CASE("features have distinct names and are finite in every registered space") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const auto space = spaces::Space::make(name);
    const FeatureExtractor extractor(space);
    const auto& names = extractor.names();
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    core::Stream stream(1, "test");
    for (int i = 0; i < 5; ++i) {
      const Features features = extractor(space.random(stream));
      REQUIRE(features.size() == names.size());
      for (const double value : features) CHECK((std::isfinite(value) && value >= 0));
    }
  }
}

TEST_CASE("features agree with the graph's own counts") {
  const auto space = spaces::Space::make("resnet-elastic");
  const FeatureExtractor extractor(space);
  core::Stream stream(2, "test");
  for (int i = 0; i < 5; ++i) {
    const auto genotype = space.random(stream);
    const auto graph = space.bind(genotype);
    const auto features = named(extractor, genotype);
    CHECK(features.at("params") == spaces::count_parameters(graph));
    CHECK(features.at("flops") == spaces::count_flops(graph));
    CHECK(features.at("activation_bytes") == spaces::activation_bytes(graph));

    double flops = 0;
    std::map<std::string, double> nodes;
    for (const auto& [name, value] : features)
      if (name.size() > 6 && name.ends_with(".flops")) flops += value;
    for (const auto& node : graph.nodes) nodes[node.op + ".nodes"] += 1;
    CHECK(flops == Approx(features.at("flops")));
    for (const auto& [name, count] : nodes)
      if (name != "input.nodes") CHECK(features.at(name) == count);
  }
}

TEST_CASE("a 1 x 1 convolution on every edge of a NAS-Bench-201 cell is counted by hand") {
  const auto space = spaces::Space::make("nasbench201");
  const FeatureExtractor extractor(space);
  const std::string text =
      "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_"
      "1x1~2|";
  const auto features = named(extractor, space.parse(text));
  // Fifteen cells of six edges, the stem, and three convolutions in each of two reductions.
  CHECK(features.at("conv2d.nodes") == 15 * 6 + 1 + 2 * 3);
  CHECK(features.at("linear.nodes") == 1);
  CHECK(features.at("linear.flops") == 64 * 10);
  CHECK(features.at("linear.output_bytes") == 4 * 10);
}

TEST_CASE("networks that differ only in the order of their layers have different features") {
  const auto space = spaces::Space::make("nasbench201");
  const FeatureExtractor extractor(space);
  const auto a =
      space.parse("|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|");
  const auto b =
      space.parse("|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|");
  CHECK(extractor(a) != extractor(b));
  CHECK(named(extractor, a).at("params") == named(extractor, b).at("params"));
}

TEST_CASE("ridge predicts measured NAS-Bench-201 latencies from 300 networks") {
  const auto path = data_file("nasbench201.csv.gz");
  const core::CsvTable table = core::read_csv(path);
  const auto space = spaces::Space::make("nasbench201");
  const FeatureExtractor extractor(space);
  std::vector<std::size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  core::Stream(1, "test").shuffle(order);
  const auto arch = table.column("arch");
  const auto latency = table.column("latency_ms_1080ti_1");
  Records records;
  for (std::size_t i = 0; i < 1300; ++i) {
    records.rows.push_back(extractor(space.parse(table.rows[order[i]][arch])));
    records.targets.push_back(table.number(order[i], latency));
  }
  const Scores scores = held_out_scores("ridge", records, 300, 1000);
  INFO("MAPE " << scores.mape << "%, tau " << scores.kendall << ", coverage " << scores.coverage);
  CHECK(scores.mape < 3);
  CHECK(scores.kendall > 0.88);
  CHECK(scores.coverage == Approx(0.9).margin(0.05));
}
