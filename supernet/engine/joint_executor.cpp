#include "engine/joint_executor.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "engine/channels.hpp"
#include "engine/runnable.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::supernet {
namespace {

/// Channels of some networks side by side: [batch, members * channels, ...].
struct Piece {
  at::Tensor value;
  std::vector<int> members;
  std::vector<at::Tensor> single = {};  ///< of each member, once somebody asked for one

  const at::Tensor& of(std::size_t position) {
    // One split for all who read a part: its backward pass is one concatenation.
    if (single.empty()) single = split_channels(value, static_cast<std::int64_t>(members.size()));
    return single[position];
  }
};

/// A node of all graphs: which members have it, and where.
struct JointNode {
  std::vector<int> members;
  std::vector<const spaces::GraphNode*> nodes;  ///< parallel to members
};

/// Everything that members must agree on to run a node as one.
using Signature = std::tuple<std::string, std::map<std::string, std::int64_t>,
                             std::map<std::string, double>, std::vector<std::vector<std::int64_t>>>;

std::vector<std::int64_t> sizes(const std::vector<spaces::Dim>& shape) {
  std::vector<std::int64_t> result;
  for (const auto& dim : shape) result.push_back(dim.value());
  return result;
}

/// [batch, networks * classes] as [networks, batch, classes].
at::Tensor by_network(const at::Tensor& logits, std::size_t networks) {
  const auto count = static_cast<std::int64_t>(networks);
  return logits.unflatten(1, {count, logits.size(1) / count}).transpose(0, 1);
}

class JointRun {
 public:
  JointRun(std::span<const spaces::Graph* const> graphs, const JointWeights& weights, NormMode mode,
           NormStats* stats)
      : graphs_(graphs), weights_(weights), mode_(mode), stats_(stats) {
    for (std::size_t member = 0; member < graphs.size(); ++member)
      add(static_cast<int>(member), *graphs[member]);
    order();
  }

  at::Tensor run(const at::Tensor& inputs) {
    std::vector<int> all(graphs_.size());
    std::iota(all.begin(), all.end(), 0);
    for (const std::size_t index : order_) {
      const auto& joint = nodes_[index];
      if (joint.nodes[0]->op == "input")
        pieces_[index].push_back({inputs, all});
      else
        for (const auto& [signature, positions] : buckets(joint))
          run_bucket(index, positions, inputs);
      release(index);
    }
    const std::size_t output = index_.at(output_name(0));
    for (std::size_t member = 1; member < graphs_.size(); ++member)
      if (index_.at(output_name(member)) != output)
        throw std::logic_error("networks of one space end in one node");
    return by_network(gather(std::vector<std::size_t>(all.size(), output), all), all.size());
  }

 private:
  std::string output_name(std::size_t member) const {
    const auto& graph = *graphs_[member];
    const auto& forward = graph.entry("forward");
    expect_no_states(forward);
    return graph.nodes[static_cast<std::size_t>(forward.outputs[0])].name;
  }

  void add(int member, const spaces::Graph& graph) {
    std::vector<std::size_t> indices;
    for (const auto& node : graph.nodes) {
      const auto [found, fresh] = index_.emplace(node.name, nodes_.size());
      if (fresh) nodes_.emplace_back();
      auto& joint = nodes_[found->second];
      joint.members.push_back(member);
      joint.nodes.push_back(&node);
      indices.push_back(found->second);
    }
    producers_.push_back({});
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      std::vector<std::size_t> inputs;
      for (const int input : graph.nodes[i].inputs)
        inputs.push_back(indices[static_cast<std::size_t>(input)]);
      producers_.back()[indices[i]] = std::move(inputs);
    }
    sequences_.insert(std::move(indices));
  }

  /// A common order of all graphs' nodes: nodes of one space stand in the same order in each.
  void order() {
    std::vector<std::set<std::size_t>> after(nodes_.size());
    std::vector<int> waiting(nodes_.size(), 0);
    for (const auto& sequence : sequences_)
      for (std::size_t i = 1; i < sequence.size(); ++i)
        if (after[sequence[i - 1]].insert(sequence[i]).second) ++waiting[sequence[i]];
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (waiting[i] == 0) ready.insert(i);
    while (!ready.empty()) {
      const std::size_t next = *ready.begin();
      ready.erase(ready.begin());
      order_.push_back(next);
      for (const std::size_t other : after[next])
        if (--waiting[other] == 0) ready.insert(other);
    }
    if (order_.size() != nodes_.size())
      throw std::logic_error("networks that run as one must be of one space");
    pieces_.resize(nodes_.size());
    last_reader_.assign(nodes_.size(), nodes_.size());  // outputs stay
    for (std::size_t place = order_.size(); place-- > 0;)
      for (const int member : nodes_[order_[place]].members)
        for (const std::size_t input :
             producers_[static_cast<std::size_t>(member)].at(order_[place]))
          if (last_reader_[input] == nodes_.size()) last_reader_[input] = order_[place];
  }

