#include "archive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "mosaic/core/pareto.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

constexpr double kMargin = 0.1;  // units from the worst values to the reference

}  // namespace

void Archive::add(Evaluated network) {
  if (!index_.emplace(network.genotype, networks_.size()).second)
    throw std::logic_error("Archive: a network is evaluated twice");
  failed_ += network.ok() ? 0 : 1;
  networks_.push_back(std::move(network));
}

const Evaluated* Archive::find(const spaces::Genotype& genotype) const {
  const auto found = index_.find(genotype);
  return found == index_.end() ? nullptr : &networks_[found->second];
}

bool Archive::update() {
  // What was dominated stays dominated, so the old front and the new networks are enough. In order
  // of evaluation, so that of equal networks the first one stays.
  std::vector<std::size_t> candidates = front_;
  std::sort(candidates.begin(), candidates.end());
  for (; seen_ < networks_.size(); ++seen_)
    if (networks_[seen_].feasible()) candidates.push_back(seen_);
  std::vector<std::vector<double>> points;
  for (const std::size_t i : candidates) points.push_back(networks_[i].objectives);
  std::vector<std::size_t> front;
  for (const std::size_t i : core::pareto_front(points)) front.push_back(candidates[i]);
  const bool changed = front != front_;
  front_ = std::move(front);
  if (scale_.best.empty() && !front_.empty()) fix_scale();
  for (const std::size_t i : front_) move_reference(networks_[i].objectives);
  return changed;
}

void Archive::fix_scale() {
  for (const auto& network : networks_) {
    if (!network.feasible()) continue;
    if (scale_.best.empty()) scale_ = {network.objectives, network.objectives, {}};
    for (std::size_t i = 0; i < objectives_; ++i) {
      scale_.best[i] = std::min(scale_.best[i], network.objectives[i]);
      scale_.worst[i] = std::max(scale_.worst[i], network.objectives[i]);
    }
  }
  move_reference(scale_.worst);
}

void Archive::set_scale(Scale scale) {
  scale_ = std::move(scale);
  if (!scale_.worst.empty()) move_reference(scale_.worst);  // older states have none
}

double Archive::unit(std::size_t objective) const {
  // Where all first networks were equal, their own value.
  const double span = scale_.worst[objective] - scale_.best[objective];
  if (span > 0) return span;
  return scale_.best[objective] == 0 ? 1 : std::abs(scale_.best[objective]);
}

void Archive::move_reference(const std::vector<double>& objectives) {
  scale_.reference.resize(objectives_, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < objectives_; ++i)
    scale_.reference[i] = std::max(scale_.reference[i], objectives[i] + kMargin * unit(i));
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
    for (std::size_t i = 0; i < objectives_; ++i) point[i] = (point[i] - scale_.best[i]) / unit(i);
    scaled.push_back(std::move(point));
  }
  std::vector<double> reference = scale_.reference;
  for (std::size_t i = 0; i < objectives_; ++i)
    reference[i] = (reference[i] - scale_.best[i]) / unit(i);
  return core::hypervolume(scaled, reference);
}

}  // namespace mosaic::search
