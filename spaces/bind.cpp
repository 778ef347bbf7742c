// From the SuperGraph and a genotype to one architecture.
#include <algorithm>
#include <stdexcept>

#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

std::vector<Dim> dims_of(const Shape& shape, const Genotype& genotype) {
  return core::mapped(shape, [&](const Extent& e) { return Dim{e.at(genotype), e.symbols()}; });
}

bool has_bias(const Node& node) {
  return std::any_of(node.weights.begin(), node.weights.end(),
                     [](const WeightUse& use) { return use.role == "bias"; });
}

/// One pass forward resolves conditions, selects and dead values; one pass backward keeps what
/// reaches an output.
class Binder {
 public:
  Binder(const SuperGraph& super, const Genotype& genotype)
      : super_(super),
        genotype_(genotype),
        source_(super.nodes.size(), -1),
        dead_(super.nodes.size(), false) {}

  Graph run() {
    for (std::size_t i = 0; i < super_.nodes.size(); ++i) resolve(i);
    mark_needed();
    emit();
    return std::move(graph_);
  }

 private:
  const Node& node(int index) const { return super_.nodes[static_cast<std::size_t>(index)]; }
  bool is_dead(int index) const { return dead_[static_cast<std::size_t>(index)]; }
  /// The node whose output stands for node `index` in this architecture.
  int source(int index) const {
    const int result = source_[static_cast<std::size_t>(index)];
    if (result < 0)
      throw std::logic_error("node '" + node(index).name +
                             "' is read by an architecture that does not have it");
    return result;
  }

  void resolve(std::size_t i) {
    const Node& current = super_.nodes[i];
    if (current.condition.at(genotype_) == 0) return;
    if (current.op == "select") {
      const auto taken = static_cast<std::size_t>(current.attributes.at("index").at(genotype_));
      source_[i] = source(current.inputs[taken]);
      return;
    }
    source_[i] = static_cast<int>(i);
    const auto& spec = ops().at(current.op);
    const bool revived = spec.bias_revives && has_bias(current);
    dead_[i] =
        current.op == "zeros" || (spec.keeps_zero && !revived && !current.inputs.empty() &&
                                  std::all_of(current.inputs.begin(), current.inputs.end(),
                                              [&](int input) { return is_dead(source(input)); }));
  }

  /// Inputs that node `index` really reads.
  std::vector<int> live_inputs(int index) const {
    std::vector<int> result;
    if (is_dead(index)) return result;
    const bool drops = ops().at(node(index).op).drops_dead_inputs;
    for (const int input : node(index).inputs)
      if (const int read = source(input); !drops || !is_dead(read)) result.push_back(read);
    return result;
  }

  void need(int index) { needed_[static_cast<std::size_t>(index)] = true; }

  void mark_needed() {
    needed_.assign(super_.nodes.size(), false);
    for (const auto& entry : super_.entries) {
      for (const int input : entry.inputs) need(source(input));
      for (const int output : entry.outputs) need(source(output));
      for (const auto& state : entry.states) need(source(state.read)), need(source(state.write));
    }
    for (const auto& loss : super_.losses)
      if (source_[static_cast<std::size_t>(loss.node)] >= 0) need(source(loss.node));
    for (int i = static_cast<int>(super_.nodes.size()); i-- > 0;)
      if (needed_[static_cast<std::size_t>(i)])
        for (const int input : live_inputs(i)) need(input);
  }

  void emit() {
    position_.assign(super_.nodes.size(), -1);
    for (int i = 0; i < static_cast<int>(super_.nodes.size()); ++i) {
      if (!needed_[static_cast<std::size_t>(i)]) continue;
      position_[static_cast<std::size_t>(i)] = static_cast<int>(graph_.nodes.size());
      graph_.nodes.push_back(bound(i));
    }
    const auto positions = [&](const std::vector<int>& indices) {
      std::vector<int> result;
      for (const int index : indices) result.push_back(position(index));
      return result;
    };
    for (const auto& entry : super_.entries) {
      EntryPoint made{entry.name, positions(entry.inputs), positions(entry.outputs), {}};
      for (const auto& state : entry.states)
        made.states.push_back({state.name, position(state.read), position(state.write)});
      graph_.entries.push_back(std::move(made));
    }
    for (const auto& loss : super_.losses)
      if (source_[static_cast<std::size_t>(loss.node)] >= 0)
        graph_.losses.push_back({loss.name, position(loss.node), loss.weight});
  }

  int position(int index) const { return position_[static_cast<std::size_t>(source(index))]; }

  GraphNode bound(int index) const {
    const Node& from = node(index);
    GraphNode to;
    to.name = from.name;
    to.scope = from.scope;
    to.type = from.type;
    to.shape = dims_of(from.shape, genotype_);
    if (is_dead(index)) {  // read by something that needs real zeros
      to.op = "zeros";
      return to;
    }
    to.op = from.op;
    for (const int input : live_inputs(index))
      to.inputs.push_back(position_[static_cast<std::size_t>(input)]);
    for (const auto& [key, extent] : from.attributes) to.attributes[key] = extent.at(genotype_);
    to.reals = from.reals;
    for (const auto& use : from.weights) {
      const Slot& slot = super_.slots[static_cast<std::size_t>(use.slot)];
      WeightRef ref{use.role, slot.name, slot.shape, {}, use.crops};
      for (const auto& extent : use.extents) ref.active.push_back(extent.at(genotype_));
      to.weights.push_back(std::move(ref));
    }
    return to;
  }

  const SuperGraph& super_;
  const Genotype& genotype_;
  std::vector<int> source_;
  std::vector<bool> dead_;
  std::vector<bool> needed_;
  std::vector<int> position_;
  Graph graph_;
};

}  // namespace

Graph bind(const SuperGraph& graph, const Genotype& genotype) {
  return Binder(graph, genotype).run();
}

}  // namespace mosaic::spaces
