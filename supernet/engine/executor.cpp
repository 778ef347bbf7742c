#include "mosaic/supernet/engine/executor.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/runnable.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::supernet {
namespace {

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

void check_input(const spaces::GraphNode& node, const at::Tensor& input, std::int64_t networks) {
  bool fits = input.dim() == static_cast<std::int64_t>(node.shape.size()) + 1;
  std::string expected = "[batch";
  for (std::size_t axis = 0; axis < node.shape.size(); ++axis) {
    const auto& dim = node.shape[axis];
    const bool fixed = dim.symbols.empty();
    const std::int64_t size = axis == 0 ? networks * dim.factor : dim.factor;
    expected += ", " + (fixed ? std::to_string(size) : dim.symbols[0]);
    fits = fits && (!fixed || input.size(static_cast<std::int64_t>(axis) + 1) == size);
  }
  if (!fits)
    throw core::Error("input '" + node.name + "' has shape " + shape_text(input.sizes()) +
                          ", the network takes " + expected + "]",
                      "feed it the data it was made for, or extract a network for this input size");
}

}  // namespace

void expect_no_losses(const std::vector<spaces::AuxiliaryLoss>& losses) {
  if (!losses.empty())
    throw core::Error("the space adds the auxiliary loss '" + losses[0].name +
                          "' to what is trained, and training does not add it yet",
                      "leave auxiliary_loss() out of the space, or train it elsewhere");
}

void expect_no_states(const spaces::EntryPoint& entry) {
  if (!entry.states.empty())
    throw core::Error("entry point '" + entry.name + "' keeps the state '" + entry.states[0].name +
                          "' between calls, and the executor does not keep it yet",
                      "make the state an input and an output of the entry point");
}

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
  const auto* ref = node.weight(role);
  return ref ? weights(*ref) : at::Tensor();
}

std::vector<at::Tensor> execute(const spaces::Graph& graph, const std::string& entry,
                                std::span<const at::Tensor> inputs, const WeightSource& weights,
                                NormMode mode, NormStats* stats, std::int64_t networks) {
  const auto& point = graph.entry(entry);
  expect_no_states(point);
  if (inputs.size() != point.inputs.size())
    throw core::Error("entry point '" + entry + "' takes " + std::to_string(point.inputs.size()) +
                      " inputs, not " + std::to_string(inputs.size()));
  const std::size_t count = graph.nodes.size();
  // Nodes that this entry point needs, and the last reader of each.
  std::vector<std::size_t> last_reader(count, 0);
  std::vector<bool> needed(count, false);
  for (const int output : point.outputs) {
    needed[static_cast<std::size_t>(output)] = true;
    last_reader[static_cast<std::size_t>(output)] = count;
  }
  for (std::size_t i = count; i-- > 0;)
    if (needed[i])
      for (const int input : graph.nodes[i].inputs) {
        const auto index = static_cast<std::size_t>(input);
        last_reader[index] = std::max(last_reader[index], i);
        needed[index] = true;
      }
  std::vector<at::Tensor> values(count);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto index = static_cast<std::size_t>(point.inputs[i]);
    check_input(graph.nodes[index], inputs[i], networks);
    values[index] = inputs[i];
  }
  std::vector<at::Tensor> arguments;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& node = graph.nodes[i];
    if (!needed[i] || values[i].defined()) continue;
    arguments.clear();
    for (const int input : node.inputs)
      arguments.push_back(values[static_cast<std::size_t>(input)]);
    values[i] =
        op_kernels().at(node.op)({node, arguments, weights, inputs[0], mode, stats, networks});
    for (const int input : node.inputs)
      if (last_reader[static_cast<std::size_t>(input)] == i)
        values[static_cast<std::size_t>(input)] = at::Tensor();
  }
  std::vector<at::Tensor> outputs;
  for (const int output : point.outputs)
    outputs.push_back(values[static_cast<std::size_t>(output)]);
  return outputs;
}

std::vector<at::Tensor> random_inputs(const spaces::Graph& graph, const std::string& entry,
                                      std::int64_t batch, std::uint64_t seed,
                                      const std::string& device) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<at::Tensor> result;
  for (const int index : graph.entry(entry).inputs) {
    std::vector<std::int64_t> shape{batch};
    for (const auto& dim : graph.nodes[static_cast<std::size_t>(index)].shape)
      shape.push_back(dim.value());
    at::Tensor input = at::randn(shape, generator);
    if (input.dim() == 4) input = input.contiguous(at::MemoryFormat::ChannelsLast);
    result.push_back(input.to(at::Device(device)));
  }
  return result;
}

}  // namespace mosaic::supernet
