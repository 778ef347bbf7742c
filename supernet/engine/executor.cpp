#include "mosaic/supernet/engine/executor.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

#include "engine/channels.hpp"
#include "engine/steps.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

/// Checks an input of the entry point, and notes the lengths that its symbols stand for.
void check_input(const spaces::GraphNode& node, const at::Tensor& input, std::int64_t networks,
                 spaces::Symbols& symbols) {
  const std::size_t leading = 2;  // networks, batch
  bool fits = input.dim() == static_cast<std::int64_t>(node.shape.size() + leading) &&
              input.size(0) == networks;
  std::string expected = "[" + (networks > 1 ? std::to_string(networks) + ", batch" : "batch");
  for (std::size_t axis = 0; axis < node.shape.size(); ++axis) {
    const auto& dim = node.shape[axis];
    expected += ", " + (dim.symbols.empty() ? std::to_string(dim.factor) : dim.symbols[0]);
    if (!fits) continue;
    const std::int64_t size = input.size(static_cast<std::int64_t>(axis + leading));
    if (dim.symbols.empty())
      fits = size == dim.factor;
    else if (dim.factor == 1 && dim.symbols.size() == 1)
      fits = symbols.try_emplace(dim.symbols[0], size).first->second == size;
  }
  if (!fits)
    throw core::Error(
        "input '" + node.name + "' has shape " +
            shape_text(networks > 1 || input.dim() == 0 ? input.sizes() : input.sizes().slice(1)) +
            ", the network takes " + expected + "]",
        "feed it the data it was made for, or extract a network for this input size");
}

}  // namespace

void NormStats::add(const std::string& node, const at::Tensor& mean, const at::Tensor& variance) {
  Entry& entry = entries_[node];
  ++entry.batches;
  if (entry.batches == 1) {
    entry.mean = mean.clone();
    entry.variance = variance.clone();
    return;
  }
  const double share = 1.0 / static_cast<double>(entry.batches);
  entry.mean.lerp_(mean, share);
  entry.variance.lerp_(variance, share);
}

const NormStats::Entry& NormStats::at(const std::string& node) const {
  const auto found = entries_.find(node);
  if (found == entries_.end())
    throw core::Error("normalisation layer '" + node + "' has no statistics",
                      "calibrate the network first");
  return found->second;
}

void NormStats::to(const std::string& device) {
  for (auto& [node, entry] : entries_) {
    entry.mean = entry.mean.to(at::Device(device));
    entry.variance = entry.variance.to(at::Device(device));
  }
}

at::Tensor OpCall::weight(const std::string& role) const {
  for (std::size_t i = 0; i < node.weights.size(); ++i)
    if (node.weights[i].role == role) return weights[i];
  return {};
}

Inputs::Inputs(at::Tensor only) : tensors_{{"", std::move(only)}} {}
Inputs::Inputs(NamedTensors by_name) : tensors_(std::move(by_name)) {}

std::vector<at::Tensor> Inputs::of(std::span<const spaces::GraphNode> nodes) const {
  if (tensors_.size() == 1 && tensors_[0].first.empty() && nodes.size() == 1)
    return {tensors_[0].second};
  std::vector<at::Tensor> result;
  for (const auto& node : nodes) {
    const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                    [&](const auto& given) { return given.first == node.name; });
    if (found == tensors_.end()) {
      const auto wanted = core::mapped(nodes, &spaces::GraphNode::name);
      throw core::Error("the network lacks its input '" + node.name + "'",
                        "feed it " + core::join(wanted));
    }
    result.push_back(found->second);
  }
  return result;
}

const at::Tensor& Values::row(int value, int row) {
  auto& rows = rows_[static_cast<std::size_t>(value)];
  if (rows.empty()) rows = split_networks((*this)[value]);
  return rows[static_cast<std::size_t>(row)];
}

void Values::free(int value) {
  (*this)[value] = at::Tensor();
  rows_[static_cast<std::size_t>(value)].clear();
}

spaces::Symbols lengths_of(const Program& program, const std::vector<at::Tensor>& inputs) {
  spaces::Symbols symbols;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    check_input(program.inputs()[i], inputs[i], program.networks(), symbols);
  return symbols;
}

