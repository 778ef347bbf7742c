// Properties of spaces, over programs that nobody wrote.
#include "random_space.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/error.hpp"

using namespace mosaic;
using namespace mosaic::spaces;

namespace {

constexpr int kPrograms = 60;

/// Calls `check` with every program and some raw genotypes of each (inactive genes as they come).
template <class Check>
void for_programs(Check check) {
  for (int seed = 0; seed < kPrograms; ++seed) {
    INFO("random-program of seed " << seed);
    const Space space = random_space::make(seed);
    core::Stream stream(static_cast<std::uint64_t>(seed), "genotypes");
    std::vector<Genotype> genotypes;
    for (int i = 0; i < 12; ++i) {
      Genotype genotype;
      for (const auto& gene : space.genes())
        genotype.push_back(static_cast<int>(stream.below(gene.labels.size())));
      genotypes.push_back(genotype);
    }
    check(space, genotypes);
  }
}

}  // namespace

TEST_CASE("random programs: canonical forms are stable, compute the same and are read back") {
  std::size_t idle = 0;
  for_programs([&](const Space& space, const std::vector<Genotype>& genotypes) {
    for (const auto& genotype : genotypes) {
      const auto canonical = space.canonical(genotype);
      idle += canonical != genotype;
      REQUIRE(space.canonical(canonical) == canonical);
      REQUIRE(space.active_genes(canonical).size() == genotype.size());
      REQUIRE(function_hash(space.bind(canonical)) == function_hash(space.bind(genotype)));
      REQUIRE(space.parse(space.text(canonical)) == canonical);
      REQUIRE(space.hash(space.parse(space.text(canonical))) == space.hash(canonical));
    }
  });
  CHECK(idle > 100);  // or the programs have no idle genes, and this says nothing
}

TEST_CASE("random programs: a bound network survives JSON") {
  for_programs([](const Space& space, const std::vector<Genotype>& genotypes) {
    for (const auto& genotype : genotypes) {
      const Graph graph = space.bind(genotype);
      const auto json = to_json(graph);
      const Graph copy = graph_from_json(nlohmann::json::parse(json.dump()));
      REQUIRE(to_json(copy) == json);
      REQUIRE(function_hash(copy) == function_hash(graph));
      REQUIRE(count_parameters(copy) == count_parameters(graph));
      REQUIRE(count_flops(copy) == count_flops(graph));
      REQUIRE(activation_bytes(copy) == activation_bytes(graph));
    }
  });
}

