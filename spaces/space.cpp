#include "mosaic/spaces/space.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "canonical.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {
namespace {

void add_extent(core::Hasher& hasher, const Extent& extent) {
  for (const int gene : extent.genes()) hasher.add(gene);
  for (const auto value : extent.values()) hasher.add(value);
  for (const auto& symbol : extent.symbols()) hasher.add(symbol);
}

std::string graph_hash(const std::string& name, const SuperGraph& graph) {
  core::Hasher hasher;
  hasher.add(name);
  for (const auto& gene : graph.genes) {
    hasher.add(gene.name);
    for (const auto& label : gene.labels) hasher.add(label);
  }
  for (const auto& slot : graph.slots) {
    hasher.add(slot.name).add(slot.group).add(static_cast<std::int64_t>(slot.init));
    for (const auto size : slot.shape) hasher.add(size);
  }
  for (const auto& node : graph.nodes) {
    hasher.add(node.name).add(node.op);
    for (const int input : node.inputs) hasher.add(input);
    for (const auto& [key, extent] : node.attributes) add_extent(hasher.add(key), extent);
    for (const auto& [key, value] : node.reals) hasher.add(key).add(core::format_double(value));
    for (const auto& use : node.weights) {
      hasher.add(use.role).add(use.slot);
      for (const auto& extent : use.extents) add_extent(hasher, extent);
      for (const auto crop : use.crops) hasher.add(static_cast<std::int64_t>(crop));
    }
    for (const auto& extent : node.shape) add_extent(hasher, extent);
    add_extent(hasher, node.condition);
  }
  return hasher.hex();
}

/// The shapes of a graph's first entry point, for a space that was made for no task.
TaskShape shape_of(const SuperGraph& graph) {
  const auto dims = [](const Shape& shape) {
    return core::mapped(shape, [](const Extent& e) { return Dim{e.max(), e.symbols()}; });
  };
  TaskShape task;
  const auto& entry = graph.entries.front();
  for (const int input : entry.inputs) {
    const auto& node = graph.nodes[static_cast<std::size_t>(input)];
    const auto range = node.attributes.find("range");
    task.inputs.push_back({node.name, dims(node.shape), node.type,
                           range == node.attributes.end() ? 0 : range->second.max()});
  }
  if (!entry.outputs.empty())
    task.output = dims(graph.nodes[static_cast<std::size_t>(entry.outputs[0])].shape);
  return task;
}

/// A length for every symbol of the graph.
Symbols typical_lengths(const SuperGraph& graph, Symbols known) {
  constexpr std::int64_t kUsual = 32;
  for (const auto& node : graph.nodes)
    for (const auto& extent : node.shape)
      for (const auto& symbol : extent.symbols()) known.try_emplace(symbol, kUsual);
  return known;
}

/// Names of the spaces that serve a task as they are, without options.
std::vector<std::string> fitting(const TaskShape& task) {
  std::vector<std::string> result;
  for (const auto& name : space_types().names()) {
    try {
      SpaceBuilder builder(task, {});
      space_types().at(name).build(builder);
      result.push_back(name);
    } catch (const std::exception&) {  // it does not
    }
  }
  return result;
}

std::string default_text(const Space& space, const Genotype& genotype) {
  const auto active_gene = space.active_genes(genotype);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < genotype.size(); ++i)
    if (active_gene[i])
      parts.push_back(space.genes()[i].name + "=" +
                      space.genes()[i].labels[static_cast<std::size_t>(genotype[i])]);
  return core::join(parts, ",");
}

