/// Which genes a network depends on, quickly enough for many thousands of genotypes.
#pragma once

#include <cstddef>
#include <vector>

#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

/// A gene is active where its options, all other genes fixed, change a condition or an extent of a
/// node that exists. Only the distinct extents that depend on a gene are looked at, sorted out
/// once: a SuperGraph repeats the same few widths and conditions in hundreds of nodes.
class Canonical {
 public:
  explicit Canonical(const SuperGraph& graph);

  /// The same network with every inactive gene at its first option. The genotype must be valid.
  void operator()(Genotype& genotype) const;

  /// Does any node of this network depend on the gene? (The genotype comes back as it was.)
  bool active(std::size_t gene, Genotype& genotype) const;

 private:
  /// The quantities that depend on a gene, of all nodes that share a condition.
  struct Group {
    Extent condition;
    bool always = false;  ///< one of them changes with the gene whatever the other genes are
    std::vector<Extent> extents = {};
  };
  struct Uses {
    int options = 1;
    std::vector<Extent> conditions = {};  ///< that depend on the gene themselves
    std::vector<Group> groups = {};
  };
  static void add(Uses& uses, int gene, const Extent& condition, const Extent& extent);

  std::vector<Uses> uses_;  // of every gene
};

}  // namespace mosaic::spaces
