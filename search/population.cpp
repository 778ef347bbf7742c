#include "population.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "algorithm_state.hpp"
#include "mosaic/core/error.hpp"
#include "operators.hpp"

namespace mosaic::search {

using spaces::Genotype;

namespace {

/// One of the candidates without a mark, all with equal chance.
std::optional<Genotype> draw_candidate(const Candidates& candidates,
                                       const std::vector<std::uint8_t>& marks, std::size_t marked,
                                       core::Stream& stream) {
  constexpr int kTries = 32;  // then most are marked: counting is quicker
  if (marked == candidates.size()) return std::nullopt;
  for (int i = 0; i < kTries; ++i)
    if (const auto place = stream.below(marks.size()); marks[place] == 0)
      return candidates.networks()[place];
  auto left = stream.below(marks.size() - marked);
  for (std::size_t place = 0;; ++place)
    if (marks[place] == 0 && left-- == 0) return candidates.networks()[place];
}

/// The population of a state, also as earlier versions wrote it.
std::vector<Member> members_of(const nlohmann::json& content) {
  if (content.contains("climbers")) return content.at("climbers");
  if (!content.contains("genotypes")) return content.at("members");
  const auto& objectives = content.at("objectives");
  std::vector<Member> members;
  for (const auto& genotype : content.at("genotypes"))
    members.push_back({genotype, objectives.at(members.size())});
  return members;
}

}  // namespace

void to_json(nlohmann::json& json, const Member& member) {
  json = {{"genotype", member.genotype}, {"objectives", member.objectives}};
}

void from_json(const nlohmann::json& json, Member& member) {
  json.at("genotype").get_to(member.genotype);
  json.at("objectives").get_to(member.objectives);
}

bool Known::add(const Genotype& genotype) {
  if (candidates_) {
    const auto place = candidates_->find(genotype);
    if (!place) return false;
    marks_[*place] = 1;
  }
  return genotypes_.insert(genotype).second;
}

bool Known::contains(const Genotype& genotype) const {
  return genotypes_.contains(genotype) || (candidates_ && !candidates_->find(genotype));
}

void Known::fill(std::vector<Genotype>& batch, std::size_t size, const spaces::Space& space,
                 core::Stream& stream) {
  while (batch.size() < size) {
    auto drawn = candidates_ ? draw_candidate(*candidates_, marks_, genotypes_.size(), stream)
                             : draw_unknown(space, stream, [this](const Genotype& genotype) {
                                 return contains(genotype);
                               });
    if (!drawn) return;
    add(*drawn);
    batch.push_back(std::move(*drawn));
  }
}

std::vector<Genotype> Known::at(const std::vector<std::size_t>& places) const {
  std::vector<Genotype> networks;
  for (const std::size_t place : places) networks.push_back(candidates_->networks()[place]);
  return networks;
}

std::vector<Genotype> Known::all_nearest(const Genotype& genotype) const {
  if (!contains(genotype)) return {genotype};
  if (!candidates_ || genotypes_.size() == candidates_->size()) return {};
  return at(candidates_->nearest(genotype, marks_));
}

std::optional<Genotype> Known::nearest(const Genotype& genotype) const {
  const auto all = all_nearest(genotype);
  if (all.empty()) return std::nullopt;
  return all[GenotypeHash()(genotype) % all.size()];
}

Genotype Known::admit(const Genotype& genotype) {
  if (candidates_ && !candidates_->find(genotype)) {
    if (const auto near = nearest(genotype)) return admit(*near);
    return at(candidates_->nearest(genotype, {})).front();
  }
  add(genotype);
  return genotype;
}

std::vector<Genotype> Known::around(const spaces::Space& space, const Genotype& genotype) const {
  auto result = neighbours(space, genotype);
  if (!candidates_) return result;
  std::erase_if(result, [&](const Genotype& other) { return !candidates_->find(other); });
  return result.empty() ? at(candidates_->nearest(genotype, {})) : result;
}

// Sorted, so that equal sets are equal texts.
void to_json(nlohmann::json& json, const Known& known) {
  std::vector<Genotype> sorted(known.genotypes_.begin(), known.genotypes_.end());
  std::sort(sorted.begin(), sorted.end());
  json = sorted;
}

void from_json(const nlohmann::json& json, Known& known) {
  known = Known(known.candidates_);
  for (const auto& genotype : json) known.add(genotype.get<Genotype>());
}

std::vector<Genotype> founders(const spaces::Space& space, const AlgorithmSettings& settings,
                               core::Stream& stream, Known& known) {
  std::vector<Genotype> batch;
  for (const auto& genotype : settings.start)
    if (known.add(genotype)) batch.push_back(genotype);
  known.fill(batch, settings.population, space, stream);
  return batch;
}

PopulationAlgorithm::PopulationAlgorithm(const spaces::Space& space, AlgorithmSettings settings,
                                         std::string name, std::string identity)
    : space_(space),
      settings_(std::move(settings)),
      known_(settings_.candidates),
      name_(std::move(name)),
      identity_(std::move(identity)) {}

void PopulationAlgorithm::step(const BatchFitness& fitness) {
  core::Stream stream(settings_.seed, "search/" + name_, generations_);
  const auto batch = generations_ == 0 ? first(stream) : next(stream);
  ++generations_;
  if (batch.empty()) return;
  const auto vectors = fitness(batch);
  for (std::size_t i = 0; i < batch.size(); ++i)
    members_.push_back({batch[i], penalised(vectors[i], settings_.objectives)});
  survive();
}

std::string PopulationAlgorithm::save() const {
  const nlohmann::json content = {
      {"generations", generations_}, {"members", members_}, {"known", known_}};
  return write_state(identity_, content.dump());
}

void PopulationAlgorithm::load(const std::string& state) {
  read_json_state(identity_, state, name_, [&](const nlohmann::json& content) {
    const auto generations = content.at("generations").get<std::uint64_t>();
    auto members = members_of(content);
    Known known(settings_.candidates);
    content.at("known").get_to(known);
    generations_ = generations;
    members_ = std::move(members);
    known_ = std::move(known);
  });
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
