#include "algorithm_state.hpp"
#include "mosaic/core/pareto.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

/// Local search (White et al. 2021), with several objectives Pareto local search (Paquete et al.
/// 2004): all networks one decision away from the best known are evaluated, a generation's worth at
/// a time, until the best has no better neighbour; then from random networks on. With several
/// objectives every member of the front is explored in turn.
class LocalSearch : public PopulationAlgorithm {
 public:
  LocalSearch(const spaces::Space& space, AlgorithmSettings settings, std::string identity)
      : PopulationAlgorithm(space, std::move(settings), "local_search", std::move(identity)) {}

 private:
  std::vector<spaces::Genotype> first(core::Stream& stream) override {
    if (settings_.start.empty()) return next(stream);
    std::vector<spaces::Genotype> batch;
    for (const auto& genotype : settings_.start)
      if (known_.add(genotype)) batch.push_back(genotype);
    return batch;
  }

  /// Unknown neighbours of the climbers, first climbers first; where there is none, the climb is
  /// over and new climbers start at random places.
  std::vector<spaces::Genotype> next(core::Stream& stream) override {
    std::vector<spaces::Genotype> batch;
    for (const auto& climber : members_) {
      auto around = known_.around(space_, climber.genotype);
      stream.shuffle(around);
      for (auto& genotype : around)
        if (batch.size() < settings_.population && known_.add(genotype))
          batch.push_back(std::move(genotype));
      if (batch.size() == settings_.population) return batch;
    }
    if (!batch.empty()) return batch;
    members_.clear();
    known_.fill(batch, settings_.population, space_, stream);
    return batch;
  }

  /// Keeps what no other climber dominates.
  void survive() override {
    std::vector<Member> kept;
    for (const std::size_t i : core::pareto_front(core::mapped(members_, &Member::objectives)))
      kept.push_back(std::move(members_[i]));
    members_ = std::move(kept);
  }
};

const core::Registered kEntry{
    algorithms(), "local_search",
    "climbs to ever better neighbours, one decision away, and starts anew at the top (White et al. "
    "2021); with several objectives from every member of the front",
    AlgorithmType{.make =
                      [](const core::Call& call, const spaces::Space& space,
                         const AlgorithmSettings& settings) {
                        return std::make_unique<LocalSearch>(space, settings,
                                                             state_identity(call, space, settings));
                      },
                  .arguments = [](const core::Call& call) { call.expect_only({}); },
                  .default_population = 10}};

}  // namespace

}  // namespace mosaic::search
