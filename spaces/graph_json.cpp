// A Graph as JSON: the architecture part of an extracted subnet's config.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/core/json_numbers.hpp"
#include "mosaic/spaces/graph.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/task_shape.hpp"

namespace mosaic::spaces {

NLOHMANN_JSON_SERIALIZE_ENUM(Crop, {{Crop::leading, "leading"}, {Crop::centred, "centred"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(WeightRef, role, slot, full, active, crops)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StateLink, name, read, write)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EntryPoint, name, inputs, outputs, states)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AuxiliaryLoss, name, node, weight)

namespace {

using nlohmann::json;

json dims_json(const std::vector<Dim>& shape) {
  json result = json::array();
  for (const auto& dim : shape) {
    if (dim.symbols.empty())
      result.push_back(dim.factor);
    else
      result.push_back({{"factor", dim.factor}, {"symbols", dim.symbols}});
  }
  return result;
}

/// Every number is whole and small. Real are the `reals` of a node and the `weight` of a loss.
void check_numbers(const json& value) {
  core::check_numbers(value, "network", "extract the network again", {"reals", "weight"});
}

Shape shape_of(const std::vector<Dim>& dims) {
  Shape result;
  for (const auto& dim : dims) {
    result.emplace_back(dim.factor);
    for (const auto& symbol : dim.symbols) result.back() = result.back() * Extent::symbol(symbol);
  }
  return result;
}

/// The shape of a node is what its op makes of its inputs and attributes.
void check(const GraphNode& node, const Graph& before) {
  if (node.op == "zeros" && node.inputs.empty()) return;  // what bind() leaves of a dead node
  const auto refuse = [&](const std::string& why) {
    throw core::Error("node '" + node.name + "' does not fit its op '" + node.op + "': " + why,
                      "extract the network again");
  };
  Node given;
  given.op = node.op;
  given.shape = shape_of(node.shape);
  for (const auto& [key, value] : node.attributes) given.attributes.emplace(key, value);
  std::vector<Shape> inputs;
  for (const int input : node.inputs)
    inputs.push_back(shape_of(before.nodes[static_cast<std::size_t>(input)].shape));
  try {
    const Shape made = ops().at(node.op).shape(given, inputs);
    if (!std::equal(made.begin(), made.end(), given.shape.begin(), given.shape.end(), identical))
      refuse("its shape is another");
  } catch (const std::out_of_range&) {
    refuse("an attribute is missing");
  } catch (const std::logic_error& error) {
    refuse(error.what());
  }
}

std::vector<Dim> dims_from(const json& array) {
  std::vector<Dim> result;
  for (const auto& dim : array) {
    if (dim.is_number_integer())
      result.push_back({dim.get<std::int64_t>(), {}});
    else
      result.push_back({dim.at("factor"), dim.at("symbols")});
  }
  return result;
}

WeightRef weight_from(const json& object) {
  auto result = object.get<WeightRef>();
  if (result.full.size() != result.active.size() || result.full.size() != result.crops.size())
    throw core::Error("weight '" + result.slot + "' has shapes of different lengths");
  for (std::size_t i = 0; i < result.full.size(); ++i)
    if (result.active[i] < 1 || result.active[i] > result.full[i])
      throw core::Error("weight '" + result.slot + "' uses more than its slot holds");
  std::int64_t entries = 1;
  for (const auto size : result.full)
    if ((entries *= size) > std::int64_t{1} << 30)
      throw core::Error("weight '" + result.slot + "' is larger than any");
  return result;
}

}  // namespace

json to_json(const TaskShape& task) {
  json inputs = json::array();
  for (const auto& port : task.inputs) {
    json made = {{"name", port.name},
                 {"shape", dims_json(port.shape)},
                 {"type", port.type == DataType::int64 ? "int64" : "float32"}};
    if (port.range > 0) made["range"] = port.range;
    if (port.longest > 0) made["longest"] = port.longest;
    inputs.push_back(std::move(made));
  }
  json made = {{"inputs", inputs}, {"output", dims_json(task.output)}, {"lengths", task.typical}};
  if (task.causal) made["causal"] = true;
  if (!task.written.empty()) made["written"] = task.written;
  return made;
}

TaskShape task_shape_from_json(const json& object) {
  check_numbers(object);
  TaskShape task;
  for (const auto& from : object.at("inputs"))
    task.inputs.push_back({from.at("name"), dims_from(from.at("shape")),
                           from.at("type") == "int64" ? DataType::int64 : DataType::float32,
                           from.value("range", std::int64_t{0}),
                           from.value("longest", std::int64_t{0})});
  task.output = dims_from(object.at("output"));
  task.typical = object.at("lengths").get<Symbols>();
  task.causal = object.value("causal", false);
  task.written = object.value("written", "");
  return task;
}

json to_json(const Graph& graph) {
  json nodes = json::array();
  for (const auto& node : graph.nodes) {
    json made = {{"name", node.name},
                 {"op", node.op},
                 {"inputs", node.inputs},
                 {"shape", dims_json(node.shape)}};
    if (!node.attributes.empty()) made["attributes"] = node.attributes;
    if (!node.reals.empty()) made["reals"] = node.reals;
    if (node.type == DataType::int64) made["type"] = "int64";
    if (!node.weights.empty()) made["weights"] = node.weights;
    nodes.push_back(std::move(made));
  }
  return {{"nodes", nodes}, {"entries", graph.entries}, {"losses", graph.losses}};
}

Graph graph_from_json(const json& object) {
  check_numbers(object);
  try {
    Graph graph;
    for (const auto& from : object.at("nodes")) {
      GraphNode node;
      node.name = from.at("name");
      node.op = from.at("op");
      if (!ops().contains(node.op))
        throw core::Error("node '" + node.name + "' has the op '" + node.op +
                              "', which this version does not know",
                          "read it with the version of Mosaic that wrote it");
      node.inputs = from.at("inputs").get<std::vector<int>>();
      for (const int input : node.inputs)
        if (input < 0 || input >= static_cast<int>(graph.nodes.size()))
          throw core::Error("node '" + node.name + "' reads a node that does not come before it");
      node.shape = dims_from(from.at("shape"));
      if (from.contains("attributes"))
        for (const auto& [key, value] : from.at("attributes").items()) node.attributes[key] = value;
      if (from.contains("reals"))
        node.reals = from.at("reals").get<std::map<std::string, double>>();
      if (from.value("type", "") == "int64") node.type = DataType::int64;
      if (from.contains("weights"))
        for (const auto& weight : from.at("weights")) node.weights.push_back(weight_from(weight));
      check(node, graph);
      graph.nodes.push_back(std::move(node));
    }
    object.at("entries").get_to(graph.entries);
    object.at("losses").get_to(graph.losses);
    std::vector<int> named;
    for (const auto& entry : graph.entries) {
      named.insert(named.end(), entry.inputs.begin(), entry.inputs.end());
      named.insert(named.end(), entry.outputs.begin(), entry.outputs.end());
      for (const auto& state : entry.states) named.insert(named.end(), {state.read, state.write});
    }
    for (const auto& loss : graph.losses) named.push_back(loss.node);
    for (const int index : named)
      if (index < 0 || index >= static_cast<int>(graph.nodes.size()))
        throw core::Error("an entry point names a node that does not exist");
    return graph;
  } catch (const json::exception& error) {
    throw core::Error(std::string("the description of the network is malformed: ") + error.what(),
                      "extract the network again");
  }
}

}  // namespace mosaic::spaces
