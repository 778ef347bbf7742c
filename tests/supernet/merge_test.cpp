// Bottlenecks of an extracted network: the linear maps around them as one.
#include "mosaic/spaces/merge.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <set>

#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/networks/supernet.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

spaces::Space bottlenecks() {
  return spaces::Space::make("bert", spaces::text_task(50, 3, 6),
                             {{"layers", "4"}, {"bottleneck", "1"}});
}

}  // namespace

TEST_CASE("maps around bottlenecks are merged, and the network computes what it computed") {
  const auto space = bottlenecks();
  const Supernet net(space, {.kind = "layer-wise", .copies = 2, .hidden = 16}, 7);
  core::Stream stream(2, "networks");
  for (int i = 0; i < 4; ++i) {
    const auto genotype = i == 0 ? space.smallest() : space.random(stream);
    INFO(space.text(genotype));
    const Subnet whole = net.extract(genotype, {});
    const auto [small, pairs] = merged(whole);
    CHECK(pairs == 3);  // of four layers
    const auto inputs = random_inputs(whole.graph(), "forward", 5, 3, "cpu", space.symbols());
    const at::Tensor expected = whole.forward(inputs), found = small.forward(inputs);
    CHECK((found - expected).abs().max().item<double>() <=
          1e-5 * expected.abs().max().item<double>());
    double entries = 0;
    std::set<std::string> names;
    for (const auto& [slot, weight] : small.weights())
      entries += static_cast<double>(weight.numel());
    for (const auto& node : small.graph().nodes) CHECK(names.insert(node.name).second);
    CHECK(entries == spaces::count_parameters(spaces::merged(space.bind(genotype))));
    // Two maps of h x 256 and their biases become one of h x h'.
    double saved = 0;
    const auto hidden = [&](int layer) {
      for (std::size_t gene = 0; gene < space.genes().size(); ++gene)
        if (space.genes()[gene].name == "layer" + std::to_string(layer) + ".hidden")
          return static_cast<double>(
              space.genes()[gene].values[static_cast<std::size_t>(genotype[gene])]);
      throw std::logic_error("no such layer");
    };
    for (int layer = 0; layer < 3; ++layer)
      saved += 256 * (hidden(layer) + hidden(layer + 1)) + 256 - hidden(layer) * hidden(layer + 1);
    CHECK(spaces::count_parameters(whole.graph()) - entries == saved);
  }
}

TEST_CASE("what others read, or what would grow, is not merged") {
  spaces::SpaceBuilder b({}, {});
  const auto x = b.input("x", {8});
  const auto narrow = b.linear("narrow", x, {.out = 2});
  const auto wide = b.linear("wide", narrow, {.out = 16});  // 128 entries as one, 48 as two
  const auto both = b.linear("both", wide, {.out = 4});
  const auto again = b.linear("again", wide, {.out = 4});  // wide has two readers
  b.entry("forward", {x}, {b.add("sum", {both, again})});
  const auto graph = spaces::bind(b.finish(), {});
  std::vector<spaces::Merge> merges;
  CHECK(spaces::merged(graph, &merges).nodes.size() == graph.nodes.size());
  CHECK(merges.empty());
}

TEST_CASE("no other space has maps to merge") {
  for (const std::string name : {"gpt", "vit", "resnet-elastic", "hat-translation"}) {
    const auto space = spaces::Space::make(name);
    const auto graph = space.bind(space.largest());
    CHECK(spaces::merged(graph).nodes.size() == graph.nodes.size());
  }
}
