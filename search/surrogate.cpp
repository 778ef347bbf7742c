#include "surrogate.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <stdexcept>

#include "mosaic/core/random.hpp"

namespace mosaic::search {

namespace {

constexpr double kScalePrior = 8;    // of a length scale: the spread of a group of features
constexpr double kScaleFreedom = 2;  // standard deviation of its logarithm
constexpr double kNoisePrior = 0.01;
constexpr double kNoiseFreedom = 2.5;
constexpr double kJitter = 1e-8;
constexpr Eigen::Index kMostForHyper = 250;  // records that choose hyperparameters
constexpr double kWorst = 0.85;              // quantile beyond which values may be cut

double density(double z) { return std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi); }
double cumulated(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double quantile(std::vector<double> values, double share) {
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

/// Where bad values lie much further out than all others are apart, they are cut.
Warp make_warp(const std::vector<double>& targets, bool log) {
  const auto [low, top] = std::minmax_element(targets.begin(), targets.end());
  const double bulk = quantile(targets, kWorst);
  Warp warp;
  warp.log = log;
  warp.ceiling = *top - bulk > 2 * (bulk - *low) && bulk > *low ? bulk : *top;
  const double range = warp.ceiling - *low;
  warp.origin = *low - 0.25 * (range > 0 ? range : 1);
  return warp;
}

/// Some records, evenly spread over the time they were measured.
std::vector<Eigen::Index> spread(Eigen::Index records, Eigen::Index most) {
  std::vector<Eigen::Index> result;
  for (Eigen::Index i = 0; i < std::min(records, most); ++i)
    result.push_back(records <= most ? i : i * records / most);
  return result;
}

}  // namespace

Distances distances(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b,
                    const std::vector<std::size_t>& starts) {
  Distances result;
  for (std::size_t g = 0; g + 1 < starts.size(); ++g) {
    const auto begin = static_cast<Eigen::Index>(starts[g]);
    const auto width = static_cast<Eigen::Index>(starts[g + 1] - starts[g]);
    const auto left = a.middleCols(begin, width);
    const auto right = b.middleCols(begin, width);
    Eigen::MatrixXf squared = -2 * left * right.transpose();
    squared.colwise() += left.rowwise().squaredNorm();
    squared.rowwise() += right.rowwise().squaredNorm().transpose();
    result.push_back(squared.cwiseMax(0.0F));
  }
  return result;
}

double Warp::into(double y) const {
  const double cut = std::min(y, ceiling);
  return log ? std::log(std::max(cut - origin, 1e-300)) : cut;
}

double Warp::back(double z) const { return log ? origin + std::exp(z) : z; }

double Beliefs::gain(Eigen::Index i, double bound) const {
  const double m = mean[i];
  const double s = std::sqrt(static_cast<double>(variance[i]));
  if (!warp.log) {
    const double z = (bound - m) / s;
    return s * (z * cumulated(z) + density(z));
  }
  const double room = bound - warp.origin;
  if (room <= 0) return 0;
  const double z = (std::log(room) - m) / s;
  return room * cumulated(z) - std::exp(m + 0.5 * s * s) * cumulated(z - s);
}

double Beliefs::below(Eigen::Index i, double bound) const {
  if (warp.log && bound <= warp.origin) return 0;
  const double z = warp.log ? std::log(bound - warp.origin) : bound;
  return cumulated((z - mean[i]) / std::sqrt(static_cast<double>(variance[i])));
}

Beliefs Beliefs::at(const std::vector<Eigen::Index>& indices) const {
  return {warp, mean(indices), variance(indices), whitened(Eigen::all, indices)};
}

Surrogate::Surrogate(std::size_t groups) : groups_(groups), forms_(2) {
  for (auto& form : forms_) {
    form.theta =
        Eigen::VectorXd::Constant(static_cast<Eigen::Index>(groups) + 1, std::log(kScalePrior));
    form.theta[static_cast<Eigen::Index>(groups)] = std::log(kNoisePrior);
  }
}

Eigen::MatrixXd Surrogate::correlation(const Distances& records, const Eigen::VectorXd& theta) {
  Eigen::MatrixXf sum = Eigen::MatrixXf::Zero(records[0].rows(), records[0].cols());
  for (std::size_t g = 0; g < records.size(); ++g)
    sum += static_cast<float>(std::exp(-theta[static_cast<Eigen::Index>(g)])) * records[g];
  Eigen::MatrixXd result = (-0.5F * sum).array().exp().matrix().cast<double>();
  result.diagonal().array() = 1 + std::exp(theta[theta.size() - 1]) + kJitter;
  return result;
}

Surrogate::Solved Surrogate::solve(const Distances& records, const Eigen::VectorXd& z,
                                   const Eigen::VectorXd& theta) {
  Solved solved;
  const Eigen::LLT<Eigen::MatrixXd> cholesky(correlation(records, theta));
  if (cholesky.info() != Eigen::Success) {
    solved.variance = std::numeric_limits<double>::infinity();
    return solved;
  }
  solved.lower = cholesky.matrixL();
  const auto lower = solved.lower.triangularView<Eigen::Lower>();
  const Eigen::VectorXd one = lower.solve(Eigen::VectorXd::Ones(z.size()));
  const Eigen::VectorXd value = lower.solve(z);
  solved.mean = one.dot(value) / one.squaredNorm();
  solved.weights = value - solved.mean * one;  // L^-1 (z - mean)
  solved.variance = std::max(solved.weights.squaredNorm() / static_cast<double>(z.size()), 1e-12);
  return solved;
}

/// Negative logarithm of likelihood times priors, but for constants.
double Surrogate::energy(const Distances& records, const Eigen::VectorXd& z,
                         const Eigen::VectorXd& theta) {
  const Solved solved = solve(records, z, theta);
  if (!std::isfinite(solved.variance)) return std::numeric_limits<double>::infinity();
  const Eigen::Index groups = theta.size() - 1;
  const Eigen::ArrayXd scales =
      (theta.head(groups).array() - std::log(kScalePrior)) / kScaleFreedom;
  const double noise = (theta[groups] - std::log(kNoisePrior)) / kNoiseFreedom;
  return 0.5 * static_cast<double>(z.size()) * std::log(solved.variance) +
         solved.lower.diagonal().array().log().sum() + 0.5 * scales.square().sum() +
         0.5 * noise * noise;
}

/// Random steps that are taken where they improve; they get shorter as long as none does.
void Surrogate::improve(Form& form, const Distances& records, const Eigen::VectorXd& z, int steps,
                        std::uint64_t seed) const {
  const auto kept = spread(z.size(), kMostForHyper);
  Distances part;
  for (const auto& matrix : records) part.push_back(matrix(kept, kept));
  const Eigen::VectorXd targets = z(kept);
  core::Stream stream(seed, "search/surrogate");
  double best = energy(part, targets, form.theta);
  double length = 1;
  for (int step = 0; step < steps; ++step) {
    Eigen::VectorXd attempt = form.theta;
    for (double& value : attempt)
      if (const double move = stream.normal(); stream.uniform() < 0.6) value += length * move;
    const double found = energy(part, targets, attempt);
    if (found < best) {
      best = found;
      form.theta = attempt;
    } else {
      length = std::max(0.15, 0.95 * length);
    }
  }
}

void Surrogate::fit(const Distances& records, const std::vector<double>& targets, int steps,
                    std::uint64_t seed) {
  const auto count = static_cast<Eigen::Index>(targets.size());
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t f = 0; f < forms_.size(); ++f) {
    if (steps == 0 && f != taken_) continue;
    Form& form = forms_[f];
    const Warp warp = make_warp(targets, f == 1);
    Eigen::VectorXd z(count);
    double jacobian = 0;
    for (Eigen::Index i = 0; i < count; ++i) {
      z[i] = warp.into(targets[static_cast<std::size_t>(i)]);
      if (warp.log) jacobian -= z[i];
    }
    const double centre = z.mean();
    const double spread = std::sqrt((z.array() - centre).square().mean());
    const double scale = spread > 0 ? spread : 1;
    z = (z.array() - centre) / scale;
    if (steps > 0) improve(form, records, z, steps, seed + f);
    Solved solved = solve(records, z, form.theta);
    // Networks that hardly differ, in single precision: a little more noise tells them apart.
    for (int attempt = 0; attempt < 12 && !std::isfinite(solved.variance); ++attempt) {
      form.theta[form.theta.size() - 1] += std::log(10.0);
      solved = solve(records, z, form.theta);
    }
    if (!std::isfinite(solved.variance))
      throw std::logic_error("Surrogate: the kernel matrix is not positive definite");
    if (steps > 0) {
      // Leave-one-out by R&W equation 5.12, with alpha and the diagonal of K^-1.
      const auto lower = solved.lower.triangularView<Eigen::Lower>();
      const Eigen::MatrixXd inverse = lower.solve(Eigen::MatrixXd::Identity(count, count));
      const Eigen::VectorXd alpha = inverse.transpose() * solved.weights;
      form.density = jacobian - static_cast<double>(count) * std::log(scale);
      for (Eigen::Index i = 0; i < count; ++i) {
        const double precision = inverse.col(i).squaredNorm();
        const double variance = solved.variance / precision;
        const double residual = alpha[i] / precision;
        form.density -= 0.5 * (std::log(variance) + residual * residual / variance);
      }
    }
    if (steps > 0 && !(form.density > best)) continue;
    best = form.density;
    taken_ = f;
    warp_ = warp;
    centre_ = centre;
    scale_ = scale;
    solved_ = std::move(solved);
  }
}

Eigen::MatrixXf Surrogate::kernel(const Distances& between) const {
  const Eigen::VectorXd& theta = forms_[taken_].theta;
  Eigen::MatrixXf sum = Eigen::MatrixXf::Zero(between[0].rows(), between[0].cols());
  for (std::size_t g = 0; g < groups_; ++g)
    sum += static_cast<float>(-0.5 * std::exp(-theta[static_cast<Eigen::Index>(g)])) * between[g];
  return sum.array().exp();
}

Beliefs Surrogate::predict(const Distances& candidates) const {
  Beliefs beliefs;
  beliefs.warp = warp_;
  beliefs.whitened = kernel(candidates).transpose();
  const Eigen::MatrixXf lower = solved_.lower.cast<float>();
  lower.triangularView<Eigen::Lower>().solveInPlace(beliefs.whitened);
  const auto scale = static_cast<float>(scale_);
  const auto centre = static_cast<float>(centre_ + scale_ * solved_.mean);
  const Eigen::VectorXf weights = solved_.weights.cast<float>();
  beliefs.mean = scale * (beliefs.whitened.transpose() * weights).array() + centre;
  const auto unit = static_cast<float>(solved_.variance) * scale * scale;
  const auto noise = static_cast<float>(std::exp(forms_[taken_].theta.tail(1)[0]));
  beliefs.variance =
      unit * ((1 - beliefs.whitened.colwise().squaredNorm().transpose().array()).max(1e-6F) +
              noise + 1e-8F);
  return beliefs;
}

void Surrogate::condition(Beliefs& beliefs, Eigen::Index chosen, const Distances& to_chosen) const {
  const Eigen::VectorXf prior = kernel(to_chosen);
  const Eigen::VectorXf column = beliefs.whitened.col(chosen);
  const Eigen::VectorXf covariance = prior - beliefs.whitened.transpose() * column;
  const auto noise = static_cast<float>(std::exp(forms_[taken_].theta.tail(1)[0]) + kJitter);
  const Eigen::VectorXf row = covariance / std::sqrt(std::max(covariance[chosen], 1e-6F) + noise);
  beliefs.whitened.conservativeResize(beliefs.whitened.rows() + 1, Eigen::NoChange);
  beliefs.whitened.bottomRows(1) = row.transpose();
  const auto unit = static_cast<float>(solved_.variance * scale_ * scale_);
  const float least = unit * (noise + 1e-6F);
  beliefs.variance = (beliefs.variance.array() - unit * row.array().square()).max(least);
}

nlohmann::json Surrogate::save() const {
  nlohmann::json forms = nlohmann::json::array();
  for (const auto& form : forms_)
    forms.push_back(std::vector<double>(form.theta.begin(), form.theta.end()));
  return {{"forms", forms}, {"taken", taken_}};
}

void Surrogate::load(const nlohmann::json& state) {
  const auto forms = state.at("forms").get<std::vector<std::vector<double>>>();
  const auto taken = state.at("taken").get<std::size_t>();
  if (forms.size() != forms_.size() || taken >= forms_.size())
    throw std::invalid_argument("a surrogate has two forms");
  for (std::size_t f = 0; f < forms.size(); ++f) {
    if (forms[f].size() != groups_ + 1)
      throw std::invalid_argument("a surrogate of other features");
    forms_[f].theta = Eigen::Map<const Eigen::VectorXd>(forms[f].data(),
                                                        static_cast<Eigen::Index>(forms[f].size()));
  }
  taken_ = taken;
}

}  // namespace mosaic::search
