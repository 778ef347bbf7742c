#include "canonical.hpp"

#include <algorithm>

namespace mosaic::spaces {

namespace {

/// Does any option of `gene` change the extent, all other genes fixed?
bool sensitive(const Extent& extent, std::size_t gene, int options, Genotype& genotype) {
  int& option = genotype[gene];
  const int kept = option;
  option = 0;
  const auto value = extent.at(genotype);
  bool result = false;
  for (option = 1; option < options && !result; ++option) result = extent.at(genotype) != value;
  option = kept;
  return result;
}

/// The same for any setting of the other genes.
bool always_sensitive(const Extent& extent, int gene) {
  std::size_t stride = 1;  // of the gene in the table, the last gene fastest
  std::size_t options = 1;
  for (std::size_t i = extent.genes().size(); i-- > 0;) {
    options = static_cast<std::size_t>(extent.radix()[i]);
    if (extent.genes()[i] == gene) break;
    stride *= options;
  }
  const auto& values = extent.values();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i / stride % options != 0) continue;
    bool changes = false;
    for (std::size_t option = 1; option < options; ++option)
      changes = changes || values[i + option * stride] != values[i];
    if (!changes) return false;
  }
  return true;
}

bool contains(const std::vector<Extent>& extents, const Extent& extent) {
  return std::any_of(extents.begin(), extents.end(),
                     [&](const Extent& other) { return identical(other, extent); });
}

}  // namespace

Canonical::Canonical(const SuperGraph& graph) : uses_(graph.genes.size()) {
  for (std::size_t gene = 0; gene < uses_.size(); ++gene)
    uses_[gene].options = static_cast<int>(graph.genes[gene].labels.size());
  for (const auto& node : graph.nodes) {
    for (const int gene : node.condition.genes()) {
      auto& conditions = uses_[static_cast<std::size_t>(gene)].conditions;
      if (!contains(conditions, node.condition)) conditions.push_back(node.condition);
    }
    const auto add_all = [&](const Extent& extent) {
      for (const int gene : extent.genes())
        add(uses_[static_cast<std::size_t>(gene)], gene, node.condition, extent);
    };
    for (const auto& [key, extent] : node.attributes) add_all(extent);
    for (const auto& use : node.weights)
      for (const auto& extent : use.extents) add_all(extent);
    for (const auto& extent : node.shape) add_all(extent);
  }
}

void Canonical::add(Uses& uses, int gene, const Extent& condition, const Extent& extent) {
  auto group = std::find_if(uses.groups.begin(), uses.groups.end(), [&](const Group& other) {
    return identical(other.condition, condition);
  });
  if (group == uses.groups.end()) group = uses.groups.insert(group, Group{.condition = condition});
  if (group->always) return;
  group->always = always_sensitive(extent, gene);
  if (group->always)
    group->extents.clear();
  else if (!contains(group->extents, extent))
    group->extents.push_back(extent);
}

bool Canonical::active(std::size_t gene, Genotype& genotype) const {
  const Uses& uses = uses_[gene];
  const auto changes = [&](const Extent& extent) {
    return sensitive(extent, gene, uses.options, genotype);
  };
  return std::any_of(uses.conditions.begin(), uses.conditions.end(), changes) ||
         std::any_of(uses.groups.begin(), uses.groups.end(), [&](const Group& group) {
           return group.condition.at(genotype) != 0 &&
                  (group.always ||
                   std::any_of(group.extents.begin(), group.extents.end(), changes));
         });
}

void Canonical::operator()(Genotype& genotype) const {
  for (bool changed = true; changed;) {  // resetting one gene can make another one idle
    changed = false;
    for (std::size_t gene = 0; gene < genotype.size(); ++gene)
      if (genotype[gene] != 0 && !active(gene, genotype)) {
        genotype[gene] = 0;
        changed = true;
      }
  }
}

}  // namespace mosaic::spaces