  /// Positions in `joint` of the members that run as one, in order of their first member.
  std::vector<std::pair<Signature, std::vector<std::size_t>>> buckets(
      const JointNode& joint) const {
    std::vector<std::pair<Signature, std::vector<std::size_t>>> result;
    for (std::size_t position = 0; position < joint.members.size(); ++position) {
      const auto& node = *joint.nodes[position];
      const auto& graph = *graphs_[static_cast<std::size_t>(joint.members[position])];
      std::vector<std::vector<std::int64_t>> shapes{sizes(node.shape)};
      for (const int input : node.inputs)
        shapes.push_back(sizes(graph.nodes[static_cast<std::size_t>(input)].shape));
      for (const auto& weight : node.weights) {
        shapes.push_back(weight.full);
        shapes.push_back(weight.active);
      }
      Signature signature{node.op, node.attributes, node.reals, std::move(shapes)};
      const auto found = std::find_if(result.begin(), result.end(),
                                      [&](const auto& known) { return known.first == signature; });
      if (found != result.end())
        found->second.push_back(position);
      else
        result.push_back({std::move(signature), {position}});
    }
    return result;
  }

  void run_bucket(std::size_t index, const std::vector<std::size_t>& positions,
                  const at::Tensor& entry_input) {
    const auto& joint = nodes_[index];
    spaces::GraphNode node = *joint.nodes[positions[0]];
    // Statistics are kept by name, and this node may run in several pieces.
    if (!pieces_[index].empty()) node.name += " " + std::to_string(pieces_[index].size() + 1);
    std::vector<int> members;
    for (const std::size_t position : positions) members.push_back(joint.members[position]);
    std::vector<at::Tensor> arguments;
    for (std::size_t input = 0; input < node.inputs.size(); ++input) {
      std::vector<std::size_t> from;
      for (const int member : members)
        from.push_back(producers_[static_cast<std::size_t>(member)].at(index)[input]);
      arguments.push_back(gather(from, members));
    }
    const WeightSource weights = [&](const spaces::WeightRef& ref) {
      return weights_(ref, members);
    };
    at::Tensor value =
        op_kernels().at(node.op)({node, arguments, weights, entry_input, mode_, stats_,
                                  static_cast<std::int64_t>(members.size())});
    pieces_[index].push_back({std::move(value), std::move(members)});
  }

  /// Outputs of the nodes `from` (one each) of `members`, side by side. Asked twice, computed once.
  at::Tensor gather(const std::vector<std::size_t>& from, const std::vector<int>& members) {
    for (auto& piece : pieces_[from[0]])
      if (piece.members == members &&
          std::all_of(from.begin(), from.end(), [&](auto node) { return node == from[0]; }))
        return piece.value;
    at::Tensor& kept = gathered_[{from, members}];
    if (kept.defined()) return kept;
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < members.size(); ++i)
      for (auto& piece : pieces_[from[i]]) {
        const auto at = std::lower_bound(piece.members.begin(), piece.members.end(), members[i]);
        if (at != piece.members.end() && *at == members[i])
          parts.push_back(piece.of(static_cast<std::size_t>(at - piece.members.begin())));
      }
    kept = parts.size() == 1 ? parts[0] : join_channels(parts);
    return kept;
  }

  /// Frees what no later node reads.
  void release(std::size_t done) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (last_reader_[i] == done) pieces_[i].clear();
    std::erase_if(gathered_, [&](const auto& entry) {
      return std::all_of(entry.first.first.begin(), entry.first.first.end(),
                         [&](auto node) { return pieces_[node].empty(); });
    });
  }

  std::span<const spaces::Graph* const> graphs_;
  const JointWeights& weights_;
  NormMode mode_;
  NormStats* stats_;
  std::map<std::string, std::size_t> index_;
  std::vector<JointNode> nodes_;
  std::vector<std::map<std::size_t, std::vector<std::size_t>>> producers_;  ///< by member
  std::set<std::vector<std::size_t>> sequences_;
  std::vector<std::size_t> order_;
  std::vector<std::size_t> last_reader_;
  std::vector<std::vector<Piece>> pieces_;
  std::map<std::pair<std::vector<std::size_t>, std::vector<int>>, at::Tensor> gathered_;
};

/// Networks of one graph: its nodes, each with the channels of all networks.
at::Tensor execute_alike(const spaces::Graph& graph, std::size_t networks, const at::Tensor& inputs,
                         const JointWeights& joint_weights, NormMode mode, NormStats* stats) {
  std::vector<int> all(networks);
  std::iota(all.begin(), all.end(), 0);
  const WeightSource weights = [&](const spaces::WeightRef& ref) {
    return joint_weights(ref, all);
  };
  return by_network(execute(graph, "forward", {&inputs, 1}, weights, mode, stats,
                            static_cast<std::int64_t>(networks))[0],
                    networks);
}

}  // namespace

at::Tensor execute_joint(std::span<const spaces::Graph* const> graphs, const at::Tensor& inputs,
                         const JointWeights& weights, NormMode mode, NormStats* stats) {
  if (std::all_of(graphs.begin(), graphs.end(),
                  [&](const auto* graph) { return graph == graphs[0]; }))
    return execute_alike(*graphs[0], graphs.size(), inputs, weights, mode, stats);
  return JointRun(graphs, weights, mode, stats).run(inputs);
}

}  // namespace mosaic::supernet
