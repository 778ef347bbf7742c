#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/space.hpp"

using namespace mosaic;
using namespace mosaic::spaces;

namespace {

/// Parameters of a convolution (no bias) with its batch norm.
double conv_bn(double in, double out, double kernel) {
  return in * out * kernel * kernel + 2 * out;
}

}  // namespace

TEST_CASE("ResNet20 with constant resolution rules has the hand-computed parameters and FLOPs") {
  // Poolings before layers 4 and 7 give the classic resolutions 32, 16, 8 of the three widths.
  const Space space = Space::make("resnet-pooling");
  const Graph graph = space.bind(space.parse("4-3-3"));
  double params = conv_bn(3, 16, 3) + 6 * conv_bn(16, 16, 3);
  params += conv_bn(16, 32, 3) + 5 * conv_bn(32, 32, 3) + conv_bn(16, 32, 1);
  params += conv_bn(32, 64, 3) + 5 * conv_bn(64, 64, 3) + conv_bn(32, 64, 1);
  params += 64 * 10 + 10;
  REQUIRE(count_parameters(graph) == params);
  REQUIRE(params == 272474);  // the ResNet20 with projection shortcuts of the literature

  const double full = 32 * 32;
  double flops = full * 9 * (3 * 16 + 6 * 16 * 16);
  flops += full / 4 * (9 * (16 * 32 + 5 * 32 * 32) + 16 * 32);
  flops += full / 16 * (9 * (32 * 64 + 5 * 64 * 64) + 32 * 64);
  flops += 64 * 10;
  REQUIRE(count_flops(graph) == flops);
}

TEST_CASE("a placement that pools late costs the hand-computed FLOPs") {
  const Space space = Space::make("resnet-pooling");
  const Graph graph = space.bind(space.parse("8-1-1"));
  const double full = 32 * 32;
  double flops = full * 9 * (3 * 16 + 6 * 16 * 16);
  flops += full * (9 * (16 * 32 + 5 * 32 * 32) + 16 * 32);
  flops += full * (9 * (32 * 64 + 64 * 64) + 32 * 64);  // layer 7 at full resolution
  flops += full / 4 * 9 * 2 * 64 * 64 + full / 16 * 9 * 2 * 64 * 64;
  flops += 64 * 10;
  REQUIRE(count_flops(graph) == flops);
}

TEST_CASE("three NAS-Bench-201 cells have hand-computed parameters and FLOPs") {
  const Space space = Space::make("nasbench201");
  struct Expected {
    std::string cell;
    double ones;    // 1x1 convolutions of a cell
    double threes;  // 3x3 convolutions of a cell
  };
  const std::vector<Expected> cells = {
      {"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_"
       "3x3~2|",
       0, 6},
      {"|nor_conv_1x1~0|+|skip_connect~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|", 2,
       1},
      // Node 1 gets nothing, so the convolution from it is dead.
      {"|none~0|+|skip_connect~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|", 0, 1}};
  for (const auto& [cell, ones, threes] : cells) {
    INFO(cell);
    double params = conv_bn(3, 16, 3) + 2 * 64 + 64 * 10 + 10;
    double flops = 1024.0 * 9 * 3 * 16 + 64 * 10;
    for (int stage = 0; stage < 3; ++stage) {
      const double c = 16 << stage;
      const double pixels = 1024.0 / std::pow(4, stage);
      params += 5 * (ones * conv_bn(c, c, 1) + threes * conv_bn(c, c, 3));
      flops += 5 * pixels * c * c * (ones + 9 * threes);
      if (stage > 0) {
        params += conv_bn(c / 2, c, 3) + conv_bn(c, c, 3) + c / 2 * c;
        flops += pixels * (9 * (c / 2 * c + c * c) + c / 2 * c);
      }
    }
    const Graph graph = space.bind(space.parse(cell));
    REQUIRE(count_parameters(graph) == params);
    REQUIRE(count_flops(graph) == flops);
    REQUIRE(space.text(space.parse(cell)) == cell);
  }
}

TEST_CASE("the 15,625 cells of NAS-Bench-201 are 9,445 functions") {
  const Space space = Space::make("nasbench201", {}, {{"cells", "1"}});
  const auto all = space.enumerate();
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 15625);
  std::set<std::string> functions;
  for (const auto& genotype : *all) functions.insert(function_hash(space.bind(genotype)));
  REQUIRE(functions.size() == 9445);
}

TEST_CASE("the pooling space has C(L-1, p) placements") {
  REQUIRE(Space::make("resnet-pooling").size().architectures == 36);
  REQUIRE(Space::make("resnet-pooling", {}, {{"layers", "12"}, {"poolings", "3"}})
              .size()
              .architectures == 165);
  REQUIRE(Space::make("resnet-pooling", {}, {{"poolings", "0"}}).genes().empty());
  REQUIRE_THROWS_WITH(Space::make("resnet-pooling", {}, {{"layers", "2"}, {"poolings", "2"}}),
                      Catch::Contains("give at most layers - 1 = 1"));
}

