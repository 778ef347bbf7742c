/// What the algorithms that keep a population share: its members, what was proposed before,
/// founders.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mosaic/core/random.hpp"
#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

/// An evaluated network of a population.
struct Member {
  spaces::Genotype genotype;
  std::vector<double> objectives;
};
void to_json(nlohmann::json& json, const Member& member);
void from_json(const nlohmann::json& json, Member& member);

/// Every network that was ever proposed (canonical).
class Known {
 public:
  /// False if it was there.
  bool add(const spaces::Genotype& genotype) { return genotypes_.insert(genotype).second; }
  bool contains(const spaces::Genotype& genotype) const { return genotypes_.contains(genotype); }
  /// Adds random networks, each new, to the batch until it has `size`; fewer where the space holds
  /// no more.
  void fill(std::vector<spaces::Genotype>& batch, std::size_t size, const spaces::Space& space,
            core::Stream& stream);

 private:
  struct Hash {
    std::size_t operator()(const spaces::Genotype& genotype) const;
  };
  std::unordered_set<spaces::Genotype, Hash> genotypes_;

  friend void to_json(nlohmann::json& json, const Known& known);
  friend void from_json(const nlohmann::json& json, Known& known);
};
void to_json(nlohmann::json& json, const Known& known);
void from_json(const nlohmann::json& json, Known& known);

/// The first generation: the networks that were given, then random ones; all are known from now on.
std::vector<spaces::Genotype> founders(const spaces::Space& space,
                                       const AlgorithmSettings& settings, core::Stream& stream,
                                       Known& known);

/// Parses what write_state() saved and has `read` take it apart. Whatever is missing or malformed
/// there is a core::Error that names the algorithm: `read` sets nothing that matters before it has
/// read everything.
void read_json_state(const std::string& identity, const std::string& state,
                     const std::string& algorithm,
                     const std::function<void(const nlohmann::json& content)>& read);

}  // namespace mosaic::search
