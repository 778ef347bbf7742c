// Few-shot NAS (Zhao et al. 2021, "Few-shot neural architecture search"): the space is cut into
// parts, and each part has a whole supernet of its own. Fewer architectures share a weight, so they
// agree better on what it should be. Hu et al. 2022 ("Generalizing few-shot NAS with gradient
// matching") halve the options of a decision instead of taking them one by one; which decision and
// which halves, splitter.hpp finds out.
#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "sharing/cuts.hpp"

namespace mosaic::supernet {
namespace {

constexpr std::int64_t kMostParts = 1024;

/// A tree of questions about decisions; its leaves are the parts.
class PartTree {
 public:
  /// The products of all groups of the cuts.
  static PartTree product(const std::vector<spaces::Gene>& genes, const std::vector<Cut>& cuts) {
    PartTree tree;
    tree.add_product(genes, cuts, 0);
    return tree;
  }
  /// Random halves of a random decision, again and again until there are `parts`, a power of two.
  static PartTree random(const std::vector<spaces::Gene>& genes, std::int64_t parts,
                         core::Stream stream) {
    std::vector<std::vector<int>> allowed;
    for (const auto& gene : genes) {
      allowed.emplace_back(gene.labels.size());
      std::iota(allowed.back().begin(), allowed.back().end(), 0);
    }
    PartTree tree;
    tree.add_random(genes, allowed, parts, stream);
    return tree;
  }

  std::int64_t parts() const { return parts_; }
  std::int64_t part(const spaces::Genotype& genotype) const {
    const Node* node = &nodes_[0];
    while (node->gene >= 0) {
      const int option = genotype[static_cast<std::size_t>(node->gene)];
      node = &nodes_[node->next[static_cast<std::size_t>(option)]];
    }
    return node->part;
  }
  bool operator==(const PartTree&) const = default;

  /// The questions, parents before children.
  std::vector<SharingEnd> ends(const std::vector<spaces::Gene>& genes) const {
    std::vector<SharingEnd> result;
    for (const auto& node : nodes_) {
      if (node.gene < 0) continue;
      const auto& gene = genes[static_cast<std::size_t>(node.gene)];
      std::map<std::size_t, std::vector<std::string>> groups;
      for (std::size_t option = 0; option < node.next.size(); ++option)
        if (node.next[option] != 0) groups[node.next[option]].push_back(gene.labels[option]);
      std::vector<std::string> texts;
      for (const auto& [next, labels] : groups) texts.push_back("{" + core::join(labels) + "}");
      result.push_back({gene.name, core::join(texts, " | ")});
    }
    return result;
  }

  /// The part of `parent` that holds each part of this tree. Throws std::logic_error where one lies
  /// in several.
  std::vector<std::int64_t> ancestors(const PartTree& parent, std::size_t genes) const {
    std::vector<std::int64_t> result(static_cast<std::size_t>(parts_), -1);
    find_ancestors(parent, 0, spaces::Genotype(genes, 0), {}, result);
    return result;
  }

 private:
  struct Node {
    int gene = -1;                  ///< the question; -1: a leaf
    std::vector<std::size_t> next;  ///< node by option
    std::int64_t part = -1;
    bool operator==(const Node&) const = default;
  };

  /// `example` lies in the part below `node`; `free`: the options that could stand in its place.
  void find_ancestors(const PartTree& parent, std::size_t node, spaces::Genotype example,
                      std::map<int, std::vector<int>> free,
                      std::vector<std::int64_t>& result) const {
    const Node& here = nodes_[node];
    if (here.gene < 0) {
      const auto part = parent.part(example);
      for (const auto& [gene, options] : free)
        for (const int option : options) {
          auto other = example;
          other[static_cast<std::size_t>(gene)] = option;
          if (parent.part(other) != part)
            throw std::logic_error("a split must divide the parts that there are");
        }
      result[static_cast<std::size_t>(here.part)] = part;
      return;
    }
    std::map<std::size_t, std::vector<int>> groups;
    for (std::size_t option = 0; option < here.next.size(); ++option)
      if (here.next[option] != 0) groups[here.next[option]].push_back(static_cast<int>(option));
    for (const auto& [below, options] : groups) {
      example[static_cast<std::size_t>(here.gene)] = options[0];
      free[here.gene] = options;
      find_ancestors(parent, below, example, free, result);
    }
  }

  std::size_t add_leaf() {
    nodes_.push_back({-1, {}, parts_++});
    return nodes_.size() - 1;
  }

  /// A node that asks for `gene`; `child(group)` adds what comes below each group. Options that no
  /// group has cannot occur there.
  template <class Child>
  std::size_t add_question(const std::vector<spaces::Gene>& genes, const Cut& cut, Child child) {
    const std::size_t index = nodes_.size();
    nodes_.push_back({cut.gene, {}, -1});
    std::vector<std::size_t> next(genes[static_cast<std::size_t>(cut.gene)].labels.size(), 0);
    for (const auto& group : cut.groups) {
      const std::size_t below = child(group);
      for (const int option : group) next[static_cast<std::size_t>(option)] = below;
    }
    nodes_[index].next = std::move(next);
    return index;
  }