TEST_CASE("the elastic space counts some 10^8 networks, and its idle genes are reset") {
  const Space space = Space::make("resnet-elastic");
  const auto size = space.size();
  REQUIRE(size.exact);
  REQUIRE(size.architectures == 774.0 * 774.0 * 774.0);  // (3 (6 + 36 + 216))^3

  core::Stream stream(7, "test");
  for (int i = 0; i < 50; ++i) {
    const Genotype genotype = space.random(stream);
    const auto active = space.active_genes(genotype);
    for (std::size_t g = 0; g < genotype.size(); ++g)
      if (!active[g]) REQUIRE(genotype[g] == 0);
  }
  const Genotype shallow = space.parse("stage1.depth=1,stage1.2.kernel=5");
  REQUIRE(shallow == space.parse("stage1.depth=1"));
}

TEST_CASE("small space: exact size by enumeration agrees with counting by hand") {
  const Space space = Space::make("resnet-elastic", {}, {{"blocks", "1"}});
  REQUIRE(space.size().exact);
  REQUIRE(space.size().architectures == 18.0 * 18.0 * 18.0);
}

TEST_CASE("smallest and largest bound the FLOPs of a space") {
  const Space space = Space::make("resnet-elastic", spaces::image_task({1, 28, 28}, 10));
  const double low = count_flops(space.bind(space.smallest()));
  const double high = count_flops(space.bind(space.largest()));
  core::Stream stream(3, "bounds");
  for (int i = 0; i < 100; ++i) {
    const double flops = count_flops(space.bind(space.random(stream)));
    REQUIRE(flops >= low);
    REQUIRE(flops <= high);
  }
}

TEST_CASE("unknown spaces, options and architectures say what to do") {
  REQUIRE_THROWS_WITH(Space::make("resnet-elastc"),
                      Catch::Contains("did you mean 'resnet-elastic'?"));
  REQUIRE_THROWS_WITH(Space::make("resnet-elastic", {}, {{"widht", "8"}}),
                      Catch::Contains("did you mean 'width'?"));
  REQUIRE_THROWS_WITH(Space::make("nasbench201", {}, {{"cells", "many"}}),
                      Catch::Contains("give an integer from 1 to 32 (default 5)"));
  const Space space = Space::make("resnet-elastic");
  REQUIRE_THROWS_WITH(space.parse("stage1.depht=2"),
                      Catch::Contains("did you mean 'stage1.depth'?"));
  REQUIRE_THROWS_WITH(space.parse("stage1.depth=7"), Catch::Contains("options: 1, 2, 3"));
  REQUIRE_THROWS_WITH(space.parse("stage1.depth=1,stage1.depth=2"), Catch::Contains("twice"));
  REQUIRE_THROWS_WITH(space.canonical({1, 2}), Catch::Contains("has 24 genes, not 2"));
  const Space cells = Space::make("nasbench201");
  REQUIRE_THROWS_WITH(cells.parse("|nor_conv_7x7~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
                      Catch::Contains("cannot read 'nor_conv_7x7~0'"));
}

TEST_CASE("two networks that differ only in the order of their layers have different encodings") {
  const Space space = Space::make("resnet-elastic");
  const Encoding encoding(space.graph());
  const auto first = encoding(space.parse("stage1.depth=2,stage1.0.kernel=5,stage1.1.kernel=3"));
  const auto second = encoding(space.parse("stage1.depth=2,stage1.0.kernel=3,stage1.1.kernel=5"));
  REQUIRE(first != second);
  for (const float value : first) {
    REQUIRE(value >= 0);
    REQUIRE(value <= 1);
  }
}

TEST_CASE("a space tells its options, each once, with defaults and what they may be") {
  const auto told = [](const std::string& name, const std::string& size) {
    std::map<std::string, std::string> options;
    if (!size.empty()) options["size"] = size;
    std::map<std::string, std::string> result;
    const auto space = Space::make(name, {}, options);
    for (const auto& option : space.known_options())
      CHECK(result.emplace(option.key, option.standard + " of " + option.allowed).second);
    return result;
  };
  CHECK(told("resnet-pooling", "").at("layers") == "10 of 2 to 64");
  CHECK(told("nasbench201", "").size() == 2);
  const auto bert = told("bert", "base");
  CHECK(bert.at("size") == "mini of mini, base");
  CHECK(bert.at("layers") == "12 of 6 to 12");
  CHECK(bert.at("norm") == "pre of pre, post");
}
