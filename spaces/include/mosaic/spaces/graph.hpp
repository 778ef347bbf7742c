/// One architecture: the nodes and extents that a genotype selects from a SuperGraph.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mosaic/spaces/supergraph.hpp"

namespace mosaic::spaces {

/// Values of the symbols of a graph ("source_length" -> 30).
using Symbols = std::map<std::string, std::int64_t>;

/// An extent of one architecture: a number, times symbols.
struct Dim {
  std::int64_t factor = 0;
  std::vector<std::string> symbols;
  /// Throws Error if a symbol has no value.
  std::int64_t value(const Symbols& symbols_given = {}) const;
  bool operator==(const Dim&) const = default;
};

/// The part of a slot that one architecture uses.
struct WeightRef {
  std::string role;
  std::string slot;
  std::vector<std::int64_t> full;    ///< shape of the slot
  std::vector<std::int64_t> active;  ///< shape of the part
  std::vector<Crop> crops;           ///< where the part lies, per axis
  std::int64_t count() const;        ///< entries of the active part
};

struct GraphNode {
  std::string name;
  std::string op;
  std::vector<int> inputs;
  std::map<std::string, std::int64_t> attributes;
  std::map<std::string, double> reals;
  std::vector<WeightRef> weights;
  std::vector<Dim> shape;
  DataType type = DataType::float32;
  /// Node::scope: nodes of one scope are run as a block. It is no part of the function, and is not
  /// stored.
  std::string scope = {};

  /// Throws std::logic_error if there is no such attribute: a bug of the op.
  std::int64_t attribute(const std::string& key) const;
  /// Of an attribute that a node need not have.
  std::int64_t attribute(const std::string& key, std::int64_t fallback) const;
};

/// An architecture, bound and pruned: what is counted, executed, extracted and exported.
struct Graph {
  std::vector<GraphNode> nodes;  ///< in topological order; all of them reach an output
  std::vector<EntryPoint> entries;
  std::vector<AuxiliaryLoss> losses;

  /// Throws Error (known names listed) if there is no such entry point.
  const EntryPoint& entry(const std::string& name = "forward") const;
};

/// Trainable parameters (each slot's active part once; normalisation statistics don't count).
double count_parameters(const Graph& graph);
/// Multiply-accumulates of one example through convolutions, linear layers and matrix products, all
/// entry points: the "FLOPs" of the architecture-search literature, where one multiply-add counts
/// once.
double count_flops(const Graph& graph, const Symbols& symbols = {});
/// Peak bytes of live activations of one example at float32, executed in node order, inputs
/// included.
double activation_bytes(const Graph& graph, const Symbols& symbols = {});
/// Identity of the *function*: two genotypes with equal hashes compute the same with the same
/// weights.
std::string function_hash(const Graph& graph);

/// A complete description, read back by graph_from_json() (throws Error on anything malformed).
nlohmann::json to_json(const Graph& graph);
Graph graph_from_json(const nlohmann::json& json);

}  // namespace mosaic::spaces
