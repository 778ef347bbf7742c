#include "mosaic/supernet/scoring/scoring.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <optional>

#include "engine/channels.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/supernet/scoring/generation.hpp"

namespace mosaic::supernet {
namespace {

bool is_normalised(const spaces::Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const auto& node) { return node.op == "batch_norm"; });
}

/// Networks to be judged side by side.
struct Judged {
  std::size_t count = 1;
  /// Outputs [networks, batch, ...].
  std::function<at::Tensor(const NamedTensors&)> forward;
  /// Makes one of them ready to write.
  std::function<StepwiseNetwork(std::size_t, const std::string& written)> stepwise = {};
};

/// Of the task's metrics those that are asked for (Scoring::metrics).
std::vector<tasks::MetricType> asked_for(const tasks::Task& task,
                                         const std::vector<std::string>& names) {
  auto types = tasks::all_metrics(task);
  std::erase_if(types, [&](const auto& type) {
    return names.empty() ? type.of_written
                         : std::find(names.begin(), names.end(), type.name) == names.end();
  });
  return types;
}

std::vector<Score> evaluate_all(const Judged& networks, const tasks::Task& task, tasks::Split split,
                                std::int64_t examples, std::int64_t batch_size,
                                const std::vector<std::string>& names) {
  at::NoGradGuard guard;
  const std::int64_t size = task.size(split);
  const std::int64_t count = examples > 0 ? std::min(examples, size) : size;
  if (count == 0)
    throw core::Error("task '" + task.name() + "' has no " + tasks::to_string(split) + " examples",
                      "give the task a folder with that split, or another share for validation");
  const auto types = asked_for(task, names);
  const auto written =
      std::count_if(types.begin(), types.end(), [](const auto& type) { return type.of_written; });
  const bool outputs_needed = static_cast<std::size_t>(written) < types.size();
  const auto how = task.writing();
  std::vector<StepwiseNetwork> writers;
  if (written > 0)
    for (std::size_t i = 0; i < networks.count; ++i)
      writers.push_back(networks.stepwise(i, how.value().input));
  std::vector<std::vector<std::unique_ptr<tasks::Metric>>> metrics(networks.count);
  for (auto& of_network : metrics)
    for (const auto& type : types) of_network.push_back(type.make());
  std::optional<core::Activity> activity;
  if (written > 0) activity.emplace("write answers");
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    core::check_interrupt();
    if (activity)
      activity->say("write answers: " + core::with_commas(begin) + " of " +
                    core::with_commas(count));
    const auto batch =
        task.batch({.split = split, .begin = begin, .count = std::min(batch_size, count - begin)});
    const at::Tensor outputs =
        outputs_needed ? networks.forward(batch.inputs).to(at::kFloat) : at::Tensor();
    for (std::size_t i = 0; i < networks.count; ++i) {
      const at::Tensor answer = written > 0 ? write(writers[i], batch.inputs, *how) : at::Tensor();
      for (std::size_t m = 0; m < types.size(); ++m)
        metrics[i][m]->add(types[m].of_written ? answer : outputs[static_cast<std::int64_t>(i)],
                           batch.targets);
    }
  }
  std::vector<Score> result(networks.count);
  for (std::size_t i = 0; i < networks.count; ++i)
    for (std::size_t m = 0; m < types.size(); ++m)
      result[i][types[m].name] = metrics[i][m]->result();
  return result;
}

/// Networks with fixed weights, run side by side on the same examples.
class Fixed {
 public:
  Fixed(const std::vector<const spaces::Graph*>& graphs, const std::vector<WeightSource>& sources)
      : graphs_(graphs),
        sources_(sources),
        program_(Program::compile(graphs, "forward", /*training=*/false)) {
    for (const auto& weight : program_.weights()) {
      std::vector<at::Tensor> rows;
      for (const int network : weight.networks)
        rows.push_back(sources[static_cast<std::size_t>(network)](weight.ref));
      weights_.push_back(at::stack(rows));
    }
  }

  /// [networks, batch, ...].
  at::Tensor operator()(const NamedTensors& inputs, NormMode mode, NormStats* stats) const {
    return run(program_, repeated(inputs, size()), weights_, {.norm = mode, .stats = stats})
        .values[0];
  }
  std::size_t size() const { return static_cast<std::size_t>(program_.networks()); }
  const spaces::Graph& graph() const { return *graphs_[0]; }
  StepwiseNetwork stepwise(std::size_t network, const std::string& written) const {
    return {*graphs_[network], written, sources_[network]};
  }

 private:
  std::vector<const spaces::Graph*> graphs_;
  std::vector<WeightSource> sources_;
  Program program_;
  std::vector<at::Tensor> weights_;  ///< parallel to program_.weights()
};

