#include "mosaic/supernet/engine/program.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <tuple>

#include "engine/fusion.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

/// A graph, and the networks that have it.
struct Member {
  spaces::Graph graph;
  std::vector<int> networks;
  std::vector<bool> needed;        ///< by node: for this entry point
  std::vector<std::size_t> joint;  ///< by node: its number among the nodes of all graphs
};

void append(std::string& text, const std::vector<spaces::Dim>& shape) {
  text += '[';
  for (const auto& dim : shape) {
    text += std::to_string(dim.factor);
    for (const auto& symbol : dim.symbols) text += '*' + symbol;
    text += ',';
  }
  text += ']';
}

void append(std::string& text, const std::vector<std::int64_t>& shape) {
  text += '[';
  for (const auto size : shape) text += std::to_string(size) + ',';
  text += ']';
}

/// Everything that networks must agree on to run a node as one.
std::string key_of(const spaces::Graph& graph, const spaces::GraphNode& node) {
  std::string key = node.op;
  key.reserve(256);
  for (const auto& [name, value] : node.attributes) key += ' ' + name + '=' + std::to_string(value);
  for (const auto& [name, value] : node.reals) key += ' ' + name + '=' + core::format_double(value);
  append(key, node.shape);
  for (const int input : node.inputs)
    append(key, graph.nodes[static_cast<std::size_t>(input)].shape);
  for (const auto& weight : node.weights) {
    append(key, weight.full);
    append(key, weight.active);
  }
  return key;
}

/// Does the op give this weight to a product alone, which autocast would round it for? Several
/// networks' convolutions are packed out of float32 (ops/conv2d.cpp), and their biases are added to
/// the products.
bool is_factor(const spaces::GraphNode& node, const std::string& role, bool one) {
  if (node.op == "linear") return one || role.starts_with("weight");
  if (node.op == "conv2d") return one || role == "bias" || node.attribute("groups", 1) > 1;
  if (node.op == "patch_embedding") return role == "weight";
  return node.op == "relative_attention";
}

/// Marks what a node is computed from, itself included.
void need(const spaces::Graph& graph, int node, std::vector<bool>& needed) {
  needed[static_cast<std::size_t>(node)] = true;
  for (std::size_t i = static_cast<std::size_t>(node) + 1; i-- > 0;)
    if (needed[i])
      for (const int input : graph.nodes[i].inputs) needed[static_cast<std::size_t>(input)] = true;
}

/// What an entry point gives is computed from these nodes.
std::vector<bool> needed_by(const spaces::Graph& graph, const spaces::EntryPoint& entry) {
  std::vector<bool> needed(graph.nodes.size(), false);
  for (const int output : entry.outputs) need(graph, output, needed);
  for (const auto& state : entry.states) need(graph, state.write, needed);
  return needed;
}

/// Which of its positions count: the attention's own mask, or else the tokens that it is about, of
/// which 0 is padding; -1: all do.
int mask_of(const spaces::Graph& graph, const spaces::EntryPoint& entry,
            const spaces::GraphNode& attention) {
  if (attention.inputs.size() > 3) return attention.inputs[3];
  for (const int input : entry.inputs) {
    const auto& node = graph.nodes[static_cast<std::size_t>(input)];
    if (node.type == spaces::DataType::int64 && node.shape.size() == 1 &&
        node.shape[0] == attention.shape[0])
      return input;
  }
  return -1;
}

/// Can the entry point compute this node from what it is given?
bool within(const spaces::Graph& graph, const spaces::EntryPoint& entry, int node) {
  std::vector<bool> needed(graph.nodes.size(), false);
  need(graph, node, needed);
  for (const int input : entry.inputs) needed[static_cast<std::size_t>(input)] = false;
  for (const auto& state : entry.states) needed[static_cast<std::size_t>(state.read)] = false;
  for (std::size_t i = 0; i < needed.size(); ++i)
    if (needed[i] && graph.nodes[i].op == "input") return false;
  return true;
}

}  // namespace

