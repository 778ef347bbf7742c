#include "gp_likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace mosaic::predictors {

namespace {

constexpr std::size_t kFewRecords = 100;
constexpr int kRoughSteps = 20;
constexpr double kRoughTolerance = 0.1;  // of the log likelihood
constexpr double kNoLinear = 1e-4;       // below this share the linear term is left out
constexpr double kSmallest = 1e-300;     // squared distance: rounding makes some negative

struct Prior {
  double mean;
  double deviation;
  double lower;
  double upper;
};
const Prior kCommon{std::log(1.5), 1.0, std::log(0.05), std::log(50.0)};
const Prior kShare{0, 1.0, -3, 4};
const Prior kSignal{0, 1.5, std::log(1e-3), std::log(100.0)};
const Prior kLinear{std::log(0.3), 1.5, std::log(kNoLinear), std::log(100.0)};
const Prior kNoise{std::log(0.01), 2.0, std::log(1e-6), 0};

/// Adds a prior's part to value and gradient.
double penalty(const Prior& prior, double x, double& slope) {
  const double z = (x - prior.mean) / prior.deviation;
  slope += z / prior.deviation;
  return 0.5 * z * z;
}

/// Columns by their length scales and by sqrt(d), so that |z - z'|^2 is r^2.
Matrix scaled(const Matrix& x, const GpParameters& parameters) {
  const Eigen::Map<const Vector> scales(parameters.scales.data(), x.cols());
  return x * (std::sqrt(static_cast<double>(x.cols())) * scales).cwiseInverse().asDiagonal();
}

/// |a_i - b_j|^2.
Matrix squared_distances(const Matrix& a, const Matrix& b) {
  Matrix result(a.rows(), b.rows());
  result.noalias() = -2 * a * b.transpose();
  result.colwise() += a.rowwise().squaredNorm();
  result.rowwise() += b.rowwise().squaredNorm().transpose();
  return result.cwiseMax(kSmallest);
}

/// In place: r^2 -> m(r) of GpParameters; `slope`, where asked for, is dm/d(r^2).
void correlate(GpKernel kernel, Matrix& squared, Matrix* slope = nullptr) {
  auto m = squared.array();
  if (kernel == GpKernel::rbf) {
    m = (-0.5 * m).exp();
    if (slope) *slope = -0.5 * squared;
    return;
  }
  m = (5 * m).sqrt();
  if (slope) slope->array() = (-5.0 / 6) * (1 + m) * (-m).exp();
  m = (1 + m + m.square() / 3) * (-m).exp();
}

/// L -> L^-1, by halves.
void invert_lower(Eigen::Ref<Matrix> lower) {
  const Eigen::Index n = lower.rows();
  if (n <= 32) {
    lower = lower.triangularView<Eigen::Lower>().solve(Matrix::Identity(n, n)).eval();
    return;
  }
  auto first = lower.topLeftCorner(n / 2, n / 2);
  auto last = lower.bottomRightCorner(n - n / 2, n - n / 2);
  auto below = lower.bottomLeftCorner(n - n / 2, n / 2);
  invert_lower(first);
  invert_lower(last);
  below = -(last.triangularView<Eigen::Lower>() * below).eval();
  below = (below * first.triangularView<Eigen::Lower>()).eval();
}

}  // namespace

GpRecords GpRecords::pick(const std::vector<std::size_t>& indices) const {
  return {x(indices, Eigen::all), y(indices), noise(indices)};
}

Matrix gp_covariance(const Matrix& a, const Matrix& b, GpKernel kernel,
                     const GpParameters& parameters) {
  Matrix k = squared_distances(scaled(a, parameters), scaled(b, parameters));
  correlate(kernel, k);
  k = (parameters.signal * k.array() + 1).matrix();
  if (parameters.linear > 0 && a.cols() > 0)
    k.noalias() += (parameters.linear / static_cast<double>(a.cols())) * a * b.transpose();
  return k;
}

bool invert_factor(Matrix& covariance) {
  const double largest = covariance.diagonal().maxCoeff();
  const Eigen::LLT<Eigen::Ref<Matrix>> factor(covariance);  // in place
  if (factor.info() != Eigen::Success ||
      !(covariance.diagonal().minCoeff() > 1e-7 * std::sqrt(largest)))
    return false;
  covariance.triangularView<Eigen::StrictlyUpper>().setZero();
  invert_lower(covariance);
  return true;
}

Vector solve(const Matrix& inverse_factor, const Vector& y) {
  const Vector half = inverse_factor.triangularView<Eigen::Lower>() * y;
  return inverse_factor.transpose().triangularView<Eigen::Upper>() * half;
}

GpLikelihood::GpLikelihood(GpRecords records, GpKernel kernel, bool linear)
    : records_(std::move(records)), kernel_(kernel), linear_(linear && records_.columns() > 0) {
  if (linear_)
    inner_ = records_.x * records_.x.transpose() / static_cast<double>(records_.columns());
}

