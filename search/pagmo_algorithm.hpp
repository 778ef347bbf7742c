/// pagmo's population-based algorithms as SearchAlgorithms, one generation a step.
#pragma once

#include <algorithm>
#include <locale>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <pagmo/algorithm.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>
#include <sstream>
#include <string>

#include "algorithm_state.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"
#include "operators.hpp"
#include "pagmo_problem.hpp"
#include "population.hpp"

namespace mosaic::search {

inline pagmo::bfe batch_evaluator() { return pagmo::bfe{pagmo::member_bfe{}}; }
inline unsigned seed32(std::uint64_t seed, const std::string& name) {
  return core::Stream(seed, name)();
}

/// `Udp` is pagmo's class, made for one generation, with batch_evaluator() set. pagmo knows nothing
/// of candidates: what it proposes is replaced by the candidate that it stands for, in the
/// population too.
template <class Udp>
class PagmoAlgorithm : public SearchAlgorithm {
 public:
  PagmoAlgorithm(const spaces::Space& space, AlgorithmSettings settings, std::string name, Udp udp,
                 std::string identity)
      : space_(space),
        problem_(space, settings.objectives),
        settings_(std::move(settings)),
        name_(std::move(name)),
        identity_(std::move(identity)),
        algorithm_(std::move(udp)),
        known_(settings_.candidates) {}

  void step(const BatchFitness& fitness) override {
    replaced_.clear();
    // pagmo's algorithms take no constraints: feasibility goes into the objectives.
    const BatchFitness feasible_first = [&](const std::vector<spaces::Genotype>& genotypes) {
      auto vectors = fitness(settings_.candidates ? admitted(genotypes) : genotypes);
      for (auto& vector : vectors) vector = penalised(vector, settings_.objectives);
      return vectors;
    };
    if (!population_) {
      begin(feasible_first);
    } else {
      connect(&feasible_first);
      population_ = algorithm_.evolve(*population_);
      replace();
    }
    connect(nullptr);
  }

  std::string save() const override {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    {
      boost::archive::text_oarchive archive(out);
      const bool begun = population_.has_value();
      archive << begun << algorithm_;
      if (begun) archive << *population_;
      if (settings_.candidates) {
        const std::string known = nlohmann::json(known_).dump();
        archive << known;
      }
    }
    return write_state(identity_, out.str());
  }

  void load(const std::string& state) override {
    std::istringstream in(read_state(identity_, state));
    in.imbue(std::locale::classic());
    pagmo::algorithm algorithm;
    std::optional<pagmo::population> population;
    Known known(settings_.candidates);
    try {
      boost::archive::text_iarchive archive(in);
      bool begun = false;
      archive >> begun >> algorithm;
      if (begun) archive >> population.emplace();
      if (settings_.candidates) {
        std::string text;
        archive >> text;
        nlohmann::json::parse(text).get_to(known);
      }
    } catch (const std::exception& error) {
      throw_bad_state(name_, error.what());
    }
    if (!algorithm.is<Udp>() || (population && !population->get_problem().is<SpaceProblem>()))
      throw_bad_state(name_, "it holds something else");
    algorithm.extract<Udp>()->set_bfe(batch_evaluator());
    algorithm_ = std::move(algorithm);
    population_ = std::move(population);
    known_ = std::move(known);
  }

 private:
  void begin(const BatchFitness& fitness) {
    const unsigned seed = seed32(settings_.seed, "search/" + name_ + "/population");
    problem_.connect(&fitness);
    if (settings_.start.empty() && !settings_.candidates)
      population_.emplace(pagmo::problem{problem_}, batch_evaluator(), settings_.population, seed);
    else
      found(fitness, seed);
  }

  /// All that was given is evaluated first; of more than a population the best stay. Where there
  /// are not enough networks, some stand in the population twice.
  void found(const BatchFitness& fitness, unsigned seed) {
    core::Stream stream(settings_.seed, "search/" + name_ + "/founders");
    Known drawn(settings_.candidates);
    const auto batch = founders(space_, settings_, stream, drawn);
    const auto vectors = fitness(batch);
    const auto ranks = core::nondominated_ranks(vectors);
    std::vector<std::size_t> order(batch.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return ranks[a] < ranks[b]; });
    population_.emplace(pagmo::problem{problem_}, 0u, seed);
    for (std::size_t i = 0; i < settings_.population; ++i) {
      const std::size_t member = order[i % order.size()];
      population_->push_back(genes(batch[member]), vectors[member]);
    }
  }

  static pagmo::vector_double genes(const spaces::Genotype& genotype) {
    return {genotype.begin(), genotype.end()};
  }

  /// The same proposal, the same candidate, within a generation.
  std::vector<spaces::Genotype> admitted(const std::vector<spaces::Genotype>& proposed) {
    std::vector<spaces::Genotype> result;
    for (const auto& genotype : proposed) {
      const auto canonical = space_.canonical(genotype);
      const auto known = replaced_.find(canonical);
      result.push_back(known == replaced_.end()
                           ? replaced_.emplace(canonical, known_.admit(canonical)).first->second
                           : known->second);
    }
    return result;
  }

  /// Gives members of the population the genes of the candidates whose objectives they have.
  void replace() {
    for (std::size_t i = 0; i < population_->size() && !replaced_.empty(); ++i) {
      const auto canonical = space_.canonical(genotype_of(population_->get_x()[i]));
      const auto found = replaced_.find(canonical);
      if (found != replaced_.end() && found->second != canonical)
        population_->set_xf(i, genes(found->second), population_->get_f()[i]);
    }
  }

  void connect(const BatchFitness* fitness) {
    population_->get_problem().template extract<SpaceProblem>()->connect(fitness);
  }

  const spaces::Space& space_;
  SpaceProblem problem_;
  AlgorithmSettings settings_;
  std::string name_;
  std::string identity_;
  pagmo::algorithm algorithm_;
  std::optional<pagmo::population> population_;
  Known known_;                                            // candidates that were proposed
  std::map<spaces::Genotype, spaces::Genotype> replaced_;  // in this generation
};

/// Throws core::UsageError unless the search has two objectives.
void check_pagmo(const std::string& name, std::size_t objectives);

/// pagmo sorts by dominance in memory that grows with the square of the population: with this one,
/// some 300 MB.
inline constexpr std::size_t kLargestPagmoPopulation = 4096;

}  // namespace mosaic::search
