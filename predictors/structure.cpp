#include "mosaic/predictors/structure.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

enum GroupIndex : std::size_t { kGenes, kNodes, kChains, kCounts, kDepth, kGroups };
constexpr std::size_t kMostColumns = 512;      // of a group: those that most sampled networks have
constexpr std::size_t kLongestChain = 3;       // ops in a row
constexpr std::uint64_t kChainBase = 1 << 20;  // labels are this many at most

std::uint64_t key_of(std::string_view text, std::uint64_t salt = 0) {
  return core::hash64(text) + salt;
}

bool has_matrix(const spaces::GraphNode& node) {
  return std::any_of(node.weights.begin(), node.weights.end(),
                     [](const auto& weight) { return weight.active.size() >= 2; });
}

/// Ops that mix places or channels, and bare connections; what only bends or adds up values is
/// looked through.
bool is_landmark(const spaces::GraphNode& node) {
  return node.attributes.contains("kernel") || has_matrix(node) || node.op == "identity";
}

std::uint64_t label_of(const spaces::GraphNode& node) {
  std::string text = node.op;
  if (const auto kernel = node.attributes.find("kernel"); kernel != node.attributes.end())
    text += "/" + std::to_string(kernel->second);
  return 1 + core::hash64(text) % (kChainBase - 1);
}

/// Ways that end in a node, as far as they matter.
struct Ways {
  std::map<std::uint64_t, float> chains;  // of up to kLongestChain - 1 labels -> number
  double count = 0;
  double longest = 0;  // landmarks with weights on the way
  double shortest = 0;
  double widest = 0;  // landmarks with a kernel above one, most on a way
};

Ways join(const spaces::GraphNode& node, const std::vector<Ways>& ways) {
  Ways joined;
  bool first = true;
  for (const int input : node.inputs) {
    const Ways& from = ways[static_cast<std::size_t>(input)];
    for (const auto& [chain, number] : from.chains) joined.chains[chain] += number;
    joined.count += from.count;
    joined.longest = std::max(joined.longest, from.longest);
    joined.shortest = first ? from.shortest : std::min(joined.shortest, from.shortest);
    joined.widest = std::max(joined.widest, from.widest);
    first = false;
  }
  if (first) joined.count = 1;
  return joined;
}

std::size_t length_of(std::uint64_t chain) {
  std::size_t length = 0;
  for (; chain != 0; chain /= kChainBase) ++length;
  return length;
}

/// Passes a landmark: chains grow by its label, and those that reach it are counted.
Ways pass(const spaces::GraphNode& node, Ways ways, std::map<std::uint64_t, float>& counted) {
  const std::uint64_t label = label_of(node);
  std::map<std::uint64_t, float> grown{{label, 1.0F}};
  for (const auto& [chain, number] : ways.chains) {
    const std::uint64_t longer = chain * kChainBase + label;
    counted[longer] += number;
    if (length_of(longer) < kLongestChain) grown[longer] += number;
  }
  counted[label] += 1;
  ways.chains = std::move(grown);
  const double weighs = has_matrix(node) ? 1 : 0;
  const auto kernel = node.attributes.find("kernel");
  ways.longest += weighs;
  ways.shortest += weighs;
  ways.widest += weighs > 0 && kernel != node.attributes.end() && kernel->second > 1 ? 1 : 0;
  return ways;
}

}  // namespace

StructureFeatures::StructureFeatures(const spaces::Space& space, std::size_t sample)
    : space_(space), groups_{"genes", "nodes", "chains", "counts", "depth"} {
  core::Stream stream(1, "predictors/structure");
  std::vector<Raw> raws;
  for (std::size_t i = 0; i < sample; ++i) raws.push_back(raw(space.random(stream)));
  choose_columns(raws);
  scale_groups(raws);
}

void StructureFeatures::add_genes(const spaces::Genotype& genotype, Raw& raw) const {
  std::map<std::uint64_t, float> taken;
  for (std::size_t i = 0; i < genotype.size(); ++i) {
    const auto& gene = space_.genes()[i];
    const auto option = static_cast<std::size_t>(genotype[i]);
    const double scaled = static_cast<double>(option) /
                          static_cast<double>(std::max<std::size_t>(gene.labels.size() - 1, 1));
    if (gene.ordered) {
      raw[kGenes].emplace_back(i << 16, static_cast<float>(scaled));
      taken[key_of("sizes")] += static_cast<float>(scaled);
    } else {
      raw[kGenes].emplace_back((i << 16) + option + 1, 1.0F);
      taken[key_of(gene.labels[option], 1)] += 1;
    }
  }
  raw[kCounts].insert(raw[kCounts].end(), taken.begin(), taken.end());
}

