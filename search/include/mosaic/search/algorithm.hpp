/// Search algorithms by name, one generation at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/search/candidates.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::search {

/// Minimised objective vectors of a whole generation, in order, each followed by how far the
/// network exceeds each constraint (relative to the bound; <= 0: kept). Genotypes may be repeated
/// or known already: whoever stands behind it evaluates each distinct canonical network once. A
/// failed network gets vectors of a large finite number (1e30).
using BatchFitness =
    std::function<std::vector<std::vector<double>>(const std::vector<spaces::Genotype>&)>;

struct AlgorithmSettings {
  std::size_t population = 32;
  std::size_t objectives = 2;
  std::uint64_t seed = 1;
  std::size_t constraints = 0;
  /// Networks to begin with (canonical), from an earlier search or a user: all of them are
  /// evaluated first, in this order.
  std::vector<spaces::Genotype> start = {};
  /// All that may be proposed; null: every network of the space.
  std::shared_ptr<const Candidates> candidates = nullptr;
};

/// A search over one space. Its whole state can be saved between generations and loaded into a new
/// object made with the same arguments: the search then goes on bit-identically.
class SearchAlgorithm {
 public:
  virtual ~SearchAlgorithm() = default;
  /// Runs one generation (the first call makes and evaluates the initial population).
  virtual void step(const BatchFitness& fitness) = 0;
  virtual std::string save() const = 0;
  /// Throws core::Error for a state of another algorithm, space or settings.
  virtual void load(const std::string& state) = 0;
};

/// An algorithm to choose by name. Its checks, which throw UsageError, need no space: a mistake in
/// a job file is found before long work starts. They are optional.
struct AlgorithmType {
  std::function<std::unique_ptr<SearchAlgorithm>(const core::Call& call, const spaces::Space& space,
                                                 const AlgorithmSettings& settings)>
      make;
  std::function<void(const core::Call& call)> arguments = {};
  std::function<void(const core::Call& call, std::size_t population)> population = {};
  std::size_t default_population = 32;
  std::size_t largest_population = 1'000'000;  ///< that a search uses, whatever it is given
};
/// `const core::Registered kEntry{algorithms(), "random", "what it is", AlgorithmType{...}};`
core::Registry<AlgorithmType>& algorithms();

/// Makes "nsga2(cr=0.9)"; throws UsageError for an unknown name or argument, or a population it
/// cannot have.
std::unique_ptr<SearchAlgorithm> make_algorithm(const std::string& spec, const spaces::Space& space,
                                                const AlgorithmSettings& settings);

}  // namespace mosaic::search
