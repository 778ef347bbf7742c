// A Graph as JSON: the architecture part of an extracted subnet's config.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/graph.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/task_shape.hpp"

namespace mosaic::spaces {
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

/// No extent, attribute or size of a weight is larger: sums and products of a few of them stay
/// exact.
constexpr std::int64_t kLargest = std::int64_t{1} << 30;

std::int64_t small(const json& number) {
  const auto value = number.get<std::int64_t>();
  if (value < -kLargest || value > kLargest)
    throw core::Error("the description of the network holds the number " + std::to_string(value) +
                      ", which no network has");
  return value;
}

std::vector<std::int64_t> small_numbers(const json& array) {
  std::vector<std::int64_t> result;
  for (const auto& number : array) result.push_back(small(number));
  return result;
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
      result.push_back({small(dim), {}});
    else
      result.push_back({small(dim.at("factor")), dim.at("symbols")});
  }
  return result;
}

json weight_json(const WeightRef& weight) {
  json crops = json::array();
  for (const auto crop : weight.crops)
    crops.push_back(crop == Crop::centred ? "centred" : "leading");
  return {{"role", weight.role},
          {"slot", weight.slot},
          {"full", weight.full},
          {"active", weight.active},
          {"crops", crops}};
}

WeightRef weight_from(const json& object) {
  WeightRef result{object.at("role"),
                   object.at("slot"),
                   small_numbers(object.at("full")),
                   small_numbers(object.at("active")),
                   {}};
  for (const auto& crop : object.at("crops"))
    result.crops.push_back(crop.get<std::string>() == "centred" ? Crop::centred : Crop::leading);
  if (result.full.size() != result.active.size() || result.full.size() != result.crops.size())
    throw core::Error("weight '" + result.slot + "' has shapes of different lengths");
  for (std::size_t i = 0; i < result.full.size(); ++i)
    if (result.active[i] < 1 || result.active[i] > result.full[i])
      throw core::Error("weight '" + result.slot + "' uses more than its slot holds");
  std::int64_t entries = 1;
  for (const auto size : result.full)
    if ((entries *= size) > kLargest)
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
    inputs.push_back(std::move(made));
  }
  return {{"inputs", inputs}, {"output", dims_json(task.output)}, {"lengths", task.typical}};
}

TaskShape task_shape_from_json(const json& object) {
  TaskShape task;
  for (const auto& from : object.at("inputs"))
    task.inputs.push_back({from.at("name"), dims_from(from.at("shape")),
                           from.at("type") == "int64" ? DataType::int64 : DataType::float32,
                           from.value("range", std::int64_t{0})});
  task.output = dims_from(object.at("output"));
  task.typical = object.at("lengths").get<Symbols>();
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
    for (const auto& weight : node.weights) made["weights"].push_back(weight_json(weight));
    nodes.push_back(std::move(made));
  }
  json entries = json::array();
  for (const auto& entry : graph.entries) {
    json states = json::array();
    for (const auto& state : entry.states)
      states.push_back({{"name", state.name}, {"read", state.read}, {"write", state.write}});
    entries.push_back({{"name", entry.name},
                       {"inputs", entry.inputs},
                       {"outputs", entry.outputs},
                       {"states", states}});
  }
  json losses = json::array();
  for (const auto& loss : graph.losses)
    losses.push_back({{"name", loss.name}, {"node", loss.node}, {"weight", loss.weight}});
  return {{"nodes", nodes}, {"entries", entries}, {"losses", losses}};
}

Graph graph_from_json(const json& object) {
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
        for (const auto& [key, value] : from.at("attributes").items())
          node.attributes[key] = small(value);
      if (from.contains("reals"))
        node.reals = from.at("reals").get<std::map<std::string, double>>();
      if (from.value("type", "") == "int64") node.type = DataType::int64;
      if (from.contains("weights"))
        for (const auto& weight : from.at("weights")) node.weights.push_back(weight_from(weight));
      check(node, graph);
      graph.nodes.push_back(std::move(node));
    }
    const auto checked = [&](int index) {
      if (index < 0 || index >= static_cast<int>(graph.nodes.size()))
        throw core::Error("an entry point names a node that does not exist");
      return index;
    };
    for (const auto& from : object.at("entries")) {
      EntryPoint entry{from.at("name"), from.at("inputs"), from.at("outputs"), {}};
      for (const int index : entry.inputs) checked(index);
      for (const int index : entry.outputs) checked(index);
      for (const auto& state : from.at("states"))
        entry.states.push_back(
            {state.at("name"), checked(state.at("read")), checked(state.at("write"))});
      graph.entries.push_back(std::move(entry));
    }
    for (const auto& loss : object.at("losses"))
      graph.losses.push_back({loss.at("name"), checked(loss.at("node")), loss.at("weight")});
    return graph;
  } catch (const json::exception& error) {
    throw core::Error(std::string("the description of the network is malformed: ") + error.what(),
                      "extract the network again");
  }
}

}  // namespace mosaic::spaces
