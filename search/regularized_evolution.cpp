#include "algorithm_state.hpp"
#include "mosaic/core/pareto.hpp"
#include "operators.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

constexpr int kPatience = 50;  // mutations of one parent that are all known

struct Arguments {
  std::size_t sample;
  std::size_t children;
  explicit Arguments(const core::Call& call) {
    call.expect_only({"sample", "children"});
    sample = static_cast<std::size_t>(call.integer("sample", 3, 1, 1'000'000));
    children = static_cast<std::size_t>(call.integer("children", 1, 1, 1'000'000));
  }
};

/// Regularised (ageing) evolution (Real et al. 2019): the best of a random sample of the population
/// is mutated, the child enters, the oldest member leaves. With several objectives the best of a
/// sample is one that no other member of the sample dominates. A child that is known already is
/// mutated on, so that no evaluation is wasted.
class RegularizedEvolution : public PopulationAlgorithm {
 public:
  RegularizedEvolution(const spaces::Space& space, AlgorithmSettings settings,
                       const Arguments& arguments, std::string identity)
      : PopulationAlgorithm(space, std::move(settings), "regularized_evolution",
                            std::move(identity)),
        arguments_(arguments) {}

 private:
  std::vector<spaces::Genotype> next(core::Stream& stream) override {
    std::vector<spaces::Genotype> batch;
    for (std::size_t i = 0; i < arguments_.children; ++i) {
      spaces::Genotype child = mutate(space_, parent(stream).genotype, stream);
      if (known_.take(child, kPatience - 1,
                      [&](spaces::Genotype& varied) { varied = mutate(space_, varied, stream); }))
        batch.push_back(std::move(child));
      else
        known_.fill(batch, batch.size() + 1, space_, stream);
    }
    return batch;
  }

  /// The oldest, which stand first, leave.
  void survive() override {
    if (members_.size() > settings_.population)
      members_.erase(members_.begin(),
                     members_.end() - static_cast<std::ptrdiff_t>(settings_.population));
  }

  const Member& parent(core::Stream& stream) const {
    const Member* best = nullptr;
    for (std::size_t i = 0; i < arguments_.sample; ++i) {
      const Member& rival = members_[stream.below(members_.size())];
      if (best == nullptr || core::dominates(rival.objectives, best->objectives)) best = &rival;
    }
    return *best;
  }

  Arguments arguments_;
};

const core::Registered kEntry{
    algorithms(), "regularized_evolution",
    "ageing evolution (Real et al. 2019): the best of sample=3 members is mutated, the oldest "
    "leaves; children=1 a generation",
    AlgorithmType{.make =
                      [](const core::Call& call, const spaces::Space& space,
                         const AlgorithmSettings& settings) {
                        return std::make_unique<RegularizedEvolution>(
                            space, settings, Arguments(call),
                            state_identity(call, space, settings));
                      },
                  .arguments = [](const core::Call& call) { Arguments{call}; },
                  .default_population = 10}};

}  // namespace

}  // namespace mosaic::search
