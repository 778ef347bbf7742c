// The spaces of Once-for-All against what its authors publish of their networks.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "mosaic/spaces/space.hpp"

using namespace mosaic::spaces;

namespace {

using Blocks = std::vector<std::pair<int, int>>;  ///< kernel and expansion of each

std::string mobilenet(const std::vector<Blocks>& stages) {
  std::string text;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string stage = "stage" + std::to_string(i + 1) + ".";
    text += "," + stage + "depth=" + std::to_string(stages[i].size());
    for (std::size_t block = 0; block < stages[i].size(); ++block) {
      const auto [kernel, expansion] = stages[i][block];
      const std::string name = "," + stage + std::to_string(block) + ".";
      text += name + "kernel=" + std::to_string(kernel);
      text += name + "expansion=" + std::to_string(expansion);
    }
  }
  return text.substr(1);
}

/// ResNet-50-D of full width with so many blocks in each stage.
std::string resnet(const std::vector<int>& depths, int expansion_percent) {
  std::string text = "stem.inner_width=32,stem.width=64,stem.middle=1";
  for (int i = 0; i < 4; ++i) {
    const std::string stage = ",stage" + std::to_string(i + 1) + ".";
    const int depth = depths[static_cast<std::size_t>(i)];
    text += stage + "depth=" + std::to_string(depth);
    text += stage + "width=" + std::to_string(256 << i);
    for (int block = 0; block < depth; ++block)
      text +=
          stage + std::to_string(block) + ".expansion_percent=" + std::to_string(expansion_percent);
  }
  return text;
}

Space imagenet(const std::string& name, std::int64_t side,
               std::map<std::string, std::string> options = {}) {
  options["size"] = "imagenet";
  return Space::make(name, image_task({3, side, side}, 1000), options);
}

const GraphNode& node_of(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const auto& node) { return node.name == name; });
}

std::int64_t side_of(const Graph& graph, const std::string& name) {
  return node_of(graph, name).shape[1].value();
}

}  // namespace

// Names, parameters and multiply-accumulates: the table of specialised networks in the readme of
// github.com/mit-han-lab/once-for-all. Architectures: its net.config (the first one), and its copy
// in github.com/open-mmlab/mmrazor (the second one). To the last digit the counts are those of a
// few lines of Python over the layers of the authors' code.
TEST_CASE("networks that Once-for-All's authors found have the published parameters and FLOPs") {
  SECTION("flops@595M_top1@80.0_finetune@75: 9.1M parameters, 595M, width 1.2 at 236 pixels") {
    const Space space = imagenet("mobilenetv3", 236, {{"width_percent", "120"}});
    const Graph graph = space.bind(space.parse(mobilenet({{{3, 3}, {5, 4}, {3, 3}},
                                                          {{5, 4}, {5, 4}, {3, 6}, {5, 3}},
                                                          {{7, 6}, {5, 6}, {3, 3}, {5, 4}},
                                                          {{3, 6}, {5, 6}, {7, 6}, {3, 4}},
                                                          {{3, 6}, {3, 6}, {5, 6}, {3, 3}}})));
    CHECK(std::round(count_parameters(graph) / 1e5) == 91);
    CHECK(std::round(count_flops(graph) / 1e6) == 595);
    CHECK(count_parameters(graph) == 9135928);
    CHECK(count_flops(graph) == 595189032);
  }
  SECTION("note8_lat@31ms_top1@72.8_finetune@25: 4.6M parameters, 101M, width 1.0 at 152 pixels") {
    const Space space = imagenet("mobilenetv3", 152);
    const Graph graph = space.bind(space.parse(mobilenet({{{5, 3}, {3, 3}},
                                                          {{5, 4}, {5, 3}},
                                                          {{3, 4}, {3, 4}, {5, 4}},
                                                          {{3, 4}, {5, 3}, {7, 4}},
                                                          {{3, 6}, {3, 3}, {5, 3}, {5, 3}}})));
    CHECK(std::round(count_parameters(graph) / 1e5) == 46);
    CHECK(std::round(count_flops(graph) / 1e6) == 101);
    CHECK(count_parameters(graph) == 4595536);
    CHECK(count_flops(graph) == 100520248);
  }
}

