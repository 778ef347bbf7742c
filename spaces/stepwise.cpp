#include "mosaic/spaces/stepwise.hpp"

#include <algorithm>
#include <map>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {
namespace {

constexpr const char* kPosition = "position";
constexpr const char* kSeen = "seen";  // how many positions were written already

class Divider {
 public:
  Divider(const Graph& graph, const std::string& written) : graph_(graph) {
    const auto& entry = graph.entry();
    const auto input = std::find_if(entry.inputs.begin(), entry.inputs.end(),
                                    [&](int i) { return node(i).name == written; });
    if (input == entry.inputs.end())
      throw core::UsageError("the network has no input '" + written + "' that it could write",
                             "use a network of a task that generates, such as translation");
    if (!entry.states.empty() || entry.outputs.size() != 1)
      throw core::UsageError("a network with states, or several outputs, cannot be divided",
                             "give its steps entry points of their own");
    written_ = *input;
    depends_.assign(graph.nodes.size(), false);
    depends_[at(written_)] = true;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      for (const int from : graph.nodes[i].inputs)
        if (depends_[at(from)]) depends_[i] = true;
    needed_.assign(graph.nodes.size(), false);
    needed_[at(entry.outputs[0])] = true;
    for (std::size_t i = graph.nodes.size(); i-- > 0;)
      if (needed_[i])
        for (const int from : graph.nodes[i].inputs) needed_[at(from)] = true;
  }

  Stepwise operator()() {
    open();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (needed_[i] && depends_[i] && static_cast<int>(i) != written_)
        add_step(static_cast<int>(i));
    const int output = graph_.entry().outputs[0];
    if (!depends_[at(output)])
      throw core::UsageError(
          "the network's output does not depend on '" + node(written_).name + "'",
          "there is nothing to write");
    entry_.outputs = {copies_.at(output)};
    result_.step.entries = {std::move(entry_)};
    close_encoder();
    return std::move(result_);
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  const GraphNode& node(int index) const { return graph_.nodes[at(index)]; }

  int append(GraphNode made) {
    result_.step.nodes.push_back(std::move(made));
    return static_cast<int>(result_.step.nodes.size()) - 1;
  }

  static GraphNode input_node(const std::string& name, const std::vector<Dim>& shape,
                              DataType type) {
    GraphNode made;
    made.name = name;
    made.op = "input";
    made.shape = shape;
    made.type = type;
    return made;
  }

  void open() {
    entry_.name = "step";
    copies_[written_] = append(node(written_));
    GraphNode position = input_node(kPosition, node(written_).shape, DataType::int64);
    position.attributes["range"] = 1;
    position_ = append(std::move(position));
    entry_.inputs = {copies_.at(written_), position_};
  }

  /// The value of a node in the steps; of what does not depend on the written input, the value that
  /// the encoder hands over.
  int value(int index) {
    if (const auto known = copies_.find(index); known != copies_.end()) return known->second;
    const auto& origin = node(index);
    const int made = append(input_node(origin.name, origin.shape, origin.type));
    entry_.inputs.push_back(made);
    result_.handed.push_back(origin.name);
    handed_.push_back(index);
    return copies_[index] = made;
  }

  void add_step(int index) {
    GraphNode made = node(index);
    const auto& spec = ops().at(made.op);
    if (made.op == "attention" && attends_to_written(made)) {
      made.inputs = {value(made.inputs[0]), remembered(made, 1), remembered(made, 2)};
      made.attributes["causal"] = 0;
    } else if (made.op == "attention" || spec.position != OpSpec::Position::others) {
      for (int& from : made.inputs) from = value(from);
      if (spec.position == OpSpec::Position::numbered) made.inputs.push_back(position_);
    } else {
      throw core::UsageError("'" + made.name + "' (" + made.op + ") sees all positions of '" +
                                 node(written_).name + "' at once",
                             "such a network cannot write it token by token");
    }
    copies_[index] = append(std::move(made));
  }

  bool attends_to_written(const GraphNode& attention) const {
    const auto depends = [&](std::size_t i) {
      return i < attention.inputs.size() && depends_[at(attention.inputs[i])];
    };
    if (depends(1) != depends(2) || depends(3))
      throw core::UsageError("'" + attention.name + "' mixes what is written with what is not",
                             "such a network cannot write token by token");
    if (!depends(1)) return false;
    if (attention.attribute("causal", 0) == 0)
      throw core::UsageError("'" + attention.name + "' sees positions after its own",
                             "such a network cannot write token by token");
    return true;
  }

  /// Keys or values of all positions so far.
  int remembered(const GraphNode& attention, std::size_t input) {
    const int fresh = value(attention.inputs[input]);
    std::vector<Dim> shape = node(attention.inputs[input]).shape;
    shape[0] = {1, {kSeen}};
    const std::string name = attention.name + (input == 1 ? ".keys" : ".values");
    const int state = append(input_node(name, shape, DataType::float32));
    GraphNode both;
    both.name = name + ".appended";
    both.op = "append_length";
    both.inputs = {state, fresh};
    both.shape = std::move(shape);
    const int all = append(std::move(both));
    entry_.states.push_back({name, state, all});
    return all;
  }

  void close_encoder() {
    auto& encoder = result_.encoder;
    std::vector<bool> wanted(graph_.nodes.size(), false);
    for (const int index : handed_) wanted[at(index)] = true;
    std::vector<int> places(graph_.nodes.size(), -1);
    for (std::size_t i = graph_.nodes.size(); i-- > 0;)
      if (wanted[i])
        for (const int from : graph_.nodes[i].inputs) wanted[at(from)] = true;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!wanted[i]) continue;
      GraphNode copy = graph_.nodes[i];
      for (int& from : copy.inputs) from = places[at(from)];
      places[i] = static_cast<int>(encoder.nodes.size());
      encoder.nodes.push_back(std::move(copy));
    }
    if (handed_.empty()) return;
    EntryPoint entry{"encode", {}, {}, {}};
    for (const int input : graph_.entry().inputs)
      if (wanted[at(input)]) entry.inputs.push_back(places[at(input)]);
    for (const int index : handed_) entry.outputs.push_back(places[at(index)]);
    encoder.entries = {std::move(entry)};
  }

  const Graph& graph_;
  int written_ = -1, position_ = -1;
  std::vector<bool> depends_;  ///< by node: on the written input
  std::vector<bool> needed_;   ///< by node: for the output
  std::map<int, int> copies_;  ///< node of the graph, its value in the steps
  std::vector<int> handed_;    ///< nodes of the graph
  EntryPoint entry_;
  Stepwise result_;
};

}  // namespace

Stepwise stepwise(const Graph& graph, const std::string& written) {
  return Divider(graph, written)();
}

}  // namespace mosaic::spaces