TEST_CASE("the description of a network that does not fit its ops is refused") {
  const Graph graph = random_space::make(1).bind(random_space::make(1).largest());
  const auto refusal = [&](const std::function<void(nlohmann::json&)>& spoil) {
    auto json = to_json(graph);
    spoil(json);
    try {
      graph_from_json(json);
    } catch (const core::Error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  REQUIRE(graph.nodes[1].op == "conv2d");
  CHECK(refusal([](auto&) {}) == "none");
  CHECK_THAT(refusal([](auto& json) { json["nodes"][1]["inputs"].clear(); }),
             Catch::Contains("does not fit its op 'conv2d': needs 1 input(s), got 0"));
  CHECK_THAT(refusal([](auto& json) { json["nodes"][1]["attributes"].erase("kernel"); }),
             Catch::Contains("does not fit its op 'conv2d': an attribute is missing"));
  CHECK_THAT(refusal([](auto& json) { json["nodes"][1]["attributes"]["stride"] = 0; }),
             Catch::Contains("an extent is divided by zero"));
  CHECK_THAT(refusal([](auto& json) { json["nodes"][1]["shape"][0] = 3; }),
             Catch::Contains("its shape is another"));
  CHECK_THAT(refusal([](auto& json) { json["nodes"][0]["shape"][0] = std::int64_t{1} << 40; }),
             Catch::Contains("holds the number 1099511627776, which no network has"));
  for (const nlohmann::json& number :
       {nlohmann::json(0.5), nlohmann::json(1e80), nlohmann::json(~0ULL)})
    CHECK_THAT(refusal([&](auto& json) { json["nodes"][1]["inputs"][0] = number; }),
               Catch::Contains("holds the number " + number.dump() + ", which no network has"));
  CHECK_THAT(refusal([](auto& json) {
               for (int i = 0; i < 100; ++i) json["deep"] = nlohmann::json::array({json["deep"]});
             }),
             Catch::Contains("nested deeper than any"));
  CHECK_THAT(refusal([](auto& json) {
               auto& weight = json["nodes"][1]["weights"][0];
               weight["full"] = weight["active"] = {1 << 20, 1 << 20, 3, 3};
             }),
             Catch::Contains("is larger than any"));
}

TEST_CASE("random programs: parameters and FLOPs are those of the formulas") {
  for_programs([](const Space& space, const std::vector<Genotype>& genotypes) {
    for (const auto& genotype : genotypes) {
      const Graph graph = space.bind(genotype);
      double params = 0, flops = 0;
      for (const auto& node : graph.nodes) {
        const auto size = [](const GraphNode& of, std::size_t axis) {
          return static_cast<double>(of.shape[axis].value());
        };
        if (node.op != "conv2d" && node.op != "linear" && node.op != "batch_norm") continue;
        const auto& input = graph.nodes[static_cast<std::size_t>(node.inputs[0])];
        const bool biased = std::any_of(node.weights.begin(), node.weights.end(),
                                        [](const auto& w) { return w.role == "bias"; });
        const double bias = biased ? size(node, 0) : 0;
        if (node.op == "batch_norm") {
          params += 2 * size(node, 0);
          continue;
        }
        const double kernel =
            node.op == "conv2d" ? static_cast<double>(node.attribute("kernel")) : 1;
        const double places = node.op == "conv2d" ? size(node, 1) * size(node, 2) : 1;
        const double weights = size(node, 0) * size(input, 0) * kernel * kernel;
        params += weights + bias;
        flops += weights * places;
      }
      REQUIRE(count_parameters(graph) == params);
      REQUIRE(count_flops(graph) == flops);
    }
  });
}

TEST_CASE("random programs: the networks of a space are as many as there are canonical forms") {
  int counted = 0;
  for (int seed = 0; seed < kPrograms; ++seed) {
    INFO("random-program of seed " << seed);
    const Space space = random_space::make(seed);
    const auto all = space.enumerate(3000);
    if (!all) continue;
    ++counted;
    const std::set<Genotype> distinct(all->begin(), all->end());
    REQUIRE(distinct.size() == all->size());
    REQUIRE(space.size().exact);
    REQUIRE(space.size().architectures == static_cast<double>(all->size()));
    std::set<std::string> hashes;
    for (const auto& genotype : *all) hashes.insert(space.hash(genotype));
    REQUIRE(hashes.size() == all->size());
    // No raw genotype leads elsewhere.
    core::Stream stream(static_cast<std::uint64_t>(seed), "raw");
    for (int i = 0; i < 20; ++i) REQUIRE(distinct.count(space.random(stream)) == 1);
  }
  CHECK(counted > kPrograms / 4);
}

TEST_CASE("random programs with a length that is known later: counts follow the length") {
  static const core::Registered kEntry{
      space_types(), "random-rows", "for tests: layers over rows of a symbolic number",
      SpaceType{.build =
                    [](SpaceBuilder& b) {
                      core::Stream stream(
                          static_cast<std::uint64_t>(b.option("seed", 0, 0, 1'000'000)), "rows");
                      const auto rows = b.input("rows", {Extent::symbol("length"), 6});
                      const auto width = b.choice("width", {4, 8});
                      auto x = b.linear("first", rows, {.out = width});
                      const auto more = 1 + stream.below(3);
                      for (std::uint64_t i = 0; i < more; ++i)
                        x = b.linear("next" + std::to_string(i),
                                     b.relu("relu" + std::to_string(i), x),
                                     {.out = width, .bias = stream.below(2) == 0});
                      b.entry("forward", {rows}, {x});
                    },
                .text = {},
                .parse = {}}};
  for (int seed = 0; seed < 20; ++seed) {
    const Space space = Space::make("random-rows", {}, {{"seed", std::to_string(seed)}});
    const auto all = space.enumerate();
    for (const auto& genotype : *all) {
      const Graph graph = space.bind(genotype);
      const Graph copy = graph_from_json(to_json(graph));
      REQUIRE(to_json(copy) == to_json(graph));
      for (const auto& network : {graph, copy}) {
        const double one = count_flops(network, {{"length", 1}});
        REQUIRE(one > 0);
        REQUIRE(count_flops(network, {{"length", 30}}) == 30 * one);
        REQUIRE(activation_bytes(network, {{"length", 30}}) ==
                30 * activation_bytes(network, {{"length", 1}}));
        REQUIRE_THROWS_AS(count_flops(network), core::Error);
      }
    }
  }
}
