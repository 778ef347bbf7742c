#include "minimise.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace mosaic::predictors {

namespace {

constexpr std::size_t kPairs = 8;
constexpr double kLongest = 2;  // of a step, in any coordinate

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

struct Pair {
  std::vector<double> step;
  std::vector<double> change;  ///< of the gradient
  double rho = 0;
};

/// Minus the approximate inverse Hessian times the gradient, by the two-loop recursion.
std::vector<double> direction(const std::deque<Pair>& pairs, const std::vector<double>& gradient) {
  std::vector<double> q = gradient;
  std::vector<double> alpha(pairs.size());
  for (std::size_t i = pairs.size(); i-- > 0;) {
    alpha[i] = pairs[i].rho * dot(pairs[i].step, q);
    for (std::size_t j = 0; j < q.size(); ++j) q[j] -= alpha[i] * pairs[i].change[j];
  }
  double scale = 1 / std::max(1.0, std::sqrt(dot(gradient, gradient)));
  if (!pairs.empty())
    scale = 1 / (pairs.back().rho * dot(pairs.back().change, pairs.back().change));
  for (double& value : q) value *= scale;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double beta = pairs[i].rho * dot(pairs[i].change, q);
    for (std::size_t j = 0; j < q.size(); ++j) q[j] += (alpha[i] - beta) * pairs[i].step[j];
  }
  for (double& value : q) value = -value;
  return q;
}

/// Whether a bound stops coordinate j from going where `along` < 0 means down.
bool stopped(const std::vector<double>& x, const Box& box, std::size_t j, double along) {
  return (along < 0 && x[j] <= box.lower[j]) || (along > 0 && x[j] >= box.upper[j]);
}

}  // namespace

Minimum minimise(const Objective& objective, std::vector<double> start, const Box& box,
                 int evaluations, double tolerance) {
  const std::size_t size = start.size();
  const auto clamp = [&](std::vector<double>& x) {
    for (std::size_t j = 0; j < size; ++j) x[j] = std::clamp(x[j], box.lower[j], box.upper[j]);
  };
  clamp(start);
  std::vector<double> gradient(size);
  Minimum best{start, objective(start, gradient), 1};
  if (!std::isfinite(best.value)) return best;
  std::deque<Pair> pairs;
  int idle = 0;
  while (best.evaluations < evaluations) {
    std::vector<double> free = gradient;
    for (std::size_t j = 0; j < size; ++j)
      if (stopped(best.x, box, j, -gradient[j])) free[j] = 0;
    std::vector<double> along = direction(pairs, free);
    for (std::size_t j = 0; j < size; ++j)
      if (free[j] == 0 || stopped(best.x, box, j, along[j])) along[j] = 0;
    double slope = dot(along, free);
    if (!(slope < 0)) {
      if (pairs.empty()) break;
      pairs.clear();
      continue;
    }
    if (-slope < tolerance * 0.1) break;
    double longest = 0;
    for (const double value : along) longest = std::max(longest, std::abs(value));
    double length = std::min(1.0, kLongest / longest);

    std::vector<double> next(size);
    std::vector<double> next_gradient(size);
    double value = std::numeric_limits<double>::infinity();
    while (best.evaluations < evaluations) {
      for (std::size_t j = 0; j < size; ++j) next[j] = best.x[j] + length * along[j];
      clamp(next);
      value = objective(next, next_gradient);
      ++best.evaluations;
      if (value <= best.value + 1e-4 * length * slope) break;
      length *=
          std::isfinite(value)
              ? std::clamp(-0.5 * slope * length / (value - best.value - slope * length), 0.1, 0.5)
              : 0.2;
      value = std::numeric_limits<double>::infinity();
      if (length * longest < 1e-8) break;
    }
    if (!std::isfinite(value)) {
      if (pairs.empty()) break;
      pairs.clear();  // the model of the curvature misled us: once more along the gradient
      continue;
    }
    Pair pair{next, next_gradient, 0};
    for (std::size_t j = 0; j < size; ++j) {
      pair.step[j] -= best.x[j];
      pair.change[j] -= gradient[j];
    }
    const double curvature = dot(pair.step, pair.change);
    if (curvature > 1e-10 * dot(pair.change, pair.change)) {
      pair.rho = 1 / curvature;
      pairs.push_back(std::move(pair));
      if (pairs.size() > kPairs) pairs.pop_front();
    }
    idle = best.value - value < tolerance ? idle + 1 : 0;
    best.x = std::move(next);
    best.value = value;
    gradient = std::move(next_gradient);
    if (idle >= 2) break;
  }
  return best;
}

}  // namespace mosaic::predictors
