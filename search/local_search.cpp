#include <nlohmann/json.hpp>

#include "algorithm_state.hpp"
#include "mosaic/core/pareto.hpp"
#include "operators.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

/// Local search (White et al. 2021), with several objectives Pareto local search (Paquete et al.
/// 2004): all networks one decision away from the best known are evaluated, a generation's worth at
/// a time, until the best has no better neighbour; then from random networks on. With several
/// objectives every member of the front is explored in turn.
class LocalSearch : public SearchAlgorithm {
 public:
  LocalSearch(const spaces::Space& space, AlgorithmSettings settings, std::string identity)
      : space_(space),
        settings_(std::move(settings)),
        identity_(std::move(identity)),
        known_(settings_.candidates) {}

  void step(const BatchFitness& fitness) override {
    core::Stream stream(settings_.seed, "search/local_search", generations_);
    const auto batch = next_batch(stream);
    ++generations_;
    if (batch.empty()) return;
    const auto vectors = fitness(batch);
    for (std::size_t i = 0; i < batch.size(); ++i)
      climbers_.push_back({batch[i], penalised(vectors[i], settings_.objectives)});
    select();
  }

  std::string save() const override {
    const nlohmann::json content = {
        {"generations", generations_}, {"climbers", climbers_}, {"known", known_}};
    return write_state(identity_, content.dump());
  }

  void load(const std::string& state) override {
    std::vector<Member> climbers;
    Known known(settings_.candidates);
    std::uint64_t generations = 0;
    read_json_state(identity_, state, "local_search", [&](const nlohmann::json& content) {
      content.at("generations").get_to(generations);
      content.at("climbers").get_to(climbers);
      content.at("known").get_to(known);
    });
    climbers_ = std::move(climbers);
    known_ = std::move(known);
    generations_ = generations;
  }

 private:
  /// Unknown neighbours of the climbers, first climbers first; where there is none, the climb is
  /// over and new climbers start at random places, the first ones where they are told to.
  std::vector<spaces::Genotype> next_batch(core::Stream& stream) {
    std::vector<spaces::Genotype> batch;
    if (generations_ == 0 && !settings_.start.empty()) {
      for (const auto& genotype : settings_.start)
        if (known_.add(genotype)) batch.push_back(genotype);
      return batch;
    }
    for (const auto& climber : climbers_) {
      auto around = known_.around(space_, climber.genotype);
      stream.shuffle(around);
      for (auto& genotype : around)
        if (batch.size() < settings_.population && known_.add(genotype))
          batch.push_back(std::move(genotype));
      if (batch.size() == settings_.population) return batch;
    }
    if (!batch.empty()) return batch;
    climbers_.clear();
    known_.fill(batch, settings_.population, space_, stream);
    return batch;
  }

  /// Keeps what no other climber dominates.
  void select() {
    std::vector<std::vector<double>> points;
    for (const auto& climber : climbers_) points.push_back(climber.objectives);
    std::vector<Member> kept;
    for (const std::size_t i : core::pareto_front(points)) kept.push_back(std::move(climbers_[i]));
    climbers_ = std::move(kept);
  }

  const spaces::Space& space_;
  AlgorithmSettings settings_;
  std::string identity_;
  std::uint64_t generations_ = 0;
  std::vector<Member> climbers_;
  Known known_;
};

const core::Registered kEntry{
    algorithms(), "local_search",
    "climbs to ever better neighbours, one decision away, and starts anew at the top (White et al. "
    "2021); with several objectives from every member of the front",
    AlgorithmFactory([](const core::Call& call, const spaces::Space& space,
                        const AlgorithmSettings& settings) -> std::unique_ptr<SearchAlgorithm> {
      return std::make_unique<LocalSearch>(space, settings, state_identity(call, space, settings));
    })};
const core::Registered kRulesEntry{
    algorithm_rules(), "local_search", "",
    AlgorithmRules{.arguments = [](const core::Call& call) { call.expect_only({}); },
                   .population = {},
                   .default_population = 10}};

}  // namespace

}  // namespace mosaic::search
