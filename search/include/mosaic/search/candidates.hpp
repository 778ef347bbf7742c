/// The networks that a search may propose, where they are not all of its space: the rows of a
/// table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::search {

struct GenotypeHash {
  std::size_t operator()(const spaces::Genotype& genotype) const;
};

/// A list of networks, and which of them are like a given one. Immutable.
class Candidates {
 public:
  /// Canonical genotypes of one space, each once, in any order.
  explicit Candidates(std::vector<spaces::Genotype> networks);

  std::size_t size() const { return networks_.size(); }
  /// Sorted.
  const std::vector<spaces::Genotype>& networks() const { return networks_; }
  std::optional<std::size_t> find(const spaces::Genotype& genotype) const;
  /// Equal lists, equal texts.
  const std::string& identity() const { return identity_; }

  /// The places of those that differ from a network in the fewest genes, itself left out. `marks`,
  /// one a network, leave out those that have one; empty: none.
  std::vector<std::size_t> nearest(const spaces::Genotype& genotype,
                                   const std::vector<std::uint8_t>& marks) const;

 private:
  std::vector<spaces::Genotype> networks_;
  std::unordered_map<spaces::Genotype, std::size_t, GenotypeHash> places_;
  std::vector<std::vector<std::uint16_t>> columns_;  // gene by gene, padded to whole blocks
  std::string identity_;
};

}  // namespace mosaic::search
