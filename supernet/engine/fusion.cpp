#include "engine/fusion.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>

namespace mosaic::supernet {
namespace {

/// Who reads each node: its one reader, or -1 where there are others than one.
std::vector<int> only_readers(const spaces::Graph& graph) {
  std::vector<int> readers(graph.nodes.size(), 0), last(graph.nodes.size(), -1);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const int input : graph.nodes[i].inputs) {
      ++readers[static_cast<std::size_t>(input)];
      last[static_cast<std::size_t>(input)] = static_cast<int>(i);
    }
  for (const auto& entry : graph.entries)
    for (const int output : entry.outputs) readers[static_cast<std::size_t>(output)] = 2;
  for (const auto& entry : graph.entries)
    for (const auto& state : entry.states) readers[static_cast<std::size_t>(state.write)] = 2;
  for (const auto& loss : graph.losses) readers[static_cast<std::size_t>(loss.node)] = 2;
  for (std::size_t i = 0; i < last.size(); ++i)
    if (readers[i] != 1) last[i] = -1;
  return last;
}

/// Linear maps of one value, none of which anyone else reads, as one: columns side by side. Takes
/// the place of the last of them.
void join(spaces::Graph& graph, std::span<const int> maps) {
  auto& made = graph.nodes[static_cast<std::size_t>(maps.back())];
  const std::size_t of_each = made.weights.size();
  std::vector<spaces::WeightRef> weights;
  std::int64_t out = 0;
  for (std::size_t role = 0; role < of_each; ++role)  // weights, then biases: each in a row
    for (std::size_t i = 0; i < maps.size(); ++i) {
      weights.push_back(graph.nodes[static_cast<std::size_t>(maps[i])].weights[role]);
      if (i > 0) weights.back().role += " " + std::to_string(i + 1);
    }
  for (const int map : maps) out += graph.nodes[static_cast<std::size_t>(map)].shape.back().factor;
  made.weights = std::move(weights);
  made.shape.back().factor = out;
  made.attributes["out"] = out;
  made.attributes["maps"] = static_cast<std::int64_t>(maps.size());
}

}  // namespace

spaces::Graph fused(spaces::Graph graph, bool attention_is_kept) {
  const std::vector<int> reader = only_readers(graph);
  const auto reads = [&](int node, const char* op) {
    return node >= 0 && graph.nodes[static_cast<std::size_t>(node)].op == op;
  };
  /// Are they linear maps of one value, in this order, that nobody else reads?
  const auto joinable = [&](std::span<const int> maps) {
    const auto node = [&](int i) -> const spaces::GraphNode& {
      return graph.nodes[static_cast<std::size_t>(i)];
    };
    const auto& first = node(maps[0]);
    return std::is_sorted(maps.begin(), maps.end()) &&
           std::all_of(maps.begin(), maps.end(), [&](int map) {
             return node(map).op == "linear" && reader[static_cast<std::size_t>(map)] >= 0 &&
                    node(map).inputs == first.inputs &&
                    node(map).weights.size() == first.weights.size() &&
                    node(map).shape.back().symbols.empty() && node(map).scope == first.scope;
           });
  };
  /// Each node's value is computed by this one.
  std::vector<int> taken_by(graph.nodes.size());
  std::iota(taken_by.begin(), taken_by.end(), 0);
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    auto& node = graph.nodes[static_cast<std::size_t>(i)];
    if (node.op == "add" && node.inputs.size() == 2 && node.inputs[0] != node.inputs[1]) {
      const int next = reader[static_cast<std::size_t>(i)];
      if (taken_by[static_cast<std::size_t>(i)] != i ||
          (!reads(next, "layer_norm") && !reads(next, "rms_norm")))
        continue;
      graph.nodes[static_cast<std::size_t>(next)].inputs = node.inputs;
      taken_by[static_cast<std::size_t>(i)] = next;
    }
    if (node.op == "linear")
      for (const char* activation : {"relu", "gelu"})
        if (const int next = reader[static_cast<std::size_t>(i)]; reads(next, activation)) {
          node.attributes[activation] = 1;
          taken_by[static_cast<std::size_t>(next)] = i;
        }
    if (node.op == "attention" && !attention_is_kept) {
      // Those of queries, keys and values, or of keys and values alone.
      std::vector<int> maps(node.inputs.begin(), node.inputs.begin() + 3);
      if (!joinable(maps)) maps.erase(maps.begin());
      if (joinable(maps)) {
        join(graph, maps);
        for (const int map : maps) taken_by[static_cast<std::size_t>(map)] = maps.back();
        node.attributes["packed"] = static_cast<std::int64_t>(maps.size());
        const auto first = node.inputs.begin() + (3 - static_cast<std::ptrdiff_t>(maps.size()));
        node.inputs.erase(first, node.inputs.begin() + 2);
      }
    }
    if (node.op != "batch_norm") continue;
    int next = reader[static_cast<std::size_t>(i)];
    if (reads(next, "add")) {
      const auto& inputs = graph.nodes[static_cast<std::size_t>(next)].inputs;
      if (inputs.size() == 2 && inputs[0] != inputs[1]) {
        const int other = inputs[0] == i ? inputs[1] : inputs[0];
        if (other > i) continue;  // not there yet
        node.inputs.push_back(other);
        taken_by[static_cast<std::size_t>(next)] = i;
        next = reader[static_cast<std::size_t>(next)];
      }
    }
    if (reads(next, "relu")) {
      node.attributes["relu"] = 1;
      taken_by[static_cast<std::size_t>(next)] = i;
    }
  }
  std::vector<int> renumbered(graph.nodes.size());
  std::vector<spaces::GraphNode> kept;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (taken_by[i] != static_cast<int>(i)) {  // of a later one: nobody else reads it
      renumbered[i] = renumbered[static_cast<std::size_t>(taken_by[i])];
      continue;
    }
    renumbered[i] = static_cast<int>(kept.size());
    for (int& input : graph.nodes[i].inputs) input = renumbered[static_cast<std::size_t>(input)];
    kept.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(kept);
  const auto renumber = [&](int& node) { node = renumbered[static_cast<std::size_t>(node)]; };
  for (auto& entry : graph.entries) {
    for (auto* list : {&entry.inputs, &entry.outputs})
      std::for_each(list->begin(), list->end(), renumber);
    for (auto& state : entry.states) renumber(state.read), renumber(state.write);
  }
  for (auto& loss : graph.losses) renumber(loss.node);
  return graph;
}

}  // namespace mosaic::supernet