  std::size_t add_product(const std::vector<spaces::Gene>& genes, const std::vector<Cut>& cuts,
                          std::size_t level) {
    if (level == cuts.size()) return add_leaf();
    return add_question(genes, cuts[level],
                        [&](const auto&) { return add_product(genes, cuts, level + 1); });
  }

  std::size_t add_random(const std::vector<spaces::Gene>& genes,
                         const std::vector<std::vector<int>>& allowed, std::int64_t parts,
                         core::Stream& stream) {
    if (parts == 1) return add_leaf();
    std::vector<int> fit;
    for (std::size_t i = 0; i < allowed.size(); ++i)
      if (can_halve(allowed, i, parts)) fit.push_back(static_cast<int>(i));
    if (fit.empty())
      throw core::UsageError("the space is too small for a random split into so many parts",
                             "use fewer copies, or another split");
    Cut cut{fit[static_cast<std::size_t>(stream.below(fit.size()))], {}};
    auto options = allowed[static_cast<std::size_t>(cut.gene)];
    stream.shuffle(options);
    const auto middle = options.begin() + static_cast<std::ptrdiff_t>((options.size() + 1) / 2);
    cut.groups = {{options.begin(), middle}, {middle, options.end()}};
    return add_question(genes, cut, [&](const std::vector<int>& group) {
      auto left = allowed;
      left[static_cast<std::size_t>(cut.gene)] = group;
      return add_random(genes, left, parts / 2, stream);
    });
  }

  /// Has the smaller half of gene `i`'s options architectures enough for half of the parts?
  static bool can_halve(const std::vector<std::vector<int>>& allowed, std::size_t i,
                        std::int64_t parts) {
    const std::size_t smaller_half = allowed[i].size() / 2;
    auto count = static_cast<double>(smaller_half);
    for (std::size_t j = 0; j < allowed.size(); ++j)
      if (j != i) count *= static_cast<double>(allowed[j].size());
    return count >= static_cast<double>(parts) / 2;
  }

  std::vector<Node> nodes_;
  std::int64_t parts_ = 0;
};

PartTree make_tree(const std::vector<spaces::Gene>& genes, const SharingSettings& settings,
                   std::uint64_t seed) {
  const std::string split(core::trim(settings.split));
  if (split.empty() && !settings.split_by.empty()) return PartTree::product(genes, {});
  if (split.empty() || split == "random") {
    if (settings.copies < 1 || !std::has_single_bit(static_cast<std::uint64_t>(settings.copies)))
      throw core::UsageError(
          std::to_string(settings.copies) + " copies are no power of two (a random split halves)",
          "use 2, 4 or 8 copies, or give the parts: split = \"NAME:0,1|2,3,4\"");
    return PartTree::random(genes, settings.copies, core::Stream(seed, "random split"));
  }
  const auto cuts = parse_cuts(genes, split);
  double parts = 1;
  for (const auto& cut : cuts) parts *= static_cast<double>(cut.groups.size());
  if (parts > static_cast<double>(kMostParts))
    throw core::UsageError(
        "split '" + split + "' makes " + core::human_count(parts) + " parts",
        "each is a whole supernet: make " + std::to_string(kMostParts) + " at most, better 2 to 8");
  return PartTree::product(genes, cuts);
}

/// One-hot over whole sub-supernets, norms included, by the part of the space. A decision that an
/// architecture does not have counts as its first option.
class Partition : public Sharing {
 public:
  Partition(const spaces::SuperGraph& graph, PartTree tree)
      : slots_(graph.slots.size()), genes_(graph.genes.size()), tree_(std::move(tree)) {}
  std::int64_t copies(std::size_t) const override { return 1; }
  Mixes coefficients(const at::Tensor&, const at::Tensor&, bool) const override {
    return Mixes::none(slots_);
  }
  NamedParameters parameters() const override { return {}; }
  std::int64_t parts() const override { return tree_.parts(); }
  std::int64_t part(const spaces::Genotype& genotype) const override {
    return tree_.part(genotype);
  }
  std::vector<SharingEnd> sharing_ends(const spaces::SuperGraph& graph) const override {
    return tree_.ends(graph.genes);
  }
  Ancestry ancestry(const Sharing& parent) const override {
    return {.parts = tree_.ancestors(dynamic_cast<const Partition&>(parent).tree_, genes_)};
  }
  bool same_parts(const Sharing& other) const override {
    const auto* partition = dynamic_cast<const Partition*>(&other);
    return partition != nullptr && partition->tree_ == tree_;
  }

 private:
  std::size_t slots_;
  std::size_t genes_;
  PartTree tree_;
};

const core::Registered kEntry{sharing_kinds(), "partition",
                              "few-shot: a whole supernet for each part of the space (key `split`)",
                              [](const spaces::SuperGraph& graph, std::size_t,
                                 const SharingSettings& settings, std::uint64_t seed) {
                                return std::make_unique<Partition>(
                                    graph, make_tree(graph.genes, settings, seed));
                              }};

}  // namespace
}  // namespace mosaic::supernet
