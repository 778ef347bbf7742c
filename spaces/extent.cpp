#include "mosaic/spaces/extent.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <stdexcept>

namespace mosaic::spaces {
namespace {

constexpr std::size_t kLargestTable = 65536;

/// Index into a table of `genes`/`radix` for option numbers given per gene.
template <class OptionOf>
std::size_t table_index(const std::vector<int>& genes, const std::vector<int>& radix,
                        OptionOf option_of) {
  std::size_t index = 0;
  for (std::size_t i = 0; i < genes.size(); ++i)
    index =
        index * static_cast<std::size_t>(radix[i]) + static_cast<std::size_t>(option_of(genes[i]));
  return index;
}

void require_same_symbols(const Extent& a, const Extent& b, const char* what) {
  // Zero is zero of any unit, so that comparisons with it need no symbols.
  const auto is_zero = [](const Extent& e) { return e.min() == 0 && e.max() == 0; };
  if (a.symbols() != b.symbols() && !is_zero(a) && !is_zero(b))
    throw std::logic_error(std::string("extents with different symbols cannot be ") + what);
}

}  // namespace

Extent::Extent(std::int64_t constant) : values_{constant} {}

Extent Extent::table(int gene, std::vector<std::int64_t> values) {
  if (values.empty()) throw std::logic_error("an extent table needs at least one value");
  if (values.size() == 1) return Extent(values[0]);
  Extent result;
  result.genes_ = {gene};
  result.radix_ = {static_cast<int>(values.size())};
  result.values_ = std::move(values);
  return result;
}

Extent Extent::symbol(const std::string& name) {
  Extent result(1);
  result.symbols_ = {name};
  return result;
}

std::int64_t Extent::at(const Genotype& genotype) const {
  return values_[table_index(genes_, radix_,
                             [&](int gene) { return genotype[static_cast<std::size_t>(gene)]; })];
}

bool Extent::depends_on(int gene) const {
  return std::binary_search(genes_.begin(), genes_.end(), gene);
}
std::int64_t Extent::min() const { return *std::min_element(values_.begin(), values_.end()); }
std::int64_t Extent::max() const { return *std::max_element(values_.begin(), values_.end()); }

bool identical(const Extent& a, const Extent& b) {
  return a.genes_ == b.genes_ && a.radix_ == b.radix_ && a.values_ == b.values_ &&
         a.symbols_ == b.symbols_;
}

template <class F>
Extent combine(const Extent& a, const Extent& b, F f) {
  Extent result;
  result.genes_.clear();
  std::set_union(a.genes_.begin(), a.genes_.end(), b.genes_.begin(), b.genes_.end(),
                 std::back_inserter(result.genes_));
  std::size_t size = 1;
  for (const int gene : result.genes_) {
    const Extent& owner = a.depends_on(gene) ? a : b;
    const auto position =
        std::lower_bound(owner.genes_.begin(), owner.genes_.end(), gene) - owner.genes_.begin();
    result.radix_.push_back(owner.radix_[static_cast<std::size_t>(position)]);
    size *= static_cast<std::size_t>(result.radix_.back());
    if (size > kLargestTable)
      throw std::logic_error(
          "an extent that depends on " + std::to_string(result.genes_.size()) +
          " genes at once exceeds 65,536 entries: write the space with fewer joint decisions");
  }
  result.values_.resize(size);
  std::vector<int> options(result.genes_.size(), 0);
  const auto option_of = [&](int gene) {
    return options[static_cast<std::size_t>(
        std::lower_bound(result.genes_.begin(), result.genes_.end(), gene) -
        result.genes_.begin())];
  };
  for (std::size_t i = 0; i < size; ++i) {
    result.values_[i] = f(a.values_[table_index(a.genes_, a.radix_, option_of)],
                          b.values_[table_index(b.genes_, b.radix_, option_of)]);
    for (std::size_t d = options.size(); d-- > 0;) {
      if (++options[d] < result.radix_[d]) break;
      options[d] = 0;
    }
  }
  if (std::all_of(result.values_.begin(), result.values_.end(),
                  [&](std::int64_t v) { return v == result.values_.front(); })) {
    result.genes_.clear();  // a constant after all
    result.radix_.clear();
    result.values_.resize(1);
  }
  return result;
}

namespace {

Extent with_symbols_of(Extent result, const Extent& a, const Extent& b, const char* what) {
  require_same_symbols(a, b, what);
  const Extent& source = a.symbols().empty() ? b : a;
  for (const auto& symbol : source.symbols()) result = result * Extent::symbol(symbol);
  return result;
}

}  // namespace

Extent operator+(const Extent& a, const Extent& b) {
  return with_symbols_of(combine(a, b, std::plus<>()), a, b, "added");
}
Extent operator-(const Extent& a, const Extent& b) {
  return with_symbols_of(combine(a, b, std::minus<>()), a, b, "subtracted");
}
Extent operator*(const Extent& a, const Extent& b) {
  Extent result = combine(a, b, std::multiplies<>());
  std::merge(a.symbols_.begin(), a.symbols_.end(), b.symbols_.begin(), b.symbols_.end(),
             std::back_inserter(result.symbols_));
  return result;
}
Extent operator/(const Extent& a, const Extent& b) {
  Extent result = combine(a, b, [](std::int64_t x, std::int64_t y) {
    if (y == 0) throw std::logic_error("an extent is divided by zero");
    return x / y - ((x % y != 0 && (x < 0) != (y < 0)) ? 1 : 0);
  });
  if (!std::includes(a.symbols_.begin(), a.symbols_.end(), b.symbols_.begin(), b.symbols_.end()))
    throw std::logic_error("an extent is divided by a symbol that it does not contain");
  std::set_difference(a.symbols_.begin(), a.symbols_.end(), b.symbols_.begin(), b.symbols_.end(),
                      std::back_inserter(result.symbols_));
  return result;
}
Extent operator%(const Extent& a, const Extent& b) {
  require_same_symbols(a, b, "divided with remainder");
  return combine(a, b, [](std::int64_t x, std::int64_t y) {
    if (y == 0) throw std::logic_error("an extent is divided by zero");
    return x % y;
  });
}

#define MOSAIC_COMPARE(op)                                                                       \
  Extent operator op(const Extent& a, const Extent& b) {                                         \
    require_same_symbols(a, b, "compared");                                                      \
    return combine(a, b, [](std::int64_t x, std::int64_t y) -> std::int64_t { return x op y; }); \
  }
MOSAIC_COMPARE(==)
MOSAIC_COMPARE(!=)
MOSAIC_COMPARE(<)
MOSAIC_COMPARE(<=)
MOSAIC_COMPARE(>)
MOSAIC_COMPARE(>=)
#undef MOSAIC_COMPARE

Extent operator&&(const Extent& a, const Extent& b) {
  return combine(a, b,
                 [](std::int64_t x, std::int64_t y) -> std::int64_t { return x != 0 && y != 0; });
}
Extent operator||(const Extent& a, const Extent& b) {
  return combine(a, b,
                 [](std::int64_t x, std::int64_t y) -> std::int64_t { return x != 0 || y != 0; });
}
Extent operator!(const Extent& a) { return a == Extent(0); }

Extent choose(const Extent& condition, const Extent& a, const Extent& b) {
  require_same_symbols(a, b, "alternatives");
  // c*a + (1-c)*b over plain tables keeps one code path; symbols are put back afterwards.
  Extent plain_a = a;
  Extent plain_b = b;
  plain_a.symbols_.clear();
  plain_b.symbols_.clear();
  const Extent taken = condition != Extent(0);
  Extent result = taken * plain_a + (Extent(1) - taken) * plain_b;
  result.symbols_ = a.symbols_.empty() ? b.symbols_ : a.symbols_;
  return result;
}

}  // namespace mosaic::spaces
