#include "archive.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "mosaic/core/pareto.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

void Archive::add(Evaluated network) {
  if (!index_.emplace(network.genotype, networks_.size()).second)
    throw std::logic_error("Archive: a network is evaluated twice");
  networks_.push_back(std::move(network));
}

const Evaluated* Archive::find(const spaces::Genotype& genotype) const {
  const auto found = index_.find(genotype);
  return found == index_.end() ? nullptr : &networks_[found->second];
}

void Archive::update() {
  // What was dominated stays dominated, so the old front and the new networks are enough. In order
  // of evaluation, so that of equal networks the first one stays.
  std::vector<std::size_t> candidates = front_;
  std::sort(candidates.begin(), candidates.end());
  for (; seen_ < networks_.size(); ++seen_)
    if (networks_[seen_].feasible()) candidates.push_back(seen_);
  std::vector<std::vector<double>> points;
  for (const std::size_t i : candidates) points.push_back(networks_[i].objectives);
  front_.clear();
  for (const std::size_t i : core::pareto_front(points)) front_.push_back(candidates[i]);
  if (scale_.best.empty() && !front_.empty()) fix_scale();
}

void Archive::fix_scale() {
  for (const auto& network : networks_) {
    if (!network.feasible()) continue;
    if (scale_.best.empty()) scale_ = {network.objectives, network.objectives};
    for (std::size_t i = 0; i < objectives_; ++i) {
      scale_.best[i] = std::min(scale_.best[i], network.objectives[i]);
      scale_.worst[i] = std::max(scale_.worst[i], network.objectives[i]);
    }
  }
}

std::vector<std::int64_t> Archive::front() const {
  std::vector<std::int64_t> rows;
  for (const std::size_t i : front_) rows.push_back(networks_[i].architecture);
  return rows;
}

double Archive::hypervolume() const {
  if (scale_.best.empty()) return 0;
  std::vector<std::vector<double>> scaled;
  for (const std::size_t n : front_) {
    std::vector<double> point = networks_[n].objectives;
    for (std::size_t i = 0; i < objectives_; ++i) {
      const double span = scale_.worst[i] - scale_.best[i];
      point[i] = (point[i] - scale_.best[i]) / (span > 0 ? span : 1);
    }
    scaled.push_back(std::move(point));
  }
  // Where all first networks were equal in an objective, its reference is one unit worse than they.
  return search::hypervolume(scaled, std::vector<double>(objectives_, 1.0));
}

}  // namespace mosaic::search
