/// An architecture (or several that run as one) compiled to steps, for an engine to run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/spaces/graph.hpp"

namespace mosaic::supernet {

/// What an engine runs, in order, for one entry point of one or several networks of a space. Values
/// are numbered: first the inputs of the entry point, then the states it reads, then the result of
/// each step. A value belongs to some of the networks, ascending, and has one row for each of them.
class Program {
 public:
  /// A kernel call for networks whose nodes agree in op, attributes and shapes; or, without a
  /// node's op, rows of other values put together.
  struct Step {
    spaces::GraphNode node;     ///< its name is unique in the program: statistics are kept by it
    std::vector<int> networks;  ///< rows of the result
    std::vector<int> inputs;    ///< values
    std::vector<int> weights;   ///< of weights(), parallel to node.weights
    std::vector<std::pair<int, int>> rows;  ///< of a step without op: value and row in it
    std::vector<int> frees;                 ///< values that no later step reads
    /// Op, attributes, extents, number of networks: steps of one key run the same kernels.
    std::string key;
  };
  /// What steps read of a slot, for these networks. In programs for training a table that embeds
  /// and gives logits is there twice: what logits read is a factor.
  struct Weight {
    spaces::WeightRef ref;
    std::vector<int> networks;
    bool factor = false;  ///< of products alone: may be given in the type that these are made in
  };
  struct State {
    std::string name;
    std::vector<spaces::Dim> shape;
    int read = -1;   ///< value
    int write = -1;  ///< value
  };
  /// An auxiliary loss, of the networks that have it.
  struct Loss {
    std::string name;
    double weight = 1;
    int value = -1;
    std::vector<int> networks;
  };
  /// What the last self-attention of some networks reads; their nodes agree in attributes and
  /// shapes.
  struct Attention {
    int queries = -1, keys = -1, values = -1;  ///< values
    int mask = -1;                             ///< 0 where a position does not count; -1: none
    std::int64_t heads = 1, kv_heads = 1;
    bool causal = false;
    std::vector<int> networks;
  };

  /// graphs[i] for network i. For training, nodes are fused (fusion.hpp) and auxiliary losses, of
  /// networks that have such, are computed. `attention`: what each network's last self-attention
  /// reads is kept. Throws core::Error for an unknown entry point and for an auxiliary loss that
  /// this one cannot compute, core::UsageError where a network has no attention to keep,
  /// std::logic_error for graphs of different spaces.
  static Program compile(std::span<const spaces::Graph* const> graphs, const std::string& entry,
                         bool training, bool attention = false);
  /// The same of so many networks of one graph.
  static Program compile(spaces::Graph graph, int networks, const std::string& entry, bool training,
                         bool attention = false);

  const std::string& entry() const { return entry_; }
  int networks() const { return networks_; }
  std::size_t values() const { return inputs_.size() + states_.size() + steps_.size(); }
  const std::vector<spaces::GraphNode>& inputs() const { return inputs_; }
  const std::vector<Step>& steps() const { return steps_; }
  /// The value of a step, by number.
  int value_of(std::size_t step) const {
    return static_cast<int>(inputs_.size() + states_.size() + step);
  }
  const std::vector<Weight>& weights() const { return weights_; }
  const std::vector<int>& outputs() const { return outputs_; }
  const std::vector<State>& states() const { return states_; }
  const std::vector<Loss>& losses() const { return losses_; }
  /// Empty unless it was compiled to keep them.
  const std::vector<Attention>& attentions() const { return attentions_; }

 private:
  friend class Compiler;
  std::string entry_;
  int networks_ = 0;
  std::vector<spaces::GraphNode> inputs_;
  std::vector<Step> steps_;
  std::vector<Weight> weights_;
  std::vector<int> outputs_;
  std::vector<State> states_;
  std::vector<Loss> losses_;
  std::vector<Attention> attentions_;
};

/// Does the node attend, with inputs queries, keys and values?
bool is_attention(const spaces::GraphNode& node);
/// The node of the last self-attention that an entry point computes: of attention whose queries and
/// keys are as many. In networks of encoder and decoder that is the decoder's. Throws
/// core::UsageError where there is none.
int last_self_attention(const spaces::Graph& graph, const std::string& entry);

}  // namespace mosaic::supernet