class Compiler {
 public:
  Compiler(std::span<const spaces::Graph* const> graphs, const std::string& entry, bool training,
           bool attention)
      : training_(training), attention_(attention) {
    program_.entry_ = entry;
    program_.networks_ = static_cast<int>(graphs.size());
    std::map<const spaces::Graph*, std::size_t> known;
    for (std::size_t network = 0; network < graphs.size(); ++network) {
      const auto [found, fresh] = known.try_emplace(graphs[network], members_.size());
      if (fresh) add(*graphs[network]);
      members_[found->second].networks.push_back(static_cast<int>(network));
    }
    number_networks();
  }

  Compiler(spaces::Graph graph, int networks, const std::string& entry, bool training,
           bool attention)
      : training_(training), attention_(attention) {
    program_.entry_ = entry;
    program_.networks_ = networks;
    add(std::move(graph));
    members_[0].networks.resize(static_cast<std::size_t>(networks));
    std::iota(members_[0].networks.begin(), members_[0].networks.end(), 0);
    number_networks();
  }

  Program operator()() {
    open();
    for (const std::size_t node : order()) run(node);
    close();
    free();
    return std::move(program_);
  }

 private:
  /// A value, and the networks that it is of.
  struct Piece {
    int value;
    std::vector<int> networks;
  };

  const spaces::EntryPoint& entry(const Member& member) const {
    return member.graph.entry(program_.entry_);
  }

  void number_networks() {
    of_network_.resize(static_cast<std::size_t>(program_.networks_));
    for (std::size_t i = 0; i < members_.size(); ++i)
      for (const int network : members_[i].networks)
        of_network_[static_cast<std::size_t>(network)] = i;
  }

  void add(spaces::Graph original) {
    Member member{
        training_ ? fused(std::move(original), attention_) : std::move(original), {}, {}, {}};
    const auto& graph = member.graph;
    const auto& point = entry(member);
    member.needed = needed_by(graph, point);
    if (training_)
      for (const auto& loss : graph.losses) {
        if (!within(graph, point, loss.node))
          throw core::Error("entry point '" + program_.entry_ +
                                "', which is trained, does not compute what the auxiliary loss '" +
                                loss.name + "' needs",
                            "compute the loss from the inputs of '" + program_.entry_ + "'");
        need(graph, loss.node, member.needed);
      }
    for (const auto& node : graph.nodes) {
      const auto [found, fresh] = index_.emplace(node.name, nodes_);
      if (fresh) ++nodes_;
      member.joint.push_back(found->second);
    }
    members_.push_back(std::move(member));
  }

  /// Inputs and states are the first values, of all networks.
  void open() {
    pieces_.resize(nodes_);
    std::vector<int> all(static_cast<std::size_t>(program_.networks_));
    std::iota(all.begin(), all.end(), 0);
    const auto& first = members_[0];
    int value = 0;
    for (const int input : entry(first).inputs) {
      program_.inputs_.push_back(first.graph.nodes[static_cast<std::size_t>(input)]);
      pieces_[first.joint[static_cast<std::size_t>(input)]].push_back({value++, all});
    }
    for (const auto& state : entry(first).states) {
      const auto& node = first.graph.nodes[static_cast<std::size_t>(state.read)];
      program_.states_.push_back({state.name, node.shape, value, -1});
      pieces_[first.joint[static_cast<std::size_t>(state.read)]].push_back({value++, all});
    }
  }