Genotype default_parse(const Space& space, const std::string& text) {
  Genotype genotype(space.genes().size(), 0);
  const auto names = core::mapped(space.genes(), &Gene::name);
  std::vector<bool> given(names.size(), false);
  for (const auto& part : core::split(text, ',')) {
    if (core::trim(part).empty()) continue;
    const auto equals = part.find('=');
    const std::string name(core::trim(part.substr(0, equals)));
    const auto gene = std::find(names.begin(), names.end(), name);
    if (equals == std::string::npos || gene == names.end())
      throw core::UsageError(
          "architecture '" + text + "': '" + part + "' names no decision of space " + space.name(),
          core::did_you_mean(name, names) + "write decision=option,... (mosaic spaces " +
              space.name() + " lists them)");
    const auto index = static_cast<std::size_t>(gene - names.begin());
    if (given[index])
      throw core::UsageError("architecture '" + text + "' gives '" + name + "' twice",
                             "give it once");
    given[index] = true;
    const auto& labels = space.genes()[index].labels;
    const std::string label(core::trim(part.substr(equals + 1)));
    const auto option = std::find(labels.begin(), labels.end(), label);
    if (option == labels.end())
      throw core::UsageError(
          "architecture '" + text + "': '" + label + "' is no option of '" + name + "'",
          "options: " + core::join(labels));
    genotype[index] = static_cast<int>(option - labels.begin());
  }
  return genotype;
}

}  // namespace

core::Registry<SpaceType>& space_types() {
  static core::Registry<SpaceType> registry("space");
  return registry;
}

Space Space::make(const std::string& name, const TaskShape& task,
                  const std::map<std::string, std::string>& options) {
  Space space;
  space.type_ = space_types().at(name);
  space.name_ = name;
  space.options_ = options;
  space.task_ = task;
  SpaceBuilder builder(task, options);
  try {
    space.type_.build(builder);
    space.graph_ = builder.finish();
    space.known_options_ = builder.known_options();
  } catch (const UnfitTask& error) {
    const auto others = fitting(task);
    throw core::UsageError("space '" + name + "': " + error.message(),
                           others.empty() ? "no space serves such a task yet: write one "
                                            "(mosaic new space NAME)"
                                          : "spaces that fit: " + core::join(others));
  } catch (const core::UsageError& error) {
    throw core::UsageError("space '" + name + "': " + error.message(), error.advice());
  } catch (const std::logic_error& error) {
    throw core::UsageError(
        "space '" + name + "' does not fit its options" +
            (task.inputs.empty() ? "" : " and the task (" + to_string(task) + ")") + ": " +
            error.what(),
        "choose other options of the space, or another input size");
  }
  if (task.inputs.empty()) space.task_ = shape_of(space.graph_);
  space.task_.typical = typical_lengths(space.graph_, space.task_.typical);
  space.hash_ = graph_hash(name, space.graph_);
  space.canonical_ = std::make_shared<const Canonical>(space.graph_);
  return space;
}

std::vector<bool> Space::active_genes(const Genotype& genotype) const {
  Genotype work = genotype;
  std::vector<bool> result;
  for (std::size_t i = 0; i < genes().size(); ++i) result.push_back(canonical_->active(i, work));
  return result;
}

Genotype Space::canonical(Genotype genotype) const {
  if (genotype.size() != genes().size())
    throw core::UsageError("an architecture of space '" + name_ + "' has " +
                               std::to_string(genes().size()) + " genes, not " +
                               std::to_string(genotype.size()),
                           "was it written for the same space options?");
  for (std::size_t i = 0; i < genotype.size(); ++i)
    if (genotype[i] < 0 || genotype[i] >= static_cast<int>(genes()[i].labels.size()))
      throw core::UsageError("option " + std::to_string(genotype[i]) + " of gene '" +
                                 genes()[i].name + "' does not exist",
                             "options are 0 to " + std::to_string(genes()[i].labels.size() - 1));
  (*canonical_)(genotype);
  return genotype;
}

Graph Space::bind(const Genotype& genotype) const { return spaces::bind(graph_, genotype); }

std::string Space::text(const Genotype& genotype) const {
  const Genotype known = canonical(genotype);
  return type_.text ? type_.text(*this, known) : default_text(*this, known);
}

Genotype Space::parse(const std::string& text) const {
  return canonical(type_.parse ? type_.parse(*this, text) : default_parse(*this, text));
}

std::string Space::hash(const Genotype& genotype) const {
  return core::hash_hex(text(genotype)).substr(0, 16);
}