StructureFeatures::Raw StructureFeatures::raw(const spaces::Genotype& genotype) const {
  Raw raw(kGroups);
  add_genes(genotype, raw);
  const spaces::Graph graph = space_.bind(genotype);
  const spaces::Symbols& symbols = space_.symbols();
  std::vector<Ways> ways;
  std::map<std::uint64_t, float> chains;
  std::map<std::uint64_t, float> ops;
  for (const auto& node : graph.nodes) {
    const std::uint64_t name = key_of(node.name);
    raw[kNodes].emplace_back(name, 1.0F);
    for (std::size_t axis = 0; axis < node.shape.size(); ++axis)
      raw[kNodes].emplace_back(name + 1 + axis,
                               static_cast<float>(node.shape[axis].value(symbols)));
    for (const auto& [key, value] : node.attributes)
      raw[kNodes].emplace_back(name ^ key_of(key), static_cast<float>(value));
    Ways joined = join(node, ways);
    if (is_landmark(node)) {
      ops[label_of(node)] += 1;
      joined = pass(node, std::move(joined), chains);
    }
    ways.push_back(std::move(joined));
  }
  raw[kChains].assign(chains.begin(), chains.end());
  raw[kCounts].insert(raw[kCounts].end(), ops.begin(), ops.end());
  raw[kCounts].emplace_back(key_of("params", 2),
                            static_cast<float>(spaces::count_parameters(graph)));
  raw[kCounts].emplace_back(key_of("flops", 2),
                            static_cast<float>(spaces::count_flops(graph, symbols)));
  raw[kCounts].emplace_back(key_of("bytes", 2),
                            static_cast<float>(spaces::activation_bytes(graph, symbols)));
  for (const auto& entry : graph.entries)
    for (const int output : entry.outputs) {
      const Ways& end = ways[static_cast<std::size_t>(output)];
      const std::uint64_t name = key_of(entry.name);
      raw[kDepth].emplace_back(name, static_cast<float>(std::log1p(end.count)));
      raw[kDepth].emplace_back(name + 1, static_cast<float>(end.longest));
      raw[kDepth].emplace_back(name + 2, static_cast<float>(end.shortest));
      raw[kDepth].emplace_back(name + 3, static_cast<float>(end.widest));
    }
  return raw;
}

void StructureFeatures::choose_columns(const std::vector<Raw>& sample) {
  starts_ = {0};
  columns_.resize(kGroups);
  for (std::size_t g = 0; g < kGroups; ++g) {
    // Ordered by key, so that the choice does not depend on a hash table's order.
    std::map<Key, std::vector<float>> values;
    for (std::size_t n = 0; n < sample.size(); ++n)
      for (const auto& [key, value] : sample[n][g]) {
        auto& column = values.try_emplace(key, sample.size(), 0.0F).first->second;
        column[n] = value;
      }
    std::set<std::vector<float>> seen;
    std::vector<std::pair<std::size_t, Key>> kept;  // by how many networks have it
    for (const auto& [key, column] : values) {
      const bool constant =
          std::all_of(column.begin(), column.end(),
                      [first = column[0]](float value) { return value == first; });
      if (constant) continue;
      // A shape that only tells whether the node is there repeats the node.
      std::vector<float> shape = column;
      const float top = *std::max_element(shape.begin(), shape.end());
      const float low = *std::min_element(shape.begin(), shape.end());
      for (float& value : shape) value = (value - low) / (top - low);
      if (!seen.insert(shape).second) continue;
      const auto present =
          std::count_if(column.begin(), column.end(), [](float value) { return value != 0; });
      kept.emplace_back(static_cast<std::size_t>(present), key);
    }
    std::stable_sort(kept.begin(), kept.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    kept.resize(std::min(kept.size(), kMostColumns));
    std::size_t next = starts_.back();
    for (const auto& [present, key] : kept) {
      const auto& column = values.at(key);
      Column made{next++, 0, 1};
      const auto [low, top] = std::minmax_element(column.begin(), column.end());
      if (g == kNodes) made.scale = 1 / (*top - *low);
      if (g == kCounts || g == kDepth) {
        double sum = 0;
        double squares = 0;
        for (const float value : column) sum += value, squares += double(value) * value;
        const double count = static_cast<double>(column.size());
        const double mean = sum / count;
        made.shift = static_cast<float>(mean);
        made.scale = static_cast<float>(
            1 / std::max(std::sqrt(std::max(squares / count - mean * mean, 0.0)), 1e-12));
      }
      columns_[g].emplace(key, made);
    }
    starts_.push_back(next);
  }
}

void StructureFeatures::scale_groups(const std::vector<Raw>& sample) {
  const auto zero = [this] {
    base_.assign(size(), 0.0F);
    for (const auto& group : columns_)
      for (const auto& [key, column] : group) base_[column.place] = -column.shift * column.scale;
  };
  zero();
  const auto rows = core::mapped(sample, [&](const Raw& raw) { return place(raw); });
  for (std::size_t g = 0; g < kGroups; ++g) {
    double sum = 0;
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const Row& a = rows[n];
      const Row& b = rows[(n + 1) % rows.size()];
      for (std::size_t j = starts_[g]; j < starts_[g + 1]; ++j)
        sum += (double(a[j]) - b[j]) * (double(a[j]) - b[j]);
    }
    const double spread = sum / static_cast<double>(std::max<std::size_t>(rows.size(), 1));
    if (spread <= 0) continue;
    const auto factor = static_cast<float>(std::sqrt(kSpread / spread));
    for (auto& [key, column] : columns_[g]) column.scale *= factor;
  }
  zero();
}

StructureFeatures::Row StructureFeatures::place(const Raw& raw) const {
  Row row = base_;
  for (std::size_t g = 0; g < kGroups; ++g)
    for (const auto& [key, value] : raw[g]) {
      const auto found = columns_[g].find(key);
      if (found == columns_[g].end()) continue;
      const Column& column = found->second;
      row[column.place] = (value - column.shift) * column.scale;
    }
  return row;
}

StructureFeatures::Row StructureFeatures::operator()(const spaces::Genotype& genotype) const {
  return place(raw(genotype));
}

}  // namespace mosaic::predictors
