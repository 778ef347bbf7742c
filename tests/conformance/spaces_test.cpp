// Runs over every registered space: whoever adds one gets these for nothing.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/evaluator.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/space.hpp"

using namespace mosaic;
using spaces::Genotype;
using spaces::Space;

namespace {

std::vector<Genotype> samples(const Space& space, int count) {
  core::Stream stream(11, "conformance");
  std::vector<Genotype> result{space.smallest(), space.largest()};
  for (int i = 0; i < count; ++i) result.push_back(space.random(stream));
  return result;
}

/// By the definition: does any option of the gene, all others fixed, change a condition, or an
/// extent of a node that exists?
bool active(const spaces::SuperGraph& graph, std::size_t gene, const Genotype& genotype) {
  const auto changes = [&](const spaces::Extent& extent) {
    Genotype other = genotype;
    for (int option = 0; option < static_cast<int>(graph.genes[gene].labels.size()); ++option) {
      other[gene] = option;
      if (extent.at(other) != extent.at(genotype)) return true;
    }
    return false;
  };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const auto& node) {
    if (changes(node.condition)) return true;
    if (node.condition.at(genotype) == 0) return false;
    return std::any_of(node.attributes.begin(), node.attributes.end(),
                       [&](const auto& attribute) { return changes(attribute.second); }) ||
           std::any_of(node.weights.begin(), node.weights.end(),
                       [&](const auto& use) {
                         return std::any_of(use.extents.begin(), use.extents.end(), changes);
                       }) ||
           std::any_of(node.shape.begin(), node.shape.end(), changes);
  });
}

}  // namespace

TEST_CASE("every space: a gene is active where an option of it changes the network") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const Space space = Space::make(name);
    core::Stream stream(3, "genotypes");
    for (int i = 0; i < 50; ++i) {
      Genotype genotype;
      for (const auto& gene : space.genes())
        genotype.push_back(static_cast<int>(stream.below(gene.labels.size())));
      const auto found = space.active_genes(genotype);
      for (std::size_t gene = 0; gene < genotype.size(); ++gene)
        REQUIRE(found[gene] == active(space.graph(), gene, genotype));
      // Whether a gene is idle may hang on another one, which is reset as well.
      const auto canonical = space.canonical(genotype);
      for (std::size_t gene = 0; gene < genotype.size(); ++gene)
        REQUIRE((canonical[gene] == 0 || active(space.graph(), gene, canonical)));
    }
  }
}

TEST_CASE(
    "every space: text and genotype are inverse, canonical forms are stable, hashes tell networks "
    "apart") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const Space space = Space::make(name);
    std::set<std::string> hashes;
    std::set<Genotype> genotypes;
    for (const auto& genotype : samples(space, 60)) {
      REQUIRE(space.canonical(genotype) == genotype);
      REQUIRE(space.parse(space.text(genotype)) == genotype);
      hashes.insert(space.hash(genotype));
      genotypes.insert(genotype);
    }
    REQUIRE(hashes.size() == genotypes.size());
    // The same description gives the same identities, in another object too.
    const Space again = Space::make(name);
    REQUIRE(again.hash() == space.hash());
    for (const auto& genotype : genotypes) REQUIRE(again.hash(genotype) == space.hash(genotype));
  }
}

TEST_CASE("every space: genes that are reset never change the network") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const Space space = Space::make(name);
    core::Stream stream(5, "idle genes");
    for (int i = 0; i < 20; ++i) {
      Genotype raw;
      for (const auto& gene : space.genes())
        raw.push_back(static_cast<int>(stream.below(gene.labels.size())));
      REQUIRE(spaces::function_hash(space.bind(raw)) ==
              spaces::function_hash(space.bind(space.canonical(raw))));
    }
  }
}

TEST_CASE("every space: bound graphs are whole, within their slots, and survive JSON") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const Space space = Space::make(name);
    for (const auto& genotype : samples(space, 10)) {
      INFO(space.text(genotype));
      const spaces::Graph graph = space.bind(genotype);
      REQUIRE(spaces::count_parameters(graph) > 0);
      REQUIRE(spaces::count_flops(graph, space.symbols()) > 0);
      REQUIRE(spaces::activation_bytes(graph, space.symbols()) > 0);
      for (const auto& node : graph.nodes) {
        REQUIRE(spaces::ops().contains(node.op));
        for (const auto& weight : node.weights)
          for (std::size_t axis = 0; axis < weight.full.size(); ++axis) {
            REQUIRE(weight.active[axis] >= 1);
            REQUIRE(weight.active[axis] <= weight.full[axis]);
            if (weight.crops[axis] == spaces::Crop::centred)
              REQUIRE((weight.full[axis] - weight.active[axis]) % 2 == 0);
          }
      }
      const auto& output = graph.nodes[static_cast<std::size_t>(graph.entry().outputs[0])];
      REQUIRE(output.shape == space.task().output);
      const auto copy =
          spaces::graph_from_json(nlohmann::json::parse(spaces::to_json(graph).dump()));
      REQUIRE(spaces::function_hash(copy) == spaces::function_hash(graph));
      REQUIRE(spaces::count_flops(copy, space.symbols()) ==
              spaces::count_flops(graph, space.symbols()));
    }
  }
}

TEST_CASE(
    "every space: encodings lie in [0, 1] and differ between networks of different functions") {
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    const Space space = Space::make(name);
    const spaces::Encoding encoding(space.graph());
    std::set<std::vector<float>> codes;
    std::set<Genotype> genotypes;
    for (const auto& genotype : samples(space, 40)) {
      const auto code = encoding(genotype);
      REQUIRE(code.size() == encoding.names().size());
      for (const float value : code) {
        REQUIRE(value >= 0);
        REQUIRE(value <= 1);
      }
      codes.insert(code);
      genotypes.insert(genotype);
    }
    REQUIRE(codes.size() == genotypes.size());
  }
}

TEST_CASE("every space: networks and their exact metrics survive the database") {
  const auto path = (std::filesystem::temp_directory_path() / "mosaic_conformance.db").string();
  for (const auto& name : spaces::space_types().names()) {
    INFO(name);
    for (const auto& end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    const Space space = Space::make(name);
    db::Database database(path);
    db::Job job;
    job.name = name;
    job.space = name;
    job.space_hash = space.hash();
    job.objectives = {{"params", false}, {"flops", true}};
    database.create_job(job);
    const auto genotypes = samples(space, 5);
    evaluators::Cached cached(
        evaluators::graph_evaluator({"params", "flops", "activation_bytes"}, space.symbols()),
        database, job.id, space.hash());
    for (const auto& genotype : genotypes) {
      const auto candidate = evaluators::make_candidate(space, genotype);
      const auto rows = cached.evaluate({&candidate, 1});
      for (const auto& result : rows[0]) REQUIRE(result.ok());
    }
    for (const auto& genotype : genotypes) {
      const auto network = database.network(job.id, space.hash(genotype));
      REQUIRE(network.has_value());
      REQUIRE(space.parse(network->arch) == genotype);
      REQUIRE(network->metrics.at("flops").value ==
              spaces::count_flops(space.bind(genotype), space.symbols()));
    }
    REQUIRE_FALSE(database.front(database.job(name)).empty());
  }
}
