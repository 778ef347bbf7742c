/// pagmo's population-based algorithms as SearchAlgorithms, one generation a step.
#pragma once

#include <locale>
#include <optional>
#include <pagmo/algorithm.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>
#include <set>
#include <sstream>
#include <string>

#include "algorithm_state.hpp"
#include "mosaic/core/random.hpp"
#include "operators.hpp"
#include "pagmo_problem.hpp"

namespace mosaic::search {

inline pagmo::bfe batch_evaluator() { return pagmo::bfe{pagmo::member_bfe{}}; }
inline unsigned seed32(std::uint64_t seed, const std::string& name) {
  return core::Stream(seed, name)();
}

/// `Udp` is pagmo's class, made for one generation, with batch_evaluator() set.
template <class Udp>
class PagmoAlgorithm : public SearchAlgorithm {
 public:
  PagmoAlgorithm(const spaces::Space& space, AlgorithmSettings settings, std::string name, Udp udp,
                 std::string identity)
      : problem_(space, settings.objectives),
        settings_(std::move(settings)),
        name_(std::move(name)),
        identity_(std::move(identity)),
        algorithm_(std::move(udp)) {}

  void step(const BatchFitness& fitness) override {
    // pagmo's algorithms take no constraints: feasibility goes into the objectives.
    const BatchFitness feasible_first = [&](const std::vector<spaces::Genotype>& genotypes) {
      auto vectors = fitness(genotypes);
      for (auto& vector : vectors) vector = penalised(vector, settings_.objectives);
      return vectors;
    };
    if (!population_) {
      begin(feasible_first);
    } else {
      connect(&feasible_first);
      population_ = algorithm_.evolve(*population_);
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
    }
    return write_state(identity_, out.str());
  }

  void load(const std::string& state) override {
    std::istringstream in(read_state(identity_, state));
    in.imbue(std::locale::classic());
    pagmo::algorithm algorithm;
    std::optional<pagmo::population> population;
    try {
      boost::archive::text_iarchive archive(in);
      bool begun = false;
      archive >> begun >> algorithm;
      if (begun) archive >> population.emplace();
    } catch (const std::exception& error) {
      throw_bad_state(name_, error.what());
    }
    if (!algorithm.is<Udp>() || (population && !population->get_problem().is<SpaceProblem>()))
      throw_bad_state(name_, "it holds something else");
    algorithm.extract<Udp>()->set_bfe(batch_evaluator());
    algorithm_ = std::move(algorithm);
    population_ = std::move(population);
  }

 private:
  void begin(const BatchFitness& fitness) {
    const unsigned seed = seed32(settings_.seed, "search/" + name_ + "/population");
    problem_.connect(&fitness);
    const std::size_t given = std::min(settings_.start.size(), settings_.population);
    population_.emplace(pagmo::problem{problem_}, batch_evaluator(), settings_.population - given,
                        seed);
    for (std::size_t i = 0; i < given; ++i)
      population_->push_back({settings_.start[i].begin(), settings_.start[i].end()});
  }

  void connect(const BatchFitness* fitness) {
    population_->get_problem().template extract<SpaceProblem>()->connect(fitness);
  }

  SpaceProblem problem_;
  AlgorithmSettings settings_;
  std::string name_;
  std::string identity_;
  pagmo::algorithm algorithm_;
  std::optional<pagmo::population> population_;
};

/// Throws core::UsageError unless the search has two objectives and something to vary.
void check_pagmo(const std::string& name, const spaces::Space& space,
                 const AlgorithmSettings& settings);

}  // namespace mosaic::search
