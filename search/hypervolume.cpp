#include <algorithm>
#include <pagmo/utils/hypervolume.hpp>
#include <stdexcept>

#include "mosaic/search/search.hpp"

namespace mosaic::search {

double hypervolume(const std::vector<std::vector<double>>& points,
                   const std::vector<double>& reference) {
  std::vector<std::vector<double>> inside;
  for (const auto& point : points) {
    if (point.size() != reference.size())
      throw std::logic_error("hypervolume: a point has " + std::to_string(point.size()) +
                             " objectives, the reference " + std::to_string(reference.size()));
    // A point on the border adds nothing, and comparisons with NaN are false.
    bool within = true;
    for (std::size_t i = 0; i < point.size(); ++i) within = within && point[i] < reference[i];
    if (within) inside.push_back(point);
  }
  if (inside.empty()) return 0;
  if (reference.size() == 1) {  // pagmo starts at two objectives
    const auto best = std::min_element(inside.begin(), inside.end());
    return reference[0] - (*best)[0];
  }
  return pagmo::hypervolume(inside, false).compute(reference);
}

}  // namespace mosaic::search
