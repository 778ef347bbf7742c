#include "mosaic/supernet/splitter.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

// ---- halves ------------------------------------------------------------------------------------

/// Sum of distances across the halves; `side` holds 0 or 1 per option.
double across(const std::vector<double>& distances, const std::vector<int>& side) {
  double sum = 0;
  for (std::size_t i = 0; i < side.size(); ++i)
    for (std::size_t j = i + 1; j < side.size(); ++j)
      if (side[i] != side[j]) sum += distances[i * side.size() + j];
  return sum;
}

/// Exchanges the pair of options that gains most until none gains (Kernighan & Lin 1970, single
/// exchanges).
void exchange(const std::vector<double>& distances, std::vector<int>& side) {
  const std::size_t n = side.size();
  // What option i would gain by changing sides: distances within its half minus those across.
  const auto gain = [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j)
      if (j != i) sum += (side[i] == side[j] ? 1 : -1) * distances[i * n + j];
    return sum;
  };
  for (;;) {
    std::vector<double> gains;
    for (std::size_t i = 0; i < n; ++i) gains.push_back(gain(i));
    double best = 1e-12;
    std::pair<std::size_t, std::size_t> pair;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) {
        if (side[i] == side[j]) continue;
        const double both = gains[i] + gains[j] + 2 * distances[i * n + j];
        if (both > best) {
          best = both;
          pair = {i, j};
        }
      }
    if (best <= 1e-12) return;
    std::swap(side[pair.first], side[pair.second]);
  }
}

std::vector<int> exact_halves(const std::vector<double>& distances, std::size_t options) {
  const auto small = static_cast<int>(options / 2);
  const auto large = static_cast<int>(options) - small;
  double best = -1;
  std::vector<int> result, side(options);
  for (std::uint32_t mask = 1; mask < 1u << options; mask += 2) {  // option 0 is always in
    const int size = std::popcount(mask);
    if (size != small && size != large) continue;
    for (std::size_t i = 0; i < options; ++i) side[i] = (mask >> i & 1) != 0 ? 0 : 1;
    if (const double sum = across(distances, side); sum > best) {
      best = sum;
      result = side;
    }
  }
  return result;
}

std::vector<int> exchanged_halves(const std::vector<double>& distances, std::size_t options,
                                  std::uint64_t seed) {
  constexpr std::uint64_t kStarts = 32;
  double best = -1;
  std::vector<int> result;
  for (std::uint64_t start = 0; start < kStarts; ++start) {
    core::Stream stream(seed, "halves", start);
    std::vector<int> side(options, 0);
    std::fill(side.begin() + static_cast<std::ptrdiff_t>(options / 2), side.end(), 1);
    stream.shuffle(side);
    exchange(distances, side);
    if (const double sum = across(distances, side); sum > best) {
      best = sum;
      result = side;
    }
  }
  return result;
}

std::string numbers(const std::vector<int>& options) {
  std::vector<std::string> result;
  for (const int option : options) result.push_back(std::to_string(option));
  return core::join(result, ",");
}

// ---- which weights count -----------------------------------------------------------------------

bool is_layer(const spaces::SuperGraph& graph, const spaces::Node& node) {
  return std::any_of(node.weights.begin(), node.weights.end(), [&](const auto& use) {
    return graph.slots[static_cast<std::size_t>(use.slot)].shape.size() >= 2;
  });
}

/// Does `gene` make or resize the node's weights?
bool owns(const spaces::Node& node, int gene) {
  if (node.condition.depends_on(gene)) return true;
  for (const auto& use : node.weights)
    for (const auto& extent : use.extents)
      if (extent.depends_on(gene)) return true;
  return false;
}

/// Slots of the first weighted layers (and what follows them up to the next), and of the last.
std::set<int> slots_at_the_ends(const spaces::SuperGraph& graph) {
  const std::size_t count = graph.nodes.size();
  std::vector<int> before(count, 0),
      after(count, 0);  // layers on the longest path, itself included
  for (std::size_t i = 0; i < count; ++i) {
    for (const int input : graph.nodes[i].inputs)
      before[i] = std::max(before[i], before[static_cast<std::size_t>(input)]);
    before[i] += is_layer(graph, graph.nodes[i]) ? 1 : 0;
  }
  for (std::size_t i = count; i-- > 0;) {
    after[i] += is_layer(graph, graph.nodes[i]) ? 1 : 0;
    for (const int input : graph.nodes[i].inputs) {
      auto& reached = after[static_cast<std::size_t>(input)];
      reached = std::max(reached, after[i]);
    }
  }
  std::set<int> result;
  for (std::size_t i = 0; i < count; ++i)
    if (before[i] <= 1 || (after[i] <= 1 && is_layer(graph, graph.nodes[i])))
      for (const auto& use : graph.nodes[i].weights) result.insert(use.slot);
  return result;
}

