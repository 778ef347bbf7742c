/// Supernets grown at random.
#pragma once

#include <string>
#include <vector>

#include "../supernet/sharing/growth_tree.hpp"

namespace mosaic::supernet::test {

/// SharingSettings::split of a `grown` supernet that was grown at random: `count` random questions
/// at random layers, among those that divide the space.
inline std::string random_growth(const spaces::Space& space, std::int64_t count,
                                 std::uint64_t seed) {
  constexpr int kArchitectures = 64;
  GrowthTrees trees(space.graph(), "");
  core::Stream stream(seed, "random growth");
  std::vector<Respondent> all;
  for (int i = 0; i < kArchitectures; ++i)
    all.push_back(trees.respond(space, space.random(stream)));
  for (int tries = 0; count > 0 && tries < 1000; ++tries) {
    const int unit = static_cast<int>(stream.below(trees.units().size()));
    const int leaf = static_cast<int>(stream.below(static_cast<std::uint64_t>(trees.leaves(unit))));
    std::vector<Respondent> there;
    for (const auto& respondent : all)
      if (trees.leaf(unit, respondent) == leaf) there.push_back(respondent);
    const auto fit = questions(space.graph(), unit, there);
    if (fit.empty()) continue;
    trees.add({unit, leaf, fit[static_cast<std::size_t>(stream.below(fit.size()))]});
    --count;
  }
  return trees.text();
}

}  // namespace mosaic::supernet::test
