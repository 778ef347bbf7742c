/// What a network is made of, in groups of numbers: for models that weigh kinds of evidence against
/// each other.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::predictors {

/// Features of the architectures of one space (which must outlive this object), derived from genes
/// and Graph, in five groups:
///   genes   one column an option (one-hot), or the scaled option number of an ordered gene
///   nodes   which nodes of the SuperGraph the bound, pruned network has, and their extents
///   chains  how often ops follow each other, up to three in a row along the edges (in the manner
///   of
///           path encodings, White et al. 2021, but of any graph; sums, norms and activations are
///           passed through)
///   counts  options taken by all genes alike, ops, parameters, FLOPs, activation bytes
///   depth   longest and shortest way through weights, number of ways, of each entry point
/// Columns that are equal in all networks, or repeat another one, are left out; which they are, and
/// the chains that are known, is decided on `sample` random networks of a stream of its own. Groups
/// are scaled so that the mean squared distance between two random networks is `kSpread` in each.
class StructureFeatures {
 public:
  static constexpr double kSpread = 8;
  /// All groups of one network, one after the other: starts() says where each begins.
  using Row = std::vector<float>;

  explicit StructureFeatures(const spaces::Space& space, std::size_t sample = 300);
  explicit StructureFeatures(spaces::Space&&) = delete;

  /// Features of a genotype, canonical or not.
  Row operator()(const spaces::Genotype& genotype) const;

  std::size_t size() const { return starts_.back(); }
  /// Start of each group, and the end of the last: one more than there are groups.
  const std::vector<std::size_t>& starts() const { return starts_; }
  const std::vector<std::string>& groups() const { return groups_; }

 private:
  using Key = std::uint64_t;
  using Group = std::vector<std::pair<Key, float>>;  // what is not named is zero
  using Raw = std::vector<Group>;
  struct Column {
    std::size_t place = 0;
    float shift = 0;
    float scale = 1;
  };

  Raw raw(const spaces::Genotype& genotype) const;
  void add_genes(const spaces::Genotype& genotype, Raw& raw) const;
  void choose_columns(const std::vector<Raw>& sample);
  void scale_groups(const std::vector<Raw>& sample);
  Row place(const Raw& raw) const;

  const spaces::Space& space_;
  std::vector<std::string> groups_;
  std::vector<std::size_t> starts_;
  std::vector<std::unordered_map<Key, Column>> columns_;  // of each group
  Row base_;                                              // of a network of which all is zero
};

}  // namespace mosaic::predictors