// He et al. 2019, "Bag of Tricks for Image Classification", table 5: 25M parameters and 4.3 GFLOPs;
// timm's resnet50d has 25.58M parameters.
TEST_CASE("the space resnet50 holds ResNet-50-D") {
  const Space space = imagenet("resnet50", 224);
  const Graph graph = space.bind(space.parse(resnet({3, 4, 6, 3}, 25)));
  CHECK(std::round(count_parameters(graph) / 1e4) == 2558);
  CHECK(std::round(count_flops(graph) / 1e8) == 43);
  CHECK(count_parameters(graph) == 25576264);
  CHECK(count_flops(graph) == 4328824832);
}

// Counted from the layers of the authors' code by a few lines of Python.
TEST_CASE(
    "the largest and smallest networks of Once-for-All's spaces have the counts of its code") {
  const Space mobile = imagenet("mobilenetv3", 224);
  const Graph largest = mobile.bind(mobile.largest());
  CHECK(count_parameters(largest) == 7664760);
  CHECK(count_flops(largest) == 566170656);
  const Space wide = imagenet("mobilenetv3", 224, {{"width_percent", "120"}});
  CHECK(count_parameters(wide.bind(wide.largest())) == 10701632);
  CHECK(count_flops(wide.bind(wide.largest())) == 843101040);

  const Space residual = imagenet("resnet50", 224);
  CHECK(residual.largest() == residual.parse(resnet({4, 4, 6, 4}, 35)));
  CHECK(count_parameters(residual.bind(residual.largest())) == 48105992);
  CHECK(count_flops(residual.bind(residual.largest())) == 7491643904);
  CHECK(count_parameters(residual.bind(residual.smallest())) == 6539280);
  CHECK(count_flops(residual.bind(residual.smallest())) == 962192128);
  const Space coarse = imagenet("resnet50", 128);
  CHECK(count_flops(coarse.bind(coarse.smallest())) == 315079552);
}

TEST_CASE("the space mobilenetv3 has the 2 10^19 networks of Cai et al. 2020") {
  const auto size = Space::make("mobilenetv3").size();
  CHECK(size.exact);
  CHECK(size.architectures == Approx(std::pow(81 + 729 + 6561, 5)));
}

TEST_CASE("a narrow depthwise convolution is the leading channels and the centre of the widest") {
  const Space space = Space::make("mobilenetv3");
  const Graph graph = space.bind(space.parse("stage1.1.kernel=3,stage1.1.expansion=4"));
  const GraphNode& node = node_of(graph, "stage1.1.depthwise");
  CHECK(node.attribute("groups") == 96);
  const WeightRef& weight = node.weights.at(0);
  CHECK(weight.full == std::vector<std::int64_t>{144, 1, 7, 7});
  CHECK(weight.active == std::vector<std::int64_t>{96, 1, 3, 3});
  CHECK(weight.crops ==
        std::vector<Crop>{Crop::leading, Crop::leading, Crop::centred, Crop::centred});
}

TEST_CASE("small images are halved three times, large ones five times") {
  for (const std::string name : {"mobilenetv3", "resnet50"}) {
    CAPTURE(name);
    const std::string last = name == "resnet50" ? "stage4.1.conv3" : "last.conv";
    for (const std::int64_t side : {28, 32}) {
      const Space space = Space::make(name, image_task({1, side, side}, 10));
      CHECK(side_of(space.bind(space.smallest()), last) == 4);
    }
    for (const std::int64_t side : {176, 192}) {  // an odd number of pixels on the way
      const Space space = imagenet(name, side);
      CHECK(side_of(space.bind(space.smallest()), last) == 6);
    }
  }
}
