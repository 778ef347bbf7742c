#include "mosaic/supernet/training/splitter.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "sharing/cuts.hpp"
#include "sharing/slots.hpp"
#include "training/gradient.hpp"
#include "training/slot_gradients.hpp"

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

/// The slots on which the options of `gene` are compared.
std::vector<int> compared_slots(const spaces::SuperGraph& graph, int gene) {
  std::set<int> excluded = slots_at_the_ends(graph);
  for (const auto& node : graph.nodes)
    if (owns(node, gene))
      for (const auto& use : node.weights) excluded.insert(use.slot);
  std::vector<int> result;
  for (int slot = 0; slot < static_cast<int>(graph.slots.size()); ++slot)
    if (!excluded.contains(slot)) result.push_back(slot);
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

/// Distances between the options of a decision, for several supernets at once.
class GradientMatching {
 public:
  GradientMatching(std::span<Supernet* const> members, Trainee& trainee, const tasks::Task& task,
                   const TrainSettings& train, const SplitSettings& settings)
      : members_(members),
        space_(members[0]->space()),
        trainee_(trainee),
        task_(task),
        settings_(settings),
        gradients_(members, trainee, task, train) {
    const std::int64_t size = task.size(tasks::Split::train);
    if (settings.batch_size < 2 || settings.batch_size > size)
      throw core::UsageError("a batch of " + std::to_string(settings.batch_size) +
                                 " examples cannot be made of " + std::to_string(size),
                             "use a batch_size from 2 to " + std::to_string(size));
    if (settings.repeats < 1 || settings.batches < 1)
      throw core::UsageError("gradients of no batch tell nothing",
                             "use at least one repeat and one batch");
    per_epoch_ = size / settings.batch_size;
  }

  /// The distances for each member.
  std::vector<GeneDistances> operator()(std::size_t gene) {
    const std::size_t options = space_.genes()[gene].labels.size();
    slots_ = compared_slots(space_.graph(), static_cast<int>(gene));
    std::vector<GeneDistances> results(members_.size());
    for (auto& result : results) {
      result.gene = space_.genes()[gene].name;
      result.mean.assign(options * options, 0.0);
    }
    double repeats = 0;
    for (std::int64_t repeat = 0; repeat < settings_.repeats; ++repeat) {
      const auto rest = architecture(gene, repeat);
      if (!rest) continue;
      const auto distances = at_architecture(gene, *rest, repeat);
      for (std::size_t member = 0; member < members_.size(); ++member)
        for (std::size_t i = 0; i < options * options; ++i)
          results[member].mean[i] += distances[member][i];
      ++repeats;
    }
    for (auto& result : results)
      for (double& distance : result.mean) distance /= std::max(repeats, 1.0);
    return results;
  }

 private:
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

  /// Mean distances over the batches of one repeat, by member.
  std::vector<std::vector<double>> at_architecture(std::size_t gene, spaces::Genotype genotype,
                                                   std::int64_t repeat) {
    const std::size_t options = space_.genes()[gene].labels.size();
    std::vector<std::vector<double>> result(members_.size(),
                                            std::vector<double>(options * options, 0.0));
    for (std::int64_t i = 0; i < settings_.batches; ++i) {
      const std::int64_t number = repeat * settings_.batches + i;
      const auto batch = training_batch(trainee_, task_, number / per_epoch_, number % per_epoch_,
                                        settings_.batch_size);
      std::vector<at::Tensor> rows;
      for (std::size_t option = 0; option < options; ++option) {
        genotype[gene] = static_cast<int>(option);
        rows.push_back(compared_row(gradients_(space_.canonical(genotype), batch)));
      }
      const at::Tensor of_members = at::stack(rows, 1);  // [members, options, entries]
      const at::Tensor products = at::matmul(of_members, of_members.transpose(1, 2)).cpu();
      for (std::size_t member = 0; member < members_.size(); ++member) {
        const auto distances = distances_of(products[static_cast<std::int64_t>(member)]);
        for (std::size_t j = 0; j < distances.size(); ++j)
          result[member][j] += distances[j] / static_cast<double>(settings_.batches);
      }
    }
    return result;
  }

  /// Gradients of the compared slots side by side: [members, entries].
  at::Tensor compared_row(const std::vector<at::Tensor>& gradients) const {
    const auto count = static_cast<std::int64_t>(members_.size());
    const auto options = at::TensorOptions().device(at::Device(trainee_.device()));
    std::vector<at::Tensor> parts{at::zeros({count, 1}, options)};
    for (const int slot : slots_) {
      const auto entries = slot_size(space_.graph().slots[static_cast<std::size_t>(slot)]);
      const at::Tensor& gradient = gradients[static_cast<std::size_t>(slot)];
      parts.push_back(gradient.defined() ? gradient : at::zeros({count, entries}, options));
    }
    return at::cat(parts, 1);
  }

  std::span<Supernet* const> members_;
  const spaces::Space& space_;
  const Trainee& trainee_;
  const tasks::Task& task_;
  const SplitSettings& settings_;
  SlotGradients gradients_;
  std::int64_t per_epoch_ = 1;
  std::vector<int> slots_;
};

// ---- cuts --------------------------------------------------------------------------------------

/// The groups of a decision's options that share weights now: all of them where no cut divides it.
std::vector<std::vector<int>> groups_of(const std::vector<Cut>& cuts, int gene,
                                        std::size_t options) {
  for (const auto& cut : cuts)
    if (cut.gene == gene) return cut.groups;
  std::vector<int> all(options);
  std::iota(all.begin(), all.end(), 0);
  return {all};
}

std::string with_groups(const std::vector<spaces::Gene>& genes, std::vector<Cut> cuts, int gene,
                        const std::vector<std::vector<int>>& groups) {
  const auto found =
      std::find_if(cuts.begin(), cuts.end(), [&](const auto& cut) { return cut.gene == gene; });
  if (found == cuts.end())
    cuts.push_back({gene, groups});
  else
    found->groups = groups;
  return cuts_text(genes, cuts);
}

/// Halves every group that can be halved, so that distances across the halves are greatest.
void halve(GeneDistances& gene, const std::vector<std::vector<int>>& groups, std::size_t options,
           std::uint64_t seed) {
  double sum = 0, pairs = 0;
  for (const auto& group : groups) {
    if (group.size() < 2) {
      gene.groups.push_back(group);
      continue;
    }
    std::vector<double> inner;
    for (const int i : group)
      for (const int j : group)
        inner.push_back(
            gene.mean[static_cast<std::size_t>(i) * options + static_cast<std::size_t>(j)]);
    std::vector<int> left, right;
    const auto half = best_halves(inner, group.size(), seed);
    for (std::size_t i = 0; i < group.size(); ++i)
      (std::binary_search(half.begin(), half.end(), static_cast<int>(i)) ? left : right)
          .push_back(group[i]);
    for (const int a : left)
      for (const int b : right)
        sum += gene.mean[static_cast<std::size_t>(a) * options + static_cast<std::size_t>(b)];
    pairs += static_cast<double>(left.size() * right.size());
    gene.groups.push_back(std::move(left));
    gene.groups.push_back(std::move(right));
  }
  gene.cut = pairs > 0 ? sum / pairs : 0;
}

/// A random decision that can be divided further: random halves of its groups, or all options.
std::string split_at_random(const std::vector<spaces::Gene>& genes, const std::vector<Cut>& cuts,
                            bool exhaustive, core::Stream& stream) {
  std::vector<int> fit;
  for (int gene = 0; gene < static_cast<int>(genes.size()); ++gene) {
    const auto groups = groups_of(cuts, gene, genes[static_cast<std::size_t>(gene)].labels.size());
    if (std::any_of(groups.begin(), groups.end(), [](const auto& g) { return g.size() > 1; }))
      fit.push_back(gene);
  }
  if (fit.empty()) return cuts_text(genes, cuts);
  const int gene = fit[static_cast<std::size_t>(stream.below(fit.size()))];
  std::vector<std::vector<int>> groups;
  for (auto group : groups_of(cuts, gene, genes[static_cast<std::size_t>(gene)].labels.size())) {
    if (exhaustive) {
      for (const int option : group) groups.push_back({option});
      continue;
    }
    stream.shuffle(group);
    const auto middle = group.begin() + static_cast<std::ptrdiff_t>((group.size() + 1) / 2);
    std::sort(group.begin(), middle);
    std::sort(middle, group.end());
    groups.emplace_back(group.begin(), middle);
    if (middle != group.end()) groups.emplace_back(middle, group.end());
  }
  return with_groups(genes, cuts, gene, groups);
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

double cost_of_split(const spaces::Space& space, const SplitSettings& settings) {
  if (settings.method != "gradient") return 0;
  double options = 0;
  for (const auto& gene : space.genes()) options += static_cast<double>(gene.labels.size());
  return options * static_cast<double>(settings.repeats * settings.batches * settings.batch_size);
}

std::vector<Split> choose_splits(std::span<Supernet* const> members, Trainee& trainee,
                                 const tasks::Task& task, const TrainSettings& train,
                                 const SplitSettings& settings) {
  const auto& space = members[0]->space();
  const auto& genes = space.genes();
  if (genes.empty())
    throw core::UsageError("space '" + space.name() + "' has no decision to split",
                           "choose another space, or other options of it");
  const std::vector<std::string> known{"exhaustive", "gradient", "random"};
  if (std::find(known.begin(), known.end(), settings.method) == known.end())
    throw core::UsageError("unknown method of splitting '" + settings.method + "'",
                           "known: " + core::join(known));
  std::vector<std::vector<Cut>> cuts;
  for (const auto* member : members) {
    const auto& sharing = member->sharing_settings();
    const bool divided = sharing.kind == "partition" && !sharing.split.empty();
    cuts.push_back(divided ? parse_cuts(genes, sharing.split) : std::vector<Cut>{});
  }
  std::vector<Split> splits(members.size());
  if (settings.method != "gradient") {
    for (std::size_t i = 0; i < members.size(); ++i) {
      core::Stream stream(settings.seed, "split", members[i]->seed());
      splits[i].text = split_at_random(genes, cuts[i], settings.method == "exhaustive", stream);
    }
    return splits;
  }
  GradientMatching matching(members, trainee, task, train, settings);
  for (std::size_t gene = 0; gene < genes.size(); ++gene) {
    auto found = matching(gene);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::size_t options = genes[gene].labels.size();
      halve(found[i], groups_of(cuts[i], static_cast<int>(gene), options), options, settings.seed);
      splits[i].genes.push_back(std::move(found[i]));
    }
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto& all = splits[i].genes;
    const auto best = std::max_element(all.begin(), all.end(),
                                       [](const auto& a, const auto& b) { return a.cut < b.cut; });
    splits[i].text =
        with_groups(genes, cuts[i], static_cast<int>(best - all.begin()), best->groups);
  }
  return splits;
}

}  // namespace mosaic::supernet
