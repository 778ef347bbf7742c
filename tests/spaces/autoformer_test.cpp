// The space vit against what AutoFormer's authors publish of their networks.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "mosaic/spaces/space.hpp"

using namespace mosaic::spaces;

namespace {

Space imagenet(const std::string& size, std::map<std::string, std::string> options = {}) {
  options["size"] = size;
  return Space::make("vit", image_task({3, 224, 224}, 1000), options);
}

Graph network(const Space& space, int width, const std::vector<int>& heads,
              const std::vector<int>& mlp_percent) {
  std::string text = "width=" + std::to_string(width) + ",depth=" + std::to_string(heads.size());
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const std::string layer = ",layer" + std::to_string(i) + ".";
    text += layer + "heads=" + std::to_string(heads[i]);
    text += layer + "mlp_percent=" + std::to_string(mlp_percent[i]);
  }
  return space.bind(space.parse(text));
}

std::size_t count(const Graph& graph, const std::string& op) {
  return static_cast<std::size_t>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(),
                    [&](const GraphNode& node) { return node.op == op; }));
}

}  // namespace

// Architectures: experiments/subnet/AutoFormer-S.yaml and -B.yaml of github.com/microsoft/Cream;
// parameters: Chen et al. 2021, table 3 (22.9M and 53.7M). To the last digit the counts are those
// of a few lines of Python over the layers of the authors' code. The published T has ratios that
// its space lacks.
TEST_CASE("networks that AutoFormer's authors found have the published parameters") {
  SECTION("AutoFormer-S") {
    const Graph graph =
        network(imagenet("autoformer-small"), 384, {6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7},
                {300, 350, 300, 350, 400, 400, 400, 400, 400, 400, 400, 350, 400});
    CHECK(std::round(count_parameters(graph) / 1e5) == 229);
    CHECK(count_parameters(graph) == 22891432);
    CHECK(count_flops(graph) == 4830970368);
  }
  SECTION("AutoFormer-B") {
    const Graph graph =
        network(imagenet("autoformer-base"), 576, {9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10},
                {350, 350, 400, 350, 400, 350, 350, 300, 400, 400, 300, 400, 300, 350});
    CHECK(std::round(count_parameters(graph) / 1e5) == 537);
    CHECK(count_parameters(graph) == 53691688);
    CHECK(count_flops(graph) == 11140461568);
  }
}

TEST_CASE("AutoFormer's sizes have a class token and relative positions, unless told otherwise") {
  const auto smallest = [](const Space& space) { return space.bind(space.smallest()); };
  const Graph tiny = smallest(imagenet("autoformer-tiny"));
  CHECK(count(tiny, "relative_attention") == 12);
  CHECK(count(tiny, "attention") == 0);
  CHECK(count(tiny, "prepend_token") == 1);
  const auto heads = std::find_if(tiny.nodes.begin(), tiny.nodes.end(), [](const auto& node) {
    return node.name == "layer3.attention.heads";
  });
  REQUIRE(heads != tiny.nodes.end());
  CHECK(heads->shape == std::vector<Dim>{{197, {}}, {192, {}}});
  REQUIRE(heads->weights.size() == 4);
  for (const auto& table : heads->weights)
    CHECK(table.active == std::vector<std::int64_t>{2 * 14 + 2, 64});

  const Graph plain =
      smallest(imagenet("autoformer-tiny", {{"relative_positions", "0"}, {"class_token", "0"}}));
  CHECK(count(plain, "attention") == 12);
  CHECK(count_parameters(tiny) - count_parameters(plain) == 12 * 4 * 30 * 64 + 2 * 192);

  const auto photo = image_task({3, 32, 48}, 10);
  const Graph small = smallest(Space::make("vit", photo));
  CHECK(count(small, "attention") == 4);
  CHECK(count(small, "prepend_token") == 0);
  const Graph asked = smallest(Space::make("vit", photo, {{"relative_positions", "7"}}));
  CHECK(count(asked, "relative_attention") == 4);
  CHECK(count_parameters(asked) - count_parameters(small) == 4 * 4 * 15 * 32);
}
