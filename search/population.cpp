#include "population.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "algorithm_state.hpp"
#include "mosaic/core/error.hpp"
#include "operators.hpp"

namespace mosaic::search {

using spaces::Genotype;

void to_json(nlohmann::json& json, const Member& member) {
  json = {{"genotype", member.genotype}, {"objectives", member.objectives}};
}

void from_json(const nlohmann::json& json, Member& member) {
  json.at("genotype").get_to(member.genotype);
  json.at("objectives").get_to(member.objectives);
}

std::size_t Known::Hash::operator()(const Genotype& genotype) const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const int option : genotype) {
    hash = (hash ^ static_cast<std::uint64_t>(option)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

void Known::fill(std::vector<Genotype>& batch, std::size_t size, const spaces::Space& space,
                 core::Stream& stream) {
  while (batch.size() < size) {
    auto drawn = draw_unknown(space, stream,
                              [this](const Genotype& genotype) { return contains(genotype); });
    if (!drawn) return;
    add(*drawn);
    batch.push_back(std::move(*drawn));
  }
}

// Sorted, so that equal sets are equal texts.
void to_json(nlohmann::json& json, const Known& known) {
  std::vector<Genotype> sorted(known.genotypes_.begin(), known.genotypes_.end());
  std::sort(sorted.begin(), sorted.end());
  json = sorted;
}

void from_json(const nlohmann::json& json, Known& known) {
  known.genotypes_.clear();
  for (const auto& genotype : json) known.genotypes_.insert(genotype.get<Genotype>());
}

std::vector<Genotype> founders(const spaces::Space& space, const AlgorithmSettings& settings,
                               core::Stream& stream, Known& known) {
  std::vector<Genotype> batch;
  for (const auto& genotype : settings.start)
    if (known.add(genotype)) batch.push_back(genotype);
  known.fill(batch, settings.population, space, stream);
  return batch;
}

void read_json_state(const std::string& identity, const std::string& state,
                     const std::string& algorithm,
                     const std::function<void(const nlohmann::json&)>& read) {
  const std::string content = read_state(identity, state);
  try {
    read(nlohmann::json::parse(content));
  } catch (const std::exception& error) {
    throw_bad_state(algorithm, error.what());
  }
}

}  // namespace mosaic::search
