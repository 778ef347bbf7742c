/// What the algorithms that keep a population share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mosaic/core/random.hpp"
#include "mosaic/search/algorithm.hpp"
#include "mosaic/search/candidates.hpp"

namespace mosaic::search {

/// An evaluated network of a population.
struct Member {
  spaces::Genotype genotype;
  std::vector<double> objectives;
};
void to_json(nlohmann::json& json, const Member& member);
void from_json(const nlohmann::json& json, Member& member);

/// Every network that was ever proposed (canonical). Where a search has candidates, all others
/// count as proposed: so no algorithm proposes them.
class Known {
 public:
  explicit Known(std::shared_ptr<const Candidates> candidates = nullptr)
      : candidates_(std::move(candidates)), marks_(candidates_ ? candidates_->size() : 0) {}

  /// False if it is known.
  bool add(const spaces::Genotype& genotype);
  bool contains(const spaces::Genotype& genotype) const;
  /// Adds random networks, each new, to the batch until it has `size`; fewer where there are no
  /// more.
  void fill(std::vector<spaces::Genotype>& batch, std::size_t size, const spaces::Space& space,
            core::Stream& stream);

  /// Makes `child` a new network and adds it: varies it up to `patience` times; with candidates it
  /// becomes the nearest new one instead. False where that gives none.
  template <class Vary>
  bool take(spaces::Genotype& child, int patience, Vary vary) {
    if (candidates_) {
      auto near = nearest(child);
      if (near) child = *std::move(near);
    } else {
      for (int attempt = 0; attempt < patience && contains(child); ++attempt) vary(child);
    }
    return add(child);
  }
  /// The network itself if it is new, else all candidates that are and differ from it in the fewest
  /// genes.
  std::vector<spaces::Genotype> all_nearest(const spaces::Genotype& genotype) const;
  /// One of them (which depends on the network alone); nothing where there is none.
  std::optional<spaces::Genotype> nearest(const spaces::Genotype& genotype) const;
  /// The candidate that a proposal stands for: itself if it is one, else nearest(); where none is
  /// new, a known one.
  spaces::Genotype admit(const spaces::Genotype& genotype);
  /// neighbours(); with candidates, those among them, or the nearest candidates where there is
  /// none.
  std::vector<spaces::Genotype> around(const spaces::Space& space,
                                       const spaces::Genotype& genotype) const;

 private:
  std::vector<spaces::Genotype> at(const std::vector<std::size_t>& places) const;

  std::shared_ptr<const Candidates> candidates_;
  std::vector<std::uint8_t> marks_;  // of candidates: 1 once proposed
  std::unordered_set<spaces::Genotype, GenotypeHash> genotypes_;

  friend void to_json(nlohmann::json& json, const Known& known);
  friend void from_json(const nlohmann::json& json, Known& known);
};
void to_json(nlohmann::json& json, const Known& known);
void from_json(const nlohmann::json& json, Known& known);

/// The first generation: the networks that were given, then random ones; all are known from now on.
std::vector<spaces::Genotype> founders(const spaces::Space& space,
                                       const AlgorithmSettings& settings, core::Stream& stream,
                                       Known& known);

/// What the algorithms with a population share: each generation is proposed, evaluated and taken
/// in. The state is the number of generations, the population and everything known.
class PopulationAlgorithm : public SearchAlgorithm {
 public:
  /// `name` is that of the algorithm: in its random streams and in errors.
  PopulationAlgorithm(const spaces::Space& space, AlgorithmSettings settings, std::string name,
                      std::string identity);
  void step(const BatchFitness& fitness) final;
  std::string save() const final;
  void load(const std::string& state) final;

 protected:
  virtual std::vector<spaces::Genotype> first(core::Stream& stream) {
    return founders(space_, settings_, stream, known_);
  }
  virtual std::vector<spaces::Genotype> next(core::Stream& stream) = 0;
  /// Decides who stays; the newest stand last. Objectives are penalised().
  virtual void survive() = 0;

  const spaces::Space& space_;
  const AlgorithmSettings settings_;
  std::vector<Member> members_;
  Known known_;

 private:
  std::string name_;
  std::string identity_;
  std::uint64_t generations_ = 0;
};

/// Parses what write_state() saved and has `read` take it apart. Whatever is missing or malformed
/// there is a core::Error that names the algorithm: `read` sets nothing that matters before it has
/// read everything.
void read_json_state(const std::string& identity, const std::string& state,
                     const std::string& algorithm,
                     const std::function<void(const nlohmann::json& content)>& read);

}  // namespace mosaic::search
