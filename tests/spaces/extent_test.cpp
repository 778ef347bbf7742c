#include <catch2/catch.hpp>

#include "mosaic/spaces/builder.hpp"
#include "mosaic/spaces/extent.hpp"
#include "mosaic/spaces/graph.hpp"
#include "mosaic/spaces/space.hpp"

using namespace mosaic::spaces;

TEST_CASE("extents compute element-wise over the union of their genes") {
  const Extent width = Extent::table(0, {8, 12, 16});
  const Extent ratio = Extent::table(2, {50, 100});
  const Extent inner = width * ratio / 100;
  REQUIRE(inner.genes() == std::vector<int>{0, 2});
  REQUIRE(inner.at({1, 9, 0}) == 6);
  REQUIRE(inner.at({2, 9, 1}) == 16);
  REQUIRE(inner.min() == 4);
  REQUIRE((width > Extent(8)).at({0}) == 0);
  REQUIRE((width > Extent(8)).at({1}) == 1);
  REQUIRE(choose(width == Extent(12), ratio, Extent(7)).at({1, 0, 0}) == 50);
  REQUIRE_FALSE((width - width).depends_on_genes());
}

TEST_CASE("symbols multiply, cancel, and refuse to be mixed") {
  const Extent length = Extent::symbol("source_length");
  const Extent flat = length * Extent(4);
  REQUIRE(flat.symbols() == std::vector<std::string>{"source_length"});
  REQUIRE((flat / length).symbols().empty());
  REQUIRE((flat + length).at({}) == 5);
  REQUIRE_THROWS_WITH(length + Extent(1), Catch::Contains("different symbols"));
  REQUIRE_THROWS_WITH(Extent(4) / length, Catch::Contains("a symbol that it does not contain"));
}

TEST_CASE("a joint table that would grow too large is refused") {
  Extent product(1);
  REQUIRE_THROWS_WITH(
      [&] {
        for (int gene = 0; gene < 20; ++gene) product = product * Extent::table(gene, {1, 2, 3});
      }(),
      Catch::Contains("65,536"));
}

TEST_CASE(
    "the graph can say what later spaces need: symbols, two entry points, state, an auxiliary "
    "loss") {
  SpaceBuilder b({}, {});
  const Extent length = Extent::symbol("source_length");
  const Value tokens = b.input("source", {length, 8});
  const Value memory = b.linear("encoder", tokens, {.out = b.choice("width", {4, 8})});
  const Value cache = b.state("cache", {length, 8});
  const Value step = b.linear("decoder", cache, {.out = 8});
  b.entry("encode", {tokens}, {memory});
  b.entry("decode_step", {cache}, {step});
  b.update_state("decode_step", cache, step);
  b.auxiliary_loss("balance", memory, 0.01);
  const SuperGraph super = b.finish();

  const Graph graph = bind(super, {1});
  REQUIRE(graph.entries.size() == 2);
  REQUIRE(graph.entry("decode_step").states[0].name == "cache");
  REQUIRE(graph.losses[0].weight == 0.01);
  REQUIRE(count_flops(graph, {{"source_length", 30}}) == 30 * 8 * 8 * 2);
  REQUIRE_THROWS_WITH(count_flops(graph),
                      Catch::Contains("the length 'source_length' has no value"));
  REQUIRE_THROWS_WITH(graph.entry("forward"), Catch::Contains("known: encode, decode_step"));
}

TEST_CASE("builder misuse names the node and the rule") {
  SpaceBuilder b({}, {});
  const Value x = b.input("x", {3, 8, 8});
  const Value narrow = b.conv("narrow", x, {.out = b.choice("width", {4, 8})});
  REQUIRE_THROWS_WITH(b.add("sum", {x, narrow}),
                      Catch::Contains("node 'sum' (add)") && Catch::Contains("axis 0"));
  REQUIRE_THROWS_WITH(b.conv("even", x, {.out = 4, .kernel = 2}), Catch::Contains("must be odd"));
  REQUIRE_THROWS_WITH(b.relu("narrow", x), Catch::Contains("two nodes are named 'narrow'"));
  REQUIRE_THROWS_WITH(b.finish(), Catch::Contains("no entry point"));
}
