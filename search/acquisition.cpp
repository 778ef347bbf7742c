#include "acquisition.hpp"

#include <algorithm>
#include <cmath>

#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"

namespace mosaic::search {

namespace {

constexpr double kMargin = 0.1;  // of the front's extent, from its worst values to the reference
constexpr std::size_t kSamples = 32;
constexpr double kAugmentation = 0.05;

}  // namespace

Acquisition::Acquisition(std::size_t objectives, std::vector<std::vector<double>> front,
                         std::uint64_t seed)
    : objectives_(objectives), front_(std::move(front)) {
  core::Stream stream(seed, "search/acquisition");
  if (objectives_ > 2) {
    double sum = 0;
    for (std::size_t k = 0; k < objectives_; ++k)
      sum += weights_.emplace_back(-std::log(1 - stream.uniform()));
    for (double& weight : weights_) weight /= sum;
    for (std::size_t s = 0; s < kSamples; ++s)
      for (std::size_t k = 0; k < objectives_; ++k)
        (k == 0 ? normals_.emplace_back() : normals_.back()).push_back(stream.normal());
  }
  for (std::size_t k = 0; k < objectives_ && !front_.empty(); ++k) {
    const auto [low, top] = std::minmax_element(
        front_.begin(), front_.end(), [k](const auto& a, const auto& b) { return a[k] < b[k]; });
    const double extent = (*top)[k] - (*low)[k];
    ideal_.push_back((*low)[k]);
    // Of a single network, a tenth of its value.
    reference_.push_back((*top)[k] + kMargin * (extent > 0 ? extent : std::abs((*top)[k]) + 1e-9));
  }
  prepare();
}

void Acquisition::prepare() {
  if (front_.empty()) return;
  std::sort(front_.begin(), front_.end());
  best_ = front_[0][0];
  if (objectives_ <= 2) return;
  best_ = scalar(front_[0]);
  for (const auto& point : front_) best_ = std::min(best_, scalar(point));
}

void Acquisition::add(const std::vector<double>& objectives) {
  if (front_.empty()) return;
  front_.push_back(objectives);
  std::vector<std::vector<double>> kept;
  for (const std::size_t i : core::pareto_front(front_)) kept.push_back(front_[i]);
  front_ = std::move(kept);
  prepare();
}

double Acquisition::operator()(const std::vector<Beliefs>& beliefs, Eigen::Index i) const {
  double kept = 1;
  for (std::size_t c = objectives_; c < beliefs.size(); ++c) kept *= beliefs[c].below(i, 0);
  return front_.empty() ? kept : kept * improvement(beliefs, i);
}

double Acquisition::improvement(const std::vector<Beliefs>& beliefs, Eigen::Index i) const {
  if (objectives_ == 1) return beliefs[0].gain(i, best_);
  return objectives_ == 2 ? strips(beliefs, i) : scalarised(beliefs, i);
}

double Acquisition::strips(const std::vector<Beliefs>& beliefs, Eigen::Index i) const {
  // Between two neighbours of the front (in the first objective) a point improves the hypervolume
  // by (right - max(left, y0))+ (height - y1)+, and both factors are independent.
  double sum = 0;
  double left = 0;
  double height = reference_[1];
  for (std::size_t n = 0; n <= front_.size(); ++n) {
    const double border = n < front_.size() ? front_[n][0] : reference_[0];
    const double right = beliefs[0].gain(i, border);
    sum += (right - left) * beliefs[1].gain(i, height);
    left = right;
    if (n < front_.size()) height = front_[n][1];
  }
  return sum;
}

double Acquisition::scalar(const std::vector<double>& objectives) const {
  double most = 0;
  double sum = 0;
  for (std::size_t k = 0; k < objectives_; ++k) {
    const double term = weights_[k] * (objectives[k] - ideal_[k]) / (reference_[k] - ideal_[k]);
    most = k == 0 ? term : std::max(most, term);
    sum += term;
  }
  return most + kAugmentation * sum;
}

double Acquisition::scalarised(const std::vector<Beliefs>& beliefs, Eigen::Index i) const {
  double gained = 0;
  std::vector<double> point(objectives_);
  for (const auto& normal : normals_) {
    for (std::size_t k = 0; k < objectives_; ++k)
      point[k] =
          beliefs[k].warp.back(beliefs[k].mean[i] + std::sqrt(beliefs[k].variance[i]) * normal[k]);
    gained += std::max(0.0, best_ - scalar(point));
  }
  return gained / static_cast<double>(normals_.size());
}

}  // namespace mosaic::search