  /// A common order of all graphs' nodes: nodes of one space stand in the same order in each.
  std::vector<std::size_t> order() const {
    if (members_.size() == 1) return members_[0].joint;
    std::vector<std::set<std::size_t>> after(nodes_);
    std::vector<int> waiting(nodes_, 0);
    for (const auto& member : members_)
      for (std::size_t i = 1; i < member.joint.size(); ++i)
        if (after[member.joint[i - 1]].insert(member.joint[i]).second) ++waiting[member.joint[i]];
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < nodes_; ++i)
      if (waiting[i] == 0) ready.insert(i);
    std::vector<std::size_t> result;
    while (!ready.empty()) {
      const std::size_t next = *ready.begin();
      ready.erase(ready.begin());
      result.push_back(next);
      for (const std::size_t other : after[next])
        if (--waiting[other] == 0) ready.insert(other);
    }
    if (result.size() != nodes_)
      throw std::logic_error("networks that run as one must be of one space");
    return result;
  }

  /// Place of a node in a member's graph; -1 where it has none, or does not need it.
  int place(Member& member, std::size_t node) {
    if (places_.empty()) {
      places_.resize(members_.size(), std::vector<int>(nodes_, -1));
      for (std::size_t i = 0; i < members_.size(); ++i)
        for (std::size_t at = 0; at < members_[i].joint.size(); ++at)
          if (members_[i].needed[at]) places_[i][members_[i].joint[at]] = static_cast<int>(at);
    }
    return places_[static_cast<std::size_t>(&member - members_.data())][node];
  }

  /// Adds the steps of a node: one for all networks that can run it as one.
  void run(std::size_t node) {
    if (!pieces_[node].empty()) return;                                     // an input
    std::vector<std::pair<std::string, std::vector<std::size_t>>> buckets;  // of members
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const int at = place(members_[i], node);
      if (at < 0) continue;
      const auto& graph = members_[i].graph;
      std::string key = key_of(graph, graph.nodes[static_cast<std::size_t>(at)]);
      const auto found = std::find_if(buckets.begin(), buckets.end(),
                                      [&](const auto& known) { return known.first == key; });
      if (found != buckets.end())
        found->second.push_back(i);
      else
        buckets.push_back({std::move(key), {i}});
    }
    for (auto& [key, members] : buckets) add_step(node, std::move(key), members);
  }

  void add_step(std::size_t node, std::string key, const std::vector<std::size_t>& members) {
    auto& first = members_[members[0]];
    Program::Step step;
    auto& bound = first.graph.nodes[static_cast<std::size_t>(place(first, node))];
    if (members_.size() == 1 && !attention_) {  // nobody asks for more of it than these
      spaces::GraphNode rest;
      rest.shape = bound.shape;
      rest.inputs = bound.inputs;
      step.node = std::exchange(bound, std::move(rest));
    } else {
      step.node = bound;
    }
    if (!pieces_[node].empty())  // names are unique, and this node runs in several steps
      step.node.name += " " + std::to_string(pieces_[node].size() + 1);
    for (const std::size_t member : members)
      step.networks.insert(step.networks.end(), members_[member].networks.begin(),
                           members_[member].networks.end());
    std::sort(step.networks.begin(), step.networks.end());
    for (std::size_t input = 0; input < step.node.inputs.size(); ++input) {
      std::vector<std::size_t> from;
      for (const int network : step.networks) {
        auto& member = members_[of_network_[static_cast<std::size_t>(network)]];
        const auto& own = member.graph.nodes[static_cast<std::size_t>(place(member, node))];
        from.push_back(member.joint[static_cast<std::size_t>(own.inputs[input])]);
      }
      step.inputs.push_back(gather(from, step.networks));
    }
    for (const auto& ref : step.node.weights)
      step.weights.push_back(
          weight(ref, step.networks,
                 training_ && is_factor(step.node, ref.role, step.networks.size() == 1)));
    step.key = std::move(key) + " x" + std::to_string(step.networks.size());
    const std::vector<int> networks = step.networks;
    pieces_[node].push_back({add(std::move(step)), networks});
  }

  int weight(const spaces::WeightRef& ref, const std::vector<int>& networks, bool factor) {
    const auto [found, fresh] = weight_index_.try_emplace(
        {ref.slot, ref.active, networks, factor}, static_cast<int>(program_.weights_.size()));
    if (fresh) program_.weights_.push_back({ref, networks, factor});
    return found->second;
  }

  /// The value of a step.
  int add(Program::Step step) {
    program_.steps_.push_back(std::move(step));
    return static_cast<int>(program_.values()) - 1;
  }

  /// One value for `networks` out of the nodes `from` (one each). Asked twice, put together once.
  int gather(const std::vector<std::size_t>& from, const std::vector<int>& networks) {
    for (const auto& piece : pieces_[from[0]])
      if (piece.networks == networks &&
          std::all_of(from.begin(), from.end(), [&](auto node) { return node == from[0]; }))
        return piece.value;
    const auto [found, fresh] = gathered_.try_emplace({from, networks}, -1);
    if (!fresh) return found->second;
    Program::Step step;
    step.networks = networks;
    for (std::size_t i = 0; i < networks.size(); ++i)
      for (const auto& piece : pieces_[from[i]]) {
        const auto at = std::lower_bound(piece.networks.begin(), piece.networks.end(), networks[i]);
        if (at != piece.networks.end() && *at == networks[i])
          step.rows.emplace_back(piece.value, static_cast<int>(at - piece.networks.begin()));
      }
    if (step.rows.size() != networks.size())
      throw std::logic_error("a node reads what its network does not compute");
    return found->second = add(std::move(step));
  }

  /// A value for the networks that have a node of their own for it (by member's node; -1: none).
  Piece collect(const std::vector<int>& node_of_member) {
    std::vector<std::size_t> from;
    std::vector<int> networks;
    for (int network = 0; network < program_.networks_; ++network) {
      const std::size_t i = of_network_[static_cast<std::size_t>(network)];
      if (node_of_member[i] < 0) continue;
      from.push_back(members_[i].joint[static_cast<std::size_t>(node_of_member[i])]);
      networks.push_back(network);
    }
    return {gather(from, networks), networks};
  }

  /// Outputs, states and losses.
  void close() {
    const auto& first = entry(members_[0]);
    for (std::size_t output = 0; output < first.outputs.size(); ++output) {
      std::vector<int> nodes;
      for (const auto& member : members_) nodes.push_back(entry(member).outputs.at(output));
      program_.outputs_.push_back(collect(nodes).value);
    }
    for (std::size_t state = 0; state < first.states.size(); ++state) {
      std::vector<int> nodes;
      for (const auto& member : members_) nodes.push_back(entry(member).states.at(state).write);
      program_.states_[state].write = collect(nodes).value;
    }
    if (attention_) keep_attention();
    if (!training_) return;
    std::map<std::string, std::pair<double, std::vector<int>>> losses;
    for (std::size_t i = 0; i < members_.size(); ++i)
      for (const auto& loss : members_[i].graph.losses) {
        auto& [weight, nodes] = losses[loss.name];
        weight = loss.weight;
        nodes.resize(members_.size(), -1);
        nodes[i] = loss.node;
      }
    for (const auto& [name, loss] : losses) {
      auto [value, networks] = collect(loss.second);
      program_.losses_.push_back({name, loss.first, value, std::move(networks)});
    }
  }

  /// Networks whose last self-attention is alike are kept as one, be it in different layers.
  void keep_attention() {
    std::map<std::string, std::vector<int>> alike;  // node of each member; -1: another
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const auto& graph = members_[i].graph;
      const int node = last_self_attention(graph, program_.entry_);
      auto& nodes = alike[key_of(graph, graph.nodes[static_cast<std::size_t>(node)])];
      nodes.resize(members_.size(), -1);
      nodes[i] = node;
    }
    for (const auto& same : alike) {
      const auto& nodes = same.second;
      const auto node = [&](std::size_t i) -> const spaces::GraphNode& {
        return members_[i].graph.nodes[static_cast<std::size_t>(nodes[i])];
      };
      const auto read = [&](const auto& of) {
        std::vector<int> from(nodes.size(), -1);
        for (std::size_t i = 0; i < nodes.size(); ++i)
          if (nodes[i] >= 0) from[i] = of(i);
        return from;
      };
      const auto input = [&](std::size_t place) {
        return collect(read([&](std::size_t i) { return node(i).inputs[place]; }));
      };
      const auto some = static_cast<std::size_t>(
          std::find_if(nodes.begin(), nodes.end(), [](int own) { return own >= 0; }) -
          nodes.begin());
      Program::Attention kept;
      kept.heads = node(some).attribute("heads");
      kept.kv_heads = node(some).attribute("kv_heads", kept.heads);
      kept.causal = node(some).attribute("causal", 0) != 0;
      auto queries = input(0);
      kept.queries = queries.value;
      kept.networks = std::move(queries.networks);
      kept.keys = input(1).value;
      kept.values = input(2).value;
      const auto masks = read(
          [&](std::size_t i) { return mask_of(members_[i].graph, entry(members_[i]), node(i)); });
      if (masks[some] >= 0) kept.mask = collect(masks).value;
      program_.attentions_.push_back(std::move(kept));
    }
  }

  /// Says after which step each value is no longer needed.
  void free() {
    std::vector<bool> kept(program_.values(), false);
    const auto keep = [&](int value) { kept[static_cast<std::size_t>(value)] = true; };
    for (const int output : program_.outputs_) keep(output);
    for (const auto& state : program_.states_) keep(state.write);
    for (const auto& loss : program_.losses_) keep(loss.value);
    for (const auto& attention : program_.attentions_) {
      for (const int value : {attention.queries, attention.keys, attention.values}) keep(value);
      if (attention.mask >= 0) keep(attention.mask);
    }
    for (std::size_t i = program_.steps_.size(); i-- > 0;) {
      auto& step = program_.steps_[i];
      const auto read = [&](int value) {
        if (kept[static_cast<std::size_t>(value)]) return;
        step.frees.push_back(value);
        keep(value);
      };
      for (const int input : step.inputs) read(input);
      for (const auto& [value, row] : step.rows) read(value);
    }
  }

  bool training_, attention_;
  Program program_;
  std::vector<Member> members_;
  std::vector<std::size_t> of_network_;
  std::map<std::string, std::size_t> index_;  ///< of nodes, by name
  std::size_t nodes_ = 0;
  std::vector<std::vector<int>> places_;  ///< by member and node
  std::vector<std::vector<Piece>> pieces_;
  std::map<std::tuple<std::string, std::vector<std::int64_t>, std::vector<int>, bool>, int>
      weight_index_;
  std::map<std::pair<std::vector<std::size_t>, std::vector<int>>, int> gathered_;
};

Program Program::compile(spaces::Graph graph, int networks, const std::string& entry, bool training,
                         bool attention) {
  return Compiler(std::move(graph), networks, entry, training, attention)();
}

Program Program::compile(std::span<const spaces::Graph* const> graphs, const std::string& entry,
                         bool training, bool attention) {
  return Compiler(graphs, entry, training, attention)();
}

bool is_attention(const spaces::GraphNode& node) {
  return node.op == "attention" || node.op == "relative_attention";
}

int last_self_attention(const spaces::Graph& graph, const std::string& entry) {
  const auto needed = needed_by(graph, graph.entry(entry));
  const auto length = [&](const spaces::GraphNode& node, std::size_t input) {
    return graph.nodes[static_cast<std::size_t>(node.inputs[input])].shape[0];
  };
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const auto& node = graph.nodes[i];
    if (needed[i] && is_attention(node) && length(node, 0) == length(node, 1))
      return static_cast<int>(i);
  }
  throw core::UsageError("a network without self-attention has no relations to be learned",
                         "remove distill_relations; distill learns from what a teacher answers");
}

}  // namespace mosaic::supernet