void run_steps(const Program& program, std::size_t begin, std::size_t end, Values& values,
               std::span<const at::Tensor> weights, const Mode& mode, const at::Tensor& entry_input,
               const spaces::Symbols& symbols) {
  int next = program.value_of(begin);
  std::vector<at::Tensor> arguments, own;
  for (std::size_t i = begin; i < end; ++i) {
    const auto& step = program.steps()[i];
    arguments.clear();
    if (step.rows.empty()) {
      for (const int input : step.inputs) arguments.push_back(values[input]);
      own.clear();
      for (const int weight : step.weights)
        own.push_back(weights[static_cast<std::size_t>(weight)]);
      values[next++] =
          op_kernels().at(step.node.op)({step.node, arguments, own, mode, entry_input,
                                         static_cast<std::int64_t>(step.networks.size()), symbols});
    } else {
      for (const auto& [value, row] : step.rows) arguments.push_back(values.row(value, row));
      values[next++] = join_networks(arguments);
    }
    arguments.clear();
    for (const int value : step.frees) values.free(value);
  }
}

Outputs outputs_of(const Program& program, Values& values) {
  Outputs result;
  for (const int output : program.outputs()) result.values.push_back(values[output]);
  for (const auto& state : program.states())
    result.states.emplace_back(state.name, values[state.write]);
  for (const auto& loss : program.losses())
    result.losses.push_back({loss.name, loss.weight, values[loss.value], loss.networks});
  for (const auto& kept : program.attentions())
    result.attentions.push_back({values[kept.queries], values[kept.keys], values[kept.values],
                                 kept.mask < 0 ? at::Tensor() : values[kept.mask], kept.heads,
                                 kept.kv_heads, kept.causal, kept.networks});
  return result;
}

Outputs run(const Program& program, const Inputs& given, std::span<const at::Tensor> weights,
            const Mode& mode, const NamedTensors& states) {
  const auto inputs = given.of(program.inputs());
  if (weights.size() != program.weights().size())
    throw std::logic_error("a program is run with the weights that it lists");
  const spaces::Symbols symbols = lengths_of(program, inputs);
  Values values(program.values());
  int next = 0;
  for (const auto& input : inputs) values[next++] = input;
  for (const auto& state : program.states()) {
    const auto kept = std::find_if(states.begin(), states.end(),
                                   [&](const auto& known) { return known.first == state.name; });
    if (kept != states.end()) {
      values[next++] = kept->second;
      continue;
    }
    std::vector<std::int64_t> shape{program.networks(), inputs[0].size(1)};
    for (const auto& dim : state.shape) shape.push_back(dim.value(symbols));
    values[next++] = at::zeros(shape, inputs[0].options().dtype(at::kFloat));
  }
  run_steps(program, 0, program.steps().size(), values, weights, mode, inputs[0], symbols);
  return outputs_of(program, values);
}

std::vector<at::Tensor> execute(const spaces::Graph& graph, const std::string& entry,
                                const Inputs& inputs, const WeightSource& weights, NormMode mode,
                                NormStats* stats) {
  const spaces::Graph* const one[] = {&graph};
  return execute(Program::compile(one, entry, /*training=*/false), inputs, weights, mode, stats);
}

std::vector<at::Tensor> execute(const Program& program, const Inputs& inputs,
                                const WeightSource& weights, NormMode mode, NormStats* stats) {
  std::vector<at::Tensor> result;
  for (const auto& value : run_alone(program, inputs, weights, mode, stats).values)
    result.push_back(value.squeeze(0));
  return result;
}

Outputs run_alone(const Program& program, const Inputs& inputs, const WeightSource& weights,
                  NormMode mode, NormStats* stats) {
  if (!program.states().empty())
    throw std::logic_error("entry point '" + program.entry() +
                           "' has states: run() takes and gives them");
  NamedTensors given;
  const auto unnamed = inputs.of(program.inputs());
  for (std::size_t i = 0; i < unnamed.size(); ++i)
    given.emplace_back(program.inputs()[i].name, unnamed[i].unsqueeze(0));
  std::vector<at::Tensor> own;
  for (const auto& weight : program.weights()) own.push_back(weights(weight.ref).unsqueeze(0));
  return run(program, given, own, {.norm = mode, .stats = stats});
}

NamedTensors random_inputs(const spaces::Graph& graph, const std::string& entry, std::int64_t batch,
                           std::uint64_t seed, const std::string& device,
                           const spaces::Symbols& symbols) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  NamedTensors result;
  for (const int index : graph.entry(entry).inputs) {
    const auto& node = graph.nodes[static_cast<std::size_t>(index)];
    std::vector<std::int64_t> shape{batch};
    for (const auto& dim : node.shape) shape.push_back(dim.value(symbols));
    at::Tensor input = node.type == spaces::DataType::int64
                           ? at::randint(node.attribute("range"), shape, generator, at::kLong)
                           : at::randn(shape, generator);
    if (input.dim() == 4) input = input.contiguous(at::MemoryFormat::ChannelsLast);
    result.emplace_back(node.name, input.to(at::Device(device)));
  }
  return result;
}

}  // namespace mosaic::supernet