Genotype Space::random(core::Stream& stream) const {
  Genotype genotype;
  for (const auto& gene : genes())
    genotype.push_back(static_cast<int>(stream.below(gene.labels.size())));
  return canonical(std::move(genotype));
}

Genotype Space::smallest() const { return extreme(false); }
Genotype Space::largest() const { return extreme(true); }

Genotype Space::extreme(bool largest) const {
  const auto cost = [&](const Genotype& genotype) {
    const Graph graph = bind(genotype);
    const double sign = largest ? -1 : 1;
    return std::pair(sign * count_flops(graph, symbols()), sign * count_parameters(graph));
  };
  Genotype best(genes().size(), 0);
  if (largest)
    for (std::size_t i = 0; i < best.size(); ++i)
      best[i] = static_cast<int>(genes()[i].labels.size()) - 1;
  auto best_cost = cost(best);
  for (bool improved = true; improved;) {
    improved = false;
    for (std::size_t i = 0; i < best.size(); ++i)
      for (int option = 0; option < static_cast<int>(genes()[i].labels.size()); ++option) {
        Genotype next = best;
        next[i] = option;
        if (const auto next_cost = cost(next); next_cost < best_cost) {
          best = std::move(next);
          best_cost = next_cost;
          improved = true;
        }
      }
  }
  return canonical(std::move(best));
}

double Space::genotypes() const {
  double product = 1;
  for (const auto& gene : genes()) product *= static_cast<double>(gene.labels.size());
  return product;
}

Space::Size Space::size() const {
  // Which genes are active depends only on the genes that conditions read ("controls"). For each of
  // their combinations the other genes are independent: the active ones multiply.
  std::vector<bool> control(genes().size(), false);
  for (const auto& node : graph_.nodes)
    for (const int gene : node.condition.genes()) control[static_cast<std::size_t>(gene)] = true;
  std::vector<std::size_t> controls;
  double combinations = 1;
  for (std::size_t i = 0; i < genes().size(); ++i)
    if (control[i]) {
      controls.push_back(i);
      combinations *= static_cast<double>(genes()[i].labels.size());
    }
  const auto networks = [&](const Genotype& genotype) {
    const auto active_gene = active_genes(genotype);
    double product = 1;
    for (std::size_t i = 0; i < genotype.size(); ++i) {
      if (control[i] && !active_gene[i] && genotype[i] != 0)
        return 0.0;  // counted where it is at its first option
      if (!control[i] && active_gene[i]) product *= static_cast<double>(genes()[i].labels.size());
    }
    return product;
  };
  double total = 0;
  if (combinations <= 100'000) {
    Genotype genotype(genes().size(), 0);
    for (bool more = true; more;) {
      total += networks(genotype);
      more = false;
      for (std::size_t c = controls.size(); c-- > 0 && !more;) {
        int& option = genotype[controls[c]];
        more = ++option < static_cast<int>(genes()[controls[c]].labels.size());
        if (!more) option = 0;
      }
    }
    return {total, true};
  }
  constexpr int kSamples = 20000;
  core::Stream stream(1, "size of " + name_);
  for (int sample = 0; sample < kSamples; ++sample) {
    Genotype genotype(genes().size(), 0);
    for (const auto c : controls)
      genotype[c] = static_cast<int>(stream.below(genes()[c].labels.size()));
    total += networks(genotype);
  }
  return {combinations * total / kSamples, false};
}

std::optional<std::vector<Genotype>> Space::enumerate(std::size_t limit) const {
  if (genotypes() > static_cast<double>(limit)) return std::nullopt;
  std::vector<Genotype> result;
  Genotype genotype(genes().size(), 0);
  for (bool more = true; more;) {
    if (canonical(genotype) == genotype) result.push_back(genotype);
    more = false;
    for (std::size_t i = genotype.size(); i-- > 0 && !more;) {
      more = ++genotype[i] < static_cast<int>(genes()[i].labels.size());
      if (!more) genotype[i] = 0;
    }
  }
  return result;
}

}  // namespace mosaic::spaces
