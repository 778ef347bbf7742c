#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

core::Registry<AlgorithmType>& algorithms() {
  static core::Registry<AlgorithmType> registry("search algorithm");
  return registry;
}

std::unique_ptr<SearchAlgorithm> make_algorithm(const std::string& spec, const spaces::Space& space,
                                                const AlgorithmSettings& settings) {
  const core::Call call = core::parse_call(spec);
  const AlgorithmType& type = algorithms().at(call.name);
  if (type.arguments) type.arguments(call);
  if (type.population) type.population(call, settings.population);
  return type.make(call, space, settings);
}

}  // namespace mosaic::search