/// Names of the slots on which the options of `gene` are compared.
std::set<std::string> compared_slots(const spaces::SuperGraph& graph, int gene) {
  std::set<int> excluded = slots_at_the_ends(graph);
  for (const auto& node : graph.nodes)
    if (owns(node, gene))
      for (const auto& use : node.weights) excluded.insert(use.slot);
  std::set<std::string> result;
  for (std::size_t i = 0; i < graph.slots.size(); ++i)
    if (!excluded.contains(static_cast<int>(i))) result.insert(graph.slots[i].name);
  return result;
}

// ---- distances ---------------------------------------------------------------------------------

/// Products of the gradients of options, row-major, as distances 1 - cos.
std::vector<double> distances_of(const at::Tensor& products) {
  const at::Tensor p = products.to(at::kCPU, at::kDouble).contiguous();
  const auto n = static_cast<std::size_t>(p.size(0));
  const double* value = p.data_ptr<double>();
  std::vector<double> result(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      const double norms = std::sqrt(value[i * n + i]) * std::sqrt(value[j * n + j]);
      const bool both_zero = value[i * n + i] == 0 && value[j * n + j] == 0;
      const double cosine = both_zero ? 1 : norms > 0 ? value[i * n + j] / norms : 0;
      result[i * n + j] = 1 - std::clamp(cosine, -1.0, 1.0);
    }
  return result;
}

class GradientMatching {
 public:
  GradientMatching(const Supernet& supernet, const tasks::Task& task, const SplitSettings& settings)
      : supernet_(supernet), space_(supernet.space()), task_(task), settings_(settings) {
    const std::int64_t size = task.size(tasks::Split::train);
    if (settings.batch_size < 2 || settings.batch_size > size)
      throw core::UsageError("a batch of " + std::to_string(settings.batch_size) +
                                 " images cannot be made of " + std::to_string(size),
                             "use a batch_size from 2 to " + std::to_string(size));
    if (settings.repeats < 1 || settings.batches < 1)
      throw core::UsageError("gradients of no batch tell nothing",
                             "use at least one repeat and one batch");
    per_epoch_ = size / settings.batch_size;
  }