double GpLikelihood::operator()(const std::vector<double>& theta,
                                std::vector<double>& gradient) const {
  const Eigen::Index n = records_.count();
  const std::size_t d = columns();
  const GpParameters parameters = to_parameters(theta);
  std::fill(gradient.begin(), gradient.end(), 0.0);

  const Matrix z = scaled(records_.x, parameters);
  Matrix shape = squared_distances(z, z);
  Matrix slope(n, n);
  correlate(kernel_, shape, &slope);
  Matrix k = (parameters.signal * shape.array() + 1).matrix();
  if (linear_) k += parameters.linear * inner_;
  k.diagonal() += parameters.noise * records_.noise;

  if (!invert_factor(k)) return std::numeric_limits<double>::infinity();
  const Vector weights = solve(k, records_.y);
  const double value = -k.diagonal().array().log().sum() +
                       0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi) +
                       0.5 * records_.y.dot(weights);

  // d value / d theta = sum_ik W_ik dK_ik / d theta, W = (K^-1 - w w^T) / 2
  Matrix w = -0.5 * weights * weights.transpose();
  w.selfadjointView<Eigen::Lower>().rankUpdate(k.transpose(), 0.5);
  w.triangularView<Eigen::StrictlyUpper>() = w.transpose();
  gradient[d + 1] = parameters.signal * w.cwiseProduct(shape).sum();
  if (linear_) gradient[d + 2] = parameters.linear * w.cwiseProduct(inner_).sum();
  gradient[d + 3] = parameters.noise * w.diagonal().dot(records_.noise);
  slope = parameters.signal * slope.cwiseProduct(w);
  const Vector sums = slope.rowwise().sum();
  const Vector of_scales =
      -4 * z.cwiseProduct(sums.asDiagonal() * z - slope * z).colwise().sum().transpose();
  for (std::size_t j = 0; j < d; ++j) {
    gradient[1 + j] = of_scales[static_cast<Eigen::Index>(j)];
    gradient[0] += gradient[1 + j];
  }
  return value + add_priors(theta, gradient);
}

double GpLikelihood::add_priors(const std::vector<double>& theta,
                                std::vector<double>& gradient) const {
  const std::size_t d = columns();
  double value = penalty(kCommon, theta[0], gradient[0]);
  for (std::size_t j = 0; j < d; ++j) value += penalty(kShare, theta[1 + j], gradient[1 + j]);
  value += penalty(kSignal, theta[d + 1], gradient[d + 1]);
  if (linear_) value += penalty(kLinear, theta[d + 2], gradient[d + 2]);
  return value + penalty(kNoise, theta[d + 3], gradient[d + 3]);
}

Box GpLikelihood::box(bool own_scales) const {
  Box box;
  const auto add = [&](const Prior& prior, bool open) {
    box.lower.push_back(open ? prior.lower : 0);
    box.upper.push_back(open ? prior.upper : 0);
  };
  add(kCommon, columns() > 0);
  for (std::size_t j = 0; j < columns(); ++j) add(kShare, own_scales);
  add(kSignal, true);
  add(kLinear, linear_);
  add(kNoise, true);
  return box;
}

std::vector<double> GpLikelihood::to_theta(const GpParameters& parameters) const {
  double common = 0;
  for (const double scale : parameters.scales)
    common += std::log(scale) / static_cast<double>(parameters.scales.size());
  std::vector<double> theta{common};
  for (const double scale : parameters.scales) theta.push_back(std::log(scale) - common);
  theta.push_back(std::log(parameters.signal));
  theta.push_back(linear_ ? std::log(std::max(parameters.linear, kNoLinear)) : 0);
  theta.push_back(std::log(parameters.noise));
  return theta;
}

GpParameters GpLikelihood::to_parameters(const std::vector<double>& theta) const {
  const std::size_t d = columns();
  GpParameters parameters;
  for (std::size_t j = 0; j < d; ++j)
    parameters.scales.push_back(std::exp(theta[0] + theta[1 + j]));
  parameters.signal = std::exp(theta[d + 1]);
  parameters.linear = linear_ ? std::exp(theta[d + 2]) : 0;
  parameters.noise = std::exp(theta[d + 3]);
  return parameters;
}

GpParameters choose_gp_parameters(const GpRecords& records, const GpSettings& settings,
                                  const GpParameters* previous) {
  const GpLikelihood likelihood(records, settings.kernel, settings.linear);
  std::vector<double> start;
  if (previous != nullptr) {
    start = likelihood.to_theta(*previous);
  } else {
    std::vector<std::size_t> few;
    const auto count = static_cast<std::size_t>(records.count());
    const auto columns = static_cast<std::size_t>(records.columns());
    const std::size_t step = (count + kFewRecords - 1) / kFewRecords;
    for (std::size_t i = 0; i < count; i += step) few.push_back(i);
    const GpLikelihood rough(records.pick(few), settings.kernel, settings.linear);
    double best = std::numeric_limits<double>::infinity();
    for (const auto& [scale, noise] : {std::pair{1.0, 0.05}, std::pair{4.0, 0.002}}) {
      const GpParameters first{std::vector<double>(columns, scale), 1, 0.3, noise};
      const Minimum found =
          minimise(rough, rough.to_theta(first), rough.box(false), kRoughSteps, kRoughTolerance);
      if (found.value < best || start.empty()) {
        best = found.value;
        start = found.x;
      }
    }
  }
  const Minimum found =
      minimise(likelihood, start, likelihood.box(settings.own_scales), settings.steps, 1e-2);
  GpParameters parameters = likelihood.to_parameters(found.x);
  if (parameters.linear <= 1.001 * kNoLinear) parameters.linear = 0;
  return parameters;
}

}  // namespace mosaic::predictors
