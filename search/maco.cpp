#include <pagmo/algorithms/maco.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "pagmo_algorithm.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

struct Colony {
  unsigned ker;
  double q;
  unsigned threshold;
  double focus;

  Colony(const core::Call& call, std::size_t population) {
    call.expect_only({"ker", "q", "threshold", "focus"});
    const auto most = static_cast<long long>(population);
    ker = static_cast<unsigned>(call.integer("ker", std::min<long long>(63, most), 2, most));
    q = call.number("q", 1, 1e-6, 1e6);
    threshold = static_cast<unsigned>(call.integer("threshold", 1, 1, 1'000'000));
    focus = call.number("focus", 0, 0, 1e6);
  }
};

void check_population(const core::Call& call, std::size_t population) {
  if (population < 2)
    throw core::UsageError("maco needs a population of at least 2 (an archive of two), not " +
                               std::to_string(population),
                           "leave it out for 32");
  Colony(call, population);
}

/// pagmo's multi-objective ant colony: new networks are drawn around an archive of `ker` good ones,
/// the more narrowly the longer nothing better is found. Two things are done for it:
/// - What pagmo 2.18 serialises lacks the archive. So the state is what the search was told so far,
///   and loading tells it again: all else follows from the seed.
/// - It weighs hypervolumes up to 0.1 beyond the worst values, which is nothing beside the 1e20 of
///   an infeasible network. So it sees asinh of every objective: the same order, within +-70.
class Maco : public SearchAlgorithm {
 public:
  using Make = std::function<std::unique_ptr<SearchAlgorithm>()>;
  Maco(Make make, std::size_t objectives, std::string identity)
      : make_(std::move(make)),
        colony_(make_()),
        objectives_(objectives),
        identity_(std::move(identity)) {}

  void step(const BatchFitness& fitness) override {
    Vectors told;
    colony_->step([&](const std::vector<spaces::Genotype>& genotypes) {
      auto vectors = fitness(genotypes);
      for (auto& vector : vectors) {
        vector = penalised(vector, objectives_);
        for (double& value : vector) value = std::asinh(value);
      }
      told.insert(told.end(), vectors.begin(), vectors.end());
      return vectors;
    });
    told_.insert(told_.end(), told.begin(), told.end());
    ++generations_;
  }

  std::string save() const override {
    const nlohmann::json content = {{"generations", generations_}, {"told", told_}};
    return write_state(identity_, content.dump());
  }

  void load(const std::string& state) override {
    Vectors told;
    std::uint64_t generations = 0;
    auto colony = make_();
    read_json_state(identity_, state, "maco", [&](const nlohmann::json& content) {
      content.at("generations").get_to(generations);
      content.at("told").get_to(told);
      std::size_t heard = 0;
      for (std::uint64_t i = 0; i < generations; ++i)
        colony->step([&](const std::vector<spaces::Genotype>& genotypes) {
          if (told.size() - heard < genotypes.size())
            throw std::runtime_error("it ends within a generation");
          const auto first = told.begin() + static_cast<std::ptrdiff_t>(heard);
          heard += genotypes.size();
          return Vectors(first, first + static_cast<std::ptrdiff_t>(genotypes.size()));
        });
      if (heard != told.size()) throw std::runtime_error("it goes on after its last generation");
    });
    colony_ = std::move(colony);
    told_ = std::move(told);
    generations_ = generations;
  }

 private:
  using Vectors = std::vector<std::vector<double>>;

  Make make_;
  std::unique_ptr<SearchAlgorithm> colony_;
  std::size_t objectives_;
  std::string identity_;
  std::uint64_t generations_ = 0;
  Vectors told_;  // objectives of every network proposed, in order
};

std::unique_ptr<SearchAlgorithm> make_maco(const core::Call& call, const spaces::Space& space,
                                           const AlgorithmSettings& settings) {
  check_pagmo("maco", settings.objectives);
  check_population(call, settings.population);
  if (space.genes().empty())  // nothing to vary: the one network is evaluated
    return make_algorithm("random", space, settings);
  const Colony colony(call, settings.population);
  const std::string identity = state_identity(call, space, settings);
  const auto make = [&space, settings, colony, identity] {
    pagmo::maco udp(1, colony.ker, colony.q, colony.threshold, 7, 100'000, colony.focus,
                    true,  // its archive lives from one generation to the next
                    seed32(settings.seed, "search/maco"));
    udp.set_bfe(batch_evaluator());
    return std::make_unique<PagmoAlgorithm<pagmo::maco>>(space, settings, "maco", std::move(udp),
                                                         identity);
  };
  return std::make_unique<Maco>(make, settings.objectives, identity);
}

const core::Registered kEntry{
    algorithms(), "maco",
    "multi-objective ant colony of pagmo (Acciarini et al. 2020); ker=63 archive (at most the "
    "population), q=1 convergence speed, threshold=1, focus=0",
    AlgorithmType{.make = make_maco,
                  .arguments = [](const core::Call& call) { Colony(call, 1'000'000); },
                  .population = check_population,
                  .largest_population = kLargestPagmoPopulation}};

}  // namespace

}  // namespace mosaic::search
