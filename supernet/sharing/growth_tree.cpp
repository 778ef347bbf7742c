#include "sharing/growth_tree.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/core/json_numbers.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "sharing/slots.hpp"

namespace mosaic::supernet {
namespace {

constexpr double kLeastShare = 0.1;  // of the architectures, on each side of a question
constexpr std::size_t kAllDivisions = 5;

[[noreturn]] void malformed(const std::string& text, const std::string& why) {
  throw core::UsageError("growth '" + text.substr(0, 60) + "' cannot be read: " + why,
                         "leave `split` out to let training grow the slots, or give a text that "
                         "a training wrote");
}

/// Divisions of 0 .. n-1 in two, each by the half without option 0.
std::vector<std::vector<int>> divisions(const spaces::Gene& gene) {
  const int n = static_cast<int>(gene.labels.size());
  std::vector<std::vector<int>> result;
  if (gene.labels.size() <= kAllDivisions) {
    for (int mask = 1; mask < 1 << (n - 1); ++mask) {
      result.emplace_back();
      for (int option = 1; option < n; ++option)
        if ((mask >> (option - 1) & 1) != 0) result.back().push_back(option);
    }
  } else if (gene.ordered) {
    for (int first = 1; first < n; ++first) {
      result.emplace_back(static_cast<std::size_t>(n - first));
      std::iota(result.back().begin(), result.back().end(), first);
    }
  }
  return result;
}

bool divides(const Question& question, int unit, const std::vector<Respondent>& respondents) {
  const auto yes = static_cast<double>(
      std::count_if(respondents.begin(), respondents.end(),
                    [&](const auto& respondent) { return answer(question, respondent, unit); }));
  const auto all = static_cast<double>(respondents.size());
  return yes >= kLeastShare * all && all - yes >= kLeastShare * all && yes > 0 && yes < all;
}

}  // namespace

std::vector<GrowthUnit> growth_units(const spaces::SuperGraph& graph) {
  std::vector<GrowthUnit> units;
  std::map<int, std::size_t> of_slot;
  const auto add = [&](std::size_t unit, int slot) {
    if (!of_slot.emplace(slot, unit).second) return;
    units[unit].slots.push_back(slot);
    units[unit].entries += slot_size(graph.slots[static_cast<std::size_t>(slot)]);
  };
  for (const auto& node : graph.nodes) {
    if (node.weights.empty()) continue;
    const auto& first = graph.slots[static_cast<std::size_t>(node.weights[0].slot)];
    if (first.shape.size() >= 2) {
      const auto known = of_slot.find(node.weights[0].slot);
      const std::size_t unit = known == of_slot.end() ? units.size() : known->second;
      if (known == of_slot.end()) units.push_back({node.name, {}, 0});
      for (const auto& use : node.weights) add(unit, use.slot);
    } else if (node.inputs.size() == 1) {
      const auto& before = graph.nodes[static_cast<std::size_t>(node.inputs[0])];
      if (before.weights.empty()) continue;
      if (const auto known = of_slot.find(before.weights[0].slot); known != of_slot.end())
        for (const auto& use : node.weights) add(known->second, use.slot);
    }
  }
  return units;
}

bool answer(const Question& question, const Respondent& respondent, int unit) {
  if (question.gene < 0)
    return respondent.sizes[static_cast<std::size_t>(unit)] < question.size_below;
  return std::binary_search(question.options.begin(), question.options.end(),
                            respondent.genotype[static_cast<std::size_t>(question.gene)]);
}

GrowthTrees::GrowthTrees(const spaces::SuperGraph& graph, const std::string& text)
    : units_(growth_units(graph)),
      unit_of_slot_(graph.slots.size(), -1),
      leaves_(units_.size(), 1) {
  for (const auto& gene : graph.genes) {
    genes_.push_back(gene.name);
    options_.push_back(gene.labels.size());
  }
  for (std::size_t unit = 0; unit < units_.size(); ++unit) {
    first_slot_.push_back(graph.slots[static_cast<std::size_t>(units_[unit].slots[0])].name);
    for (const int slot : units_[unit].slots)
      unit_of_slot_[static_cast<std::size_t>(slot)] = static_cast<int>(unit);
  }
  if (core::trim(text).empty()) return;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) malformed(text, "it is no JSON array");
  for (const auto& item : json) {
    LeafSplit split;
    core::check_numbers(item, "split", "restore what Mosaic wrote");
    try {
      const auto unit = item.at("unit").get<std::string>();
      const auto found = std::find_if(units_.begin(), units_.end(),
                                      [&](const auto& known) { return known.name == unit; });
      if (found == units_.end()) malformed(text, "'" + unit + "' is no layer of the space");
      split.unit = static_cast<int>(found - units_.begin());
      split.leaf = item.at("leaf").get<int>();
      if (item.contains("input_below")) {
        split.question.size_below = item.at("input_below").get<std::int64_t>();
      } else {
        const auto gene = item.at("gene").get<std::string>();
        const auto place = std::find(genes_.begin(), genes_.end(), gene);
        if (place == genes_.end()) malformed(text, "'" + gene + "' is no decision of the space");
        split.question.gene = static_cast<int>(place - genes_.begin());
        split.question.options = item.at("options").get<std::vector<int>>();
        const auto& options = split.question.options;
        const auto count = options_[static_cast<std::size_t>(split.question.gene)];
        if (options.empty() || !std::is_sorted(options.begin(), options.end()) ||
            options.front() < 0 || static_cast<std::size_t>(options.back()) >= count)
          malformed(text, "options of '" + gene + "' are ascending numbers below " +
                              std::to_string(count));
      }
    } catch (const nlohmann::json::exception& error) {
      malformed(text, error.what());
    }
    if (split.leaf < 0 || split.leaf >= leaves(split.unit))
      malformed(text, "no leaf " + std::to_string(split.leaf) + " yet");
    add(split);
  }
}

