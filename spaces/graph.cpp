#include "mosaic/spaces/graph.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {
namespace {

Dims dims_of(const GraphNode& node, const Symbols& symbols) {
  Dims result;
  for (const auto& dim : node.shape) result.push_back(dim.value(symbols));
  return result;
}

double output_bytes(const GraphNode& node, const Symbols& symbols) {
  double bytes = node.type == DataType::int64 ? 8 : 4;
  for (const auto dim : dims_of(node, symbols)) bytes *= static_cast<double>(dim);
  return bytes;
}

}  // namespace

std::int64_t Dim::value(const Symbols& symbols_given) const {
  std::int64_t result = factor;
  for (const auto& symbol : symbols) {
    const auto found = symbols_given.find(symbol);
    if (found == symbols_given.end())
      throw core::Error("the length '" + symbol + "' has no value",
                        "give one, such as " + symbol + " = 32");
    result *= found->second;
  }
  return result;
}

std::int64_t WeightRef::count() const {
  std::int64_t result = 1;
  for (const auto size : active) result *= size;
  return result;
}

std::int64_t GraphNode::attribute(const std::string& key) const {
  const auto found = attributes.find(key);
  if (found == attributes.end())
    throw std::logic_error("node '" + name + "' (" + op + ") has no attribute '" + key + "'");
  return found->second;
}

std::int64_t GraphNode::attribute(const std::string& key, std::int64_t fallback) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? fallback : found->second;
}

const EntryPoint& Graph::entry(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& candidate : entries) {
    if (candidate.name == name) return candidate;
    known.push_back(candidate.name);
  }
  throw core::Error("the network has no entry point '" + name + "'", "known: " + core::join(known));
}

double count_parameters(const Graph& graph) {
  // A tied slot counts once, with its largest active part.
  std::map<std::string, std::int64_t> counts;
  for (const auto& node : graph.nodes)
    for (const auto& weight : node.weights)
      counts[weight.slot] = std::max(counts[weight.slot], weight.count());
  double total = 0;
  for (const auto& [slot, count] : counts) total += static_cast<double>(count);
  return total;
}

double count_flops(const Graph& graph, const Symbols& symbols) {
  double total = 0;
  for (const auto& node : graph.nodes) {
    std::vector<Dims> inputs;
    for (const int input : node.inputs)
      inputs.push_back(dims_of(graph.nodes[static_cast<std::size_t>(input)], symbols));
    total += ops().at(node.op).flops(node, inputs, dims_of(node, symbols));
  }
  return total;
}

double activation_bytes(const Graph& graph, const Symbols& symbols) {
  const std::size_t count = graph.nodes.size();
  // A view keeps its input's memory alive instead of taking its own.
  std::vector<std::size_t> owner(count);
  std::vector<std::size_t> last_use(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& node = graph.nodes[i];
    owner[i] = ops().at(node.op).is_view && !node.inputs.empty()
                   ? owner[static_cast<std::size_t>(node.inputs[0])]
                   : i;
    last_use[owner[i]] = i;
    for (const int input : node.inputs) last_use[owner[static_cast<std::size_t>(input)]] = i;
  }
  for (const auto& entry : graph.entries)
    for (const int output : entry.outputs)
      last_use[owner[static_cast<std::size_t>(output)]] = count;
  double live = 0;
  double peak = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (owner[i] == i) live += output_bytes(graph.nodes[i], symbols);
    peak = std::max(peak, live);
    for (std::size_t j = 0; j <= i; ++j)
      if (owner[j] == j && last_use[j] == i) live -= output_bytes(graph.nodes[j], symbols);
  }
  return peak;
}

std::string function_hash(const Graph& graph) {
  core::Hasher hasher;
  for (const auto& node : graph.nodes) {
    hasher.add(node.name).add(node.op);
    for (const int input : node.inputs)
      hasher.add(graph.nodes[static_cast<std::size_t>(input)].name);
    for (const auto& [key, value] : node.attributes) hasher.add(key).add(value);
    for (const auto& weight : node.weights) {
      hasher.add(weight.slot);
      for (const auto size : weight.active) hasher.add(size);
    }
    for (const auto& dim : node.shape) hasher.add(dim.factor);
  }
  return hasher.hex();
}

}  // namespace mosaic::spaces
