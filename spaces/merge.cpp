#include "mosaic/spaces/merge.hpp"

#include <algorithm>
#include <optional>

namespace mosaic::spaces {
namespace {

const WeightRef* weight_of(const GraphNode& node, const std::string& role) {
  const auto found = std::find_if(node.weights.begin(), node.weights.end(),
                                  [&](const auto& ref) { return ref.role == role; });
  return found == node.weights.end() ? nullptr : &*found;
}

/// Nodes that others or an entry point read: how often.
std::vector<int> readers_of(const Graph& graph) {
  std::vector<int> readers(graph.nodes.size(), 0);
  const auto read = [&](int node) { ++readers[static_cast<std::size_t>(node)]; };
  for (const auto& node : graph.nodes)
    for (const int input : node.inputs) read(input);
  for (const auto& entry : graph.entries) {
    for (const int output : entry.outputs) read(output);
    for (const auto& state : entry.states) read(state.write);
  }
  for (const auto& loss : graph.losses) read(loss.node);
  return readers;
}

/// The node that `second` is to be merged with; -1: none.
int partner(const Graph& graph, const std::vector<int>& readers, const GraphNode& second) {
  if (second.op != "linear") return -1;
  const int at = second.inputs[0];
  const auto& first = graph.nodes[static_cast<std::size_t>(at)];
  if (first.op != "linear" || readers[static_cast<std::size_t>(at)] != 1) return -1;
  const auto* a = weight_of(first, "weight");
  const auto* b = weight_of(second, "weight");
  const std::int64_t inputs = a->active[1], outputs = b->active[0];
  return inputs * outputs <= a->count() + b->count() ? at : -1;
}

WeightRef own_ref(const std::string& role, const std::string& slot,
                  std::vector<std::int64_t> shape) {
  WeightRef ref;
  ref.role = role;
  ref.slot = slot;
  ref.crops.assign(shape.size(), Crop::leading);
  ref.full = shape;
  ref.active = std::move(shape);
  return ref;
}

Graph without(const Graph& graph, int removed) {
  const auto moved = [&](int node) { return node > removed ? node - 1 : node; };
  Graph result = graph;
  result.nodes.erase(result.nodes.begin() + removed);
  for (auto& node : result.nodes)
    for (int& input : node.inputs) input = moved(input);
  for (auto& entry : result.entries) {
    for (int& input : entry.inputs) input = moved(input);
    for (int& output : entry.outputs) output = moved(output);
    for (auto& state : entry.states) {
      state.read = moved(state.read);
      state.write = moved(state.write);
    }
  }
  for (auto& loss : result.losses) loss.node = moved(loss.node);
  return result;
}

/// The graph with one pair merged; nothing where there is none.
std::optional<Graph> once(const Graph& graph, std::vector<Merge>* merges) {
  const auto readers = readers_of(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const int at = partner(graph, readers, graph.nodes[i]);
    if (at < 0) continue;
    const GraphNode& first = graph.nodes[static_cast<std::size_t>(at)];
    Graph result = graph;
    GraphNode& node = result.nodes[i];
    Merge merge;
    merge.node = first.name + "+" + node.name;
    merge.first = *weight_of(first, "weight");
    merge.second = *weight_of(node, "weight");
    if (const auto* bias = weight_of(first, "bias")) merge.first_bias = *bias;
    if (const auto* bias = weight_of(node, "bias")) merge.second_bias = *bias;
    merge.weight = merge.node + ".weight";
    node.name = merge.node;
    node.inputs = first.inputs;
    node.weights = {
        own_ref("weight", merge.weight, {merge.second.active[0], merge.first.active[1]})};
    if (!merge.first_bias.slot.empty() || !merge.second_bias.slot.empty()) {
      merge.bias = merge.node + ".bias";
      node.weights.push_back(own_ref("bias", merge.bias, {merge.second.active[0]}));
    }
    if (merges) merges->push_back(std::move(merge));
    return without(result, at);
  }
  return std::nullopt;
}

}  // namespace

Graph merged(const Graph& graph, std::vector<Merge>* merges) {
  Graph result = graph;
  while (auto next = once(result, merges)) result = std::move(*next);
  return result;
}

}  // namespace mosaic::spaces
