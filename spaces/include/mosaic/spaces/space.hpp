/// A search space: the set of architectures that one SuperGraph holds, and their names.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/random.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/spaces/builder.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

class Canonical;
class Space;

/// What a space's author writes: one function, and where the field has a text form of its own, two
/// more.
struct SpaceType {
  std::function<void(SpaceBuilder&)> build;
  /// Text form of a canonical genotype, and its inverse (throws UsageError for a malformed text).
  /// Where they are missing the text is "gene=option,..." over the active genes.
  std::function<std::string(const Space&, const Genotype&)> text;
  std::function<Genotype(const Space&, const std::string&)> parse;
};

/// `const core::Registered kEntry{space_types(), "my-space", "what it is", SpaceType{.build =
/// build}};`
core::Registry<SpaceType>& space_types();

/// A space built for one task and one set of options. Immutable; safe to share between threads.
class Space {
 public:
  /// Throws UsageError for an unknown space or option.
  static Space make(const std::string& name, const TaskShape& task = {},
                    const std::map<std::string, std::string>& options = {});

  const std::string& name() const { return name_; }
  const std::map<std::string, std::string>& options() const { return options_; }
  /// Those that it has.
  const std::vector<SpaceOption>& known_options() const { return known_options_; }
  /// What its networks are fed and give; where it was made for no task, what it usually takes.
  const TaskShape& task() const { return task_; }
  /// Lengths that costs are counted at: those that are typical of the task, 32 for others.
  const Symbols& symbols() const { return task_.typical; }
  const SuperGraph& graph() const { return graph_; }
  const std::vector<Gene>& genes() const { return graph_.genes; }
  /// Identity of the space: name, options, task shape and SuperGraph. Checkpoints and databases
  /// carry it.
  const std::string& hash() const { return hash_; }

  /// Genes that some node of this architecture depends on.
  std::vector<bool> active_genes(const Genotype& genotype) const;
  /// The same network with every inactive gene at its first option. Throws UsageError for a
  /// genotype of the wrong length or with an option out of range.
  Genotype canonical(Genotype genotype) const;
  /// The architecture; dead branches pruned. Accepts any valid genotype.
  Graph bind(const Genotype& genotype) const;

  std::string text(const Genotype& genotype) const;
  /// Inverse of text(), canonical. Throws UsageError that quotes the part it could not read.
  Genotype parse(const std::string& text) const;
  /// Stable identity of a canonical genotype within this space, 16 hexadecimal digits of its text
  /// form.
  std::string hash(const Genotype& genotype) const;

  /// Every gene uniform, then canonical.
  Genotype random(core::Stream& stream) const;
  /// The architectures of fewest and of most FLOPs at symbols() (parameters where those tie), by
  /// coordinate descent.
  Genotype smallest() const;
  Genotype largest() const;

  /// Product of all options, and the number of distinct canonical architectures: exact where
  /// the genes that conditions read have at most 100,000 combinations, else estimated from 20,000
  /// samples.
  double genotypes() const;
  struct Size {
    double architectures;
    bool exact;
  };
  Size size() const;
  /// All canonical genotypes; nullopt if there are more than `limit` genotypes.
  std::optional<std::vector<Genotype>> enumerate(std::size_t limit = 1'000'000) const;

 private:
  Space() = default;
  Genotype extreme(bool largest) const;

  std::string name_;
  std::map<std::string, std::string> options_;
  std::vector<SpaceOption> known_options_;
  TaskShape task_;
  SuperGraph graph_;
  std::string hash_;
  std::shared_ptr<const Canonical> canonical_;  // of graph_; copies of a space share it
  SpaceType type_;
};

/// Resolves a SuperGraph for one genotype: conditions, selects, extents; then prunes what is dead
/// or reaches no output. The genotype must be valid.
Graph bind(const SuperGraph& graph, const Genotype& genotype);

/// Per-layer encoding phi(a): every distinct gene-dependent quantity of every node (does it exist;
/// its kernel, width, resolution ...) in node order, scaled to [0, 1] over the space, and 0 where
/// the node does not exist. Categorical choices appear as the existence of their nodes. Two
/// networks that differ only in the order of their layers differ here (section 1 of the method
/// notes: no means over layers).
class Encoding {
 public:
  explicit Encoding(const SuperGraph& graph);
  std::size_t size() const { return features_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  std::vector<float> operator()(const Genotype& genotype) const;

 private:
  struct Feature {
    Extent value;
    Extent condition;
    double low;
    double high;
  };
  std::vector<Feature> features_;
  std::vector<std::string> names_;
};

}  // namespace mosaic::spaces
