/// Integers that depend on the architecture: tables over genes, times symbols.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mosaic::spaces {

/// One option index per gene of a space, in the order in which the space declared them.
using Genotype = std::vector<int>;

/// An integer extent of a supernet: a dense table over the options of a few genes (none: a
/// constant), times a monomial of symbols ("source_length") that are known only at run time.
/// Widths, kernel sizes, strides, tensor shapes and conditions are all Extents, so the whole
/// SuperGraph can be bound to one architecture by table look-ups, and later run with the
/// architecture as data on the device. Conditions are Extents whose values are 0 or 1.
class Extent {
 public:
  Extent(std::int64_t constant = 0);  // NOLINT(google-explicit-constructor): 3 reads as an extent
  /// values[i] where gene `gene` (with values.size() options) takes option i.
  static Extent table(int gene, std::vector<std::int64_t> values);
  static Extent symbol(const std::string& name);

  /// Value for one architecture, symbols left out.
  std::int64_t at(const Genotype& genotype) const;
  bool depends_on_genes() const { return !genes_.empty(); }
  bool depends_on(int gene) const;
  std::int64_t min() const;
  std::int64_t max() const;
  const std::vector<int>& genes() const { return genes_; }
  const std::vector<int>& radix() const { return radix_; }
  const std::vector<std::int64_t>& values() const { return values_; }
  const std::vector<std::string>& symbols() const { return symbols_; }

  friend bool identical(const Extent& a, const Extent& b);

  // Element-wise over the union of both sides' genes. Multiplication joins symbols; addition and
  // comparison need equal symbols on both sides; division (exact floor) cancels those of the
  // divisor. Throws std::logic_error where that is not so, or where the joint table would exceed
  // 65,536 entries.
  friend Extent operator+(const Extent& a, const Extent& b);
  friend Extent operator-(const Extent& a, const Extent& b);
  friend Extent operator*(const Extent& a, const Extent& b);
  friend Extent operator/(const Extent& a, const Extent& b);
  friend Extent operator%(const Extent& a, const Extent& b);
  friend Extent operator==(const Extent& a, const Extent& b);
  friend Extent operator!=(const Extent& a, const Extent& b);
  friend Extent operator<(const Extent& a, const Extent& b);
  friend Extent operator<=(const Extent& a, const Extent& b);
  friend Extent operator>(const Extent& a, const Extent& b);
  friend Extent operator>=(const Extent& a, const Extent& b);
  friend Extent operator&&(const Extent& a, const Extent& b);
  friend Extent operator||(const Extent& a, const Extent& b);
  friend Extent operator!(const Extent& a);
  /// condition ? a : b, element-wise.
  friend Extent choose(const Extent& condition, const Extent& a, const Extent& b);

 private:
  template <class F>
  friend Extent combine(const Extent& a, const Extent& b, F f);

  std::vector<int> genes_;            // ascending
  std::vector<int> radix_;            // options of each
  std::vector<std::int64_t> values_;  // row-major, last gene fastest
  std::vector<std::string> symbols_;  // sorted, repeated for powers
};

bool identical(const Extent& a, const Extent& b);
Extent choose(const Extent& condition, const Extent& a, const Extent& b);

}  // namespace mosaic::spaces