void GrowthTrees::add(const LeafSplit& split) {
  splits_.push_back(split);
  ++leaves_[static_cast<std::size_t>(split.unit)];
}

std::string GrowthTrees::text() const {
  if (splits_.empty()) return {};
  auto json = nlohmann::json::array();
  for (const auto& split : splits_) {
    nlohmann::json item{{"unit", units_[static_cast<std::size_t>(split.unit)].name},
                        {"leaf", split.leaf}};
    if (split.question.gene < 0) {
      item["input_below"] = split.question.size_below;
    } else {
      item["gene"] = genes_[static_cast<std::size_t>(split.question.gene)];
      item["options"] = split.question.options;
    }
    json.push_back(std::move(item));
  }
  return json.dump();
}

std::int64_t GrowthTrees::leaves() const {
  return std::accumulate(leaves_.begin(), leaves_.end(), std::int64_t{0});
}

int GrowthTrees::leaf(int unit, const Respondent& respondent) const {
  int leaf = 0, last = 0;
  for (const auto& split : splits_) {
    if (split.unit != unit) continue;
    ++last;
    if (split.leaf == leaf && !answer(split.question, respondent, unit)) leaf = last;
  }
  return leaf;
}

std::vector<double> GrowthTrees::masses(int unit, const Respondent& respondent,
                                        double likely) const {
  std::vector<double> result{1.0};
  for (const auto& split : splits_) {
    if (split.unit != unit) continue;
    const bool yes = answer(split.question, respondent, unit);
    double& kept = result[static_cast<std::size_t>(split.leaf)];
    const double whole = kept;
    kept = whole * (yes ? likely : 1 - likely);
    result.push_back(whole * (yes ? 1 - likely : likely));
  }
  return result;
}

Respondent GrowthTrees::respond(const spaces::Space& space,
                                const spaces::Genotype& genotype) const {
  Respondent result{space.canonical(genotype), std::vector<std::int64_t>(units_.size(), 0)};
  const spaces::Graph graph = space.bind(genotype);
  for (const auto& node : graph.nodes) {
    if (node.weights.empty() || node.inputs.empty()) continue;
    const auto found = std::find(first_slot_.begin(), first_slot_.end(), node.weights[0].slot);
    if (found == first_slot_.end()) continue;
    const auto& shape = graph.nodes[static_cast<std::size_t>(node.inputs[0])].shape;
    if (shape.size() == 3 && shape[2].symbols.empty())  // [channels, height, width]
      result.sizes[static_cast<std::size_t>(found - first_slot_.begin())] = shape[2].factor;
  }
  return result;
}

std::vector<std::int64_t> GrowthTrees::ancestors(int unit, const GrowthTrees& parent) const {
  if (parent.splits_.size() > splits_.size() ||
      !std::equal(parent.splits_.begin(), parent.splits_.end(), splits_.begin()))
    throw std::logic_error("these trees have not grown from those");
  std::vector<std::int64_t> result(static_cast<std::size_t>(parent.leaves(unit)));
  std::iota(result.begin(), result.end(), 0);
  for (std::size_t i = parent.splits_.size(); i < splits_.size(); ++i)
    if (splits_[i].unit == unit)
      result.push_back(result[static_cast<std::size_t>(splits_[i].leaf)]);
  return result;
}

std::vector<Question> questions(const spaces::SuperGraph& graph, int unit,
                                const std::vector<Respondent>& respondents) {
  std::vector<Question> result;
  const auto offer = [&](Question question) {
    if (divides(question, unit, respondents)) result.push_back(std::move(question));
  };
  for (std::size_t gene = 0; gene < graph.genes.size(); ++gene)
    for (auto& options : divisions(graph.genes[gene]))
      offer({static_cast<int>(gene), std::move(options), 0});
  std::set<std::int64_t> sizes;
  for (const auto& respondent : respondents)
    sizes.insert(respondent.sizes[static_cast<std::size_t>(unit)]);
  for (const auto size : sizes) offer({-1, {}, size});
  return result;
}

std::string describe(const Question& question, const spaces::SuperGraph& graph) {
  if (question.gene < 0) return "input below " + std::to_string(question.size_below) + " pixels";
  const auto& gene = graph.genes[static_cast<std::size_t>(question.gene)];
  std::vector<std::string> labels;
  for (const int option : question.options)
    labels.push_back(gene.labels[static_cast<std::size_t>(option)]);
  return gene.name + " in {" + core::join(labels) + "}";
}

}  // namespace mosaic::supernet