/// The most numbers that an example's output can be.
std::int64_t outputs_of(const spaces::TaskShape& task) {
  spaces::Symbols longest = task.typical;
  for (const auto& port : task.inputs)
    if (port.longest > 0)
      for (const auto& dim : port.shape)
        for (const auto& symbol : dim.symbols) longest[symbol] = port.longest;
  std::int64_t result = 1;
  for (const auto& dim : task.output) result *= dim.value(longest);
  return result;
}

std::vector<Score> score(const Fixed& networks, const std::string& device, const tasks::Task& task,
                         const Scoring& scoring) {
  at::NoGradGuard guard;
  auto& context = at::globalContext();
  const auto reset = c10::make_scope_exit(
      [&, before = context.allowTF32CuDNN()] { context.setAllowTF32CuDNN(before); });
  context.setAllowTF32CuDNN(scoring.tf32);
  constexpr std::int64_t kBatch = 250, kExamplesOnGpu = 8000;  // of all networks
  constexpr std::int64_t kMostOutputs = 1 << 29;               // 2 GiB of float32
  NormStats stats =
      calibrate([&](const NamedTensors& inputs,
                    NormStats* recorded) { networks(inputs, NormMode::calibrate, recorded); },
                networks.graph(), task, scoring.calibration);
  const auto count = static_cast<std::int64_t>(networks.size());
  // One network may be of any size; many are side by side because they are small.
  const std::int64_t usual = device == "cpu" ? kBatch
                             : count == 1    ? 2 * kBatch
                                             : std::max(kBatch, kExamplesOnGpu / count);
  const std::int64_t at_once =
      std::clamp<std::int64_t>(kMostOutputs / (count * outputs_of(task.shape())), 1, usual);
  return evaluate_all(
      {networks.size(),
       [&](const NamedTensors& inputs) { return networks(inputs, NormMode::stored, &stats); },
       [&](std::size_t i, const std::string& written) { return networks.stepwise(i, written); }},
      task, scoring.split, scoring.examples, at_once, scoring.metrics);
}

}  // namespace

NormStats calibrate(const std::function<void(const NamedTensors&, NormStats*)>& forward,
                    const spaces::Graph& graph, const tasks::Task& task, std::int64_t examples) {
  at::NoGradGuard guard;
  constexpr std::int64_t kBatch = 256;
  const std::int64_t size = task.size(tasks::Split::train), wanted = std::min(examples, size);
  NormStats stats;
  if (wanted < 1 || !is_normalised(graph)) return stats;
  const std::int64_t batch = std::min(kBatch, wanted);
  // A last piece much smaller than the rest would count as much as a whole batch.
  const std::int64_t batches = std::min((wanted + batch / 2) / batch, size / batch);
  for (std::int64_t index = 0; index < batches; ++index)
    forward(task.batch({.begin = index * batch, .count = batch, .epoch = 0}).inputs, &stats);
  return stats;
}

Score evaluate(const std::function<at::Tensor(const NamedTensors&)>& forward,
               const tasks::Task& task, tasks::Split split, std::int64_t examples,
               std::int64_t batch_size) {
  return evaluate_all({1, [&](const NamedTensors& inputs) { return forward(inputs).unsqueeze(0); }},
                      task, split, examples, batch_size, {})[0];
}

Score evaluate(const Subnet& subnet, const tasks::Task& task, tasks::Split split, bool written) {
  std::vector<std::string> names;
  for (const auto& type : tasks::all_metrics(task))
    if (written || !type.of_written) names.push_back(type.name);
  const auto stepwise = [&](std::size_t, const std::string& input) {
    return StepwiseNetwork(subnet.graph(), input,
                           [&](const spaces::WeightRef& ref) { return subnet.weight(ref); });
  };
  return evaluate_all(
      {1, [&](const NamedTensors& inputs) { return subnet.forward(inputs).unsqueeze(0); },
       stepwise},
      task, split, 0, 500, names)[0];
}

std::vector<Score> score_supernets(std::span<Supernet* const> supernets,
                                   const spaces::Genotype& genotype, const tasks::Task& task,
                                   const Scoring& scoring) {
  at::NoGradGuard guard;
  const spaces::Graph graph = supernets[0]->space().bind(genotype);
  std::vector<WeightSource> sources;
  for (const auto* supernet : supernets) sources.push_back(supernet->weights(genotype, graph));
  return score({std::vector<const spaces::Graph*>(supernets.size(), &graph), sources},
               supernets[0]->device(), task, scoring);
}

std::vector<Score> score_subnets(std::span<Subnet* const> subnets, const tasks::Task& task,
                                 const Scoring& scoring) {
  std::vector<const spaces::Graph*> graphs;
  std::vector<WeightSource> sources;
  for (const auto* subnet : subnets) {
    graphs.push_back(&subnet->graph());
    sources.emplace_back([subnet](const spaces::WeightRef& ref) { return subnet->weight(ref); });
  }
  return score({graphs, sources}, subnets[0]->device(), task, scoring);
}

}  // namespace mosaic::supernet
