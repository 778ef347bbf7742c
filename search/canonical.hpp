/// Space::canonical() for many thousands of genotypes.
#pragma once

#include <cstddef>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::search {

/// Resets the genes that a network does not depend on, exactly as Space::canonical() does, but
/// looks only at the distinct extents that depend on a gene, sorted out once: a SuperGraph repeats
/// the same few widths and conditions in hundreds of nodes.
class Canonical {
 public:
  explicit Canonical(const spaces::SuperGraph& graph);

  /// The same network with every inactive gene at its first option. The genotype must be valid.
  void operator()(spaces::Genotype& genotype) const;

  /// Does any node of this network depend on the gene? (The genotype comes back as it was.)
  bool active(std::size_t gene, spaces::Genotype& genotype) const;

 private:
  /// The quantities that depend on a gene, of all nodes that share a condition.
  struct Group {
    spaces::Extent condition;
    bool always = false;  ///< one of them changes with the gene whatever the other genes are
    std::vector<spaces::Extent> extents = {};
  };
  struct Uses {
    int options = 1;
    std::vector<spaces::Extent> conditions = {};  ///< that depend on the gene themselves
    std::vector<Group> groups = {};
  };
  static void add(Uses& uses, int gene, const spaces::Extent& condition,
                  const spaces::Extent& extent);

  std::vector<Uses> uses_;  // of every gene
};

}  // namespace mosaic::search