  GeneDistances operator()(std::size_t gene) {
    const std::size_t options = space_.genes()[gene].labels.size();
    GeneDistances result;
    result.gene = space_.genes()[gene].name;
    std::vector<double> sum(options * options, 0.0), squares(options * options, 0.0);
    parameters_ = compared(gene);
    for (std::int64_t repeat = 0; repeat < settings_.repeats; ++repeat) {
      const auto rest = architecture(gene, repeat);
      if (!rest) continue;
      const auto distances = at_architecture(gene, *rest, repeat);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += distances[i];
        squares[i] += distances[i] * distances[i];
      }
      ++result.repeats;
    }
    const auto n = static_cast<double>(result.repeats);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double mean = n > 0 ? sum[i] / n : 0;
      result.mean.push_back(mean);
      result.error.push_back(
          n > 1 ? std::sqrt(std::max(0.0, squares[i] / n - mean * mean) / (n - 1)) : 0);
    }
    result.left = best_halves(result.mean, options, settings_.seed);
    for (int option = 0; option < static_cast<int>(options); ++option)
      if (!std::binary_search(result.left.begin(), result.left.end(), option))
        result.right.push_back(option);
    for (const int a : result.left)
      for (const int b : result.right)
        result.cut +=
            result.mean[static_cast<std::size_t>(a) * options + static_cast<std::size_t>(b)];
    result.cut /= static_cast<double>(result.left.size() * result.right.size());
    return result;
  }

  double images() const { return images_; }

 private:
  NamedTensors compared(std::size_t gene) const {
    NamedTensors result;
    for (const auto& slot : compared_slots(space_.graph(), static_cast<int>(gene)))
      for (std::int64_t part = 0; part < supernet_.router().parts(); ++part)
        result.emplace_back(slot, supernet_.bank().experts(slot, part));
    return result;
  }

  /// A random architecture that has the decision; none where a hundred have not.
  std::optional<spaces::Genotype> architecture(std::size_t gene, std::int64_t repeat) const {
    constexpr int kTries = 100;
    core::Stream stream(settings_.seed, "rest of architecture", static_cast<std::uint64_t>(repeat));
    for (int i = 0; i < kTries; ++i) {
      const auto genotype = space_.random(stream);
      if (space_.active_genes(genotype)[gene]) return genotype;
    }
    return std::nullopt;
  }

  /// Mean distances over the batches of one repeat.
  std::vector<double> at_architecture(std::size_t gene, spaces::Genotype genotype,
                                      std::int64_t repeat) {
    const std::size_t options = space_.genes()[gene].labels.size();
    std::vector<double> result(options * options, 0.0);
    for (std::int64_t i = 0; i < settings_.batches; ++i) {
      const std::int64_t number = repeat * settings_.batches + i;
      const auto batch =
          task_.training_batch(number / per_epoch_, number % per_epoch_, settings_.batch_size);
      std::vector<at::Tensor> gradients;
      for (std::size_t option = 0; option < options; ++option) {
        genotype[gene] = static_cast<int>(option);
        gradients.push_back(gradient(space_.canonical(genotype), batch));
      }
      const at::Tensor rows = at::stack(gradients);
      const auto distances = distances_of(at::matmul(rows, rows.t()));
      for (std::size_t j = 0; j < result.size(); ++j)
        result[j] += distances[j] / static_cast<double>(settings_.batches);
    }
    return result;
  }

  /// Gradient of the loss with respect to the compared weights, in one row.
  at::Tensor gradient(const spaces::Genotype& genotype, const tasks::Batch& batch) {
    const at::Tensor logits =
        supernet_.forward(space_.bind(genotype), genotype, batch.inputs, NormMode::batch, nullptr);
    const at::Tensor loss = task_.loss(logits, batch.targets, 0);
    images_ += static_cast<double>(batch.inputs.size(0));
    std::vector<at::Tensor> weights, rows;
    for (const auto& [name, tensor] : parameters_) weights.push_back(tensor);
    if (weights.empty()) return at::zeros({1}, logits.options());
    const auto gradients =
        torch::autograd::grad({loss}, weights, {}, std::nullopt, false, /*allow_unused=*/true);
    for (std::size_t i = 0; i < weights.size(); ++i)
      rows.push_back(gradients[i].defined()
                         ? gradients[i].reshape(-1)
                         : at::zeros({weights[i].numel()}, weights[i].options()));
    return at::cat(rows);
  }

  const Supernet& supernet_;
  const spaces::Space& space_;
  const tasks::Task& task_;
  const SplitSettings& settings_;
  std::int64_t per_epoch_ = 1;
  NamedTensors parameters_;
  double images_ = 0;
};

std::string random_split(const spaces::Gene& gene, core::Stream& stream) {
  std::vector<int> order(gene.labels.size());
  std::iota(order.begin(), order.end(), 0);
  stream.shuffle(order);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>((order.size() + 1) / 2);
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  return gene.name + ":" + numbers({order.begin(), middle}) + "|" + numbers({middle, order.end()});
}

}  // namespace

std::vector<int> best_halves(const std::vector<double>& distances, std::size_t options,
                             std::uint64_t seed) {
  constexpr std::size_t kExact = 20;
  const auto side = options <= kExact ? exact_halves(distances, options)
                                      : exchanged_halves(distances, options, seed);
  std::vector<int> result;
  for (std::size_t i = 0; i < options; ++i)
    if (side[i] == side[0]) result.push_back(static_cast<int>(i));
  return result;
}

Split choose_split(const Supernet& supernet, const tasks::Task& task,
                   const SplitSettings& settings) {
  const auto& genes = supernet.space().genes();
  if (genes.empty())
    throw core::UsageError("space '" + supernet.space().name() + "' has no decision to split",
                           "choose another space, or other options of it");
  Split split;
  core::Stream stream(settings.seed, "split");
  if (settings.method == "random" || settings.method == "exhaustive") {
    const auto& gene = genes[static_cast<std::size_t>(stream.below(genes.size()))];
    split.text = settings.method == "random" ? random_split(gene, stream) : "gene=" + gene.name;
    return split;
  }
  if (settings.method != "gradient")
    throw core::UsageError("unknown method of splitting '" + settings.method + "'",
                           "known: exhaustive, gradient, random");
  GradientMatching matching(supernet, task, settings);
  for (std::size_t gene = 0; gene < genes.size(); ++gene) split.genes.push_back(matching(gene));
  const auto best = std::max_element(split.genes.begin(), split.genes.end(),
                                     [](const auto& a, const auto& b) { return a.cut < b.cut; });
  split.text = best->gene + ":" + numbers(best->left) + "|" + numbers(best->right);
  split.images = matching.images();
  return split;
}

}  // namespace mosaic::supernet
