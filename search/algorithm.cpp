#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

core::Registry<AlgorithmFactory>& algorithms() {
  static core::Registry<AlgorithmFactory> registry("search algorithm");
  return registry;
}

core::Registry<AlgorithmRules>& algorithm_rules() {
  static core::Registry<AlgorithmRules> registry("rules of search algorithm");
  return registry;
}

std::unique_ptr<SearchAlgorithm> make_algorithm(const std::string& spec, const spaces::Space& space,
                                                const AlgorithmSettings& settings) {
  const core::Call call = core::parse_call(spec);
  const AlgorithmFactory& factory = algorithms().at(call.name);
  if (algorithm_rules().contains(call.name)) {
    const AlgorithmRules& rules = algorithm_rules().at(call.name);
    if (rules.arguments) rules.arguments(call);
    if (rules.population) rules.population(call, settings.population);
  }
  return factory(call, space, settings);
}

}  // namespace mosaic::search
