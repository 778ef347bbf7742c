#include "gp_likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "gp_kernels.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kFewRecords = 100;
constexpr int kRoughSteps = 20;
constexpr double kRoughTolerance = 0.1;  // of the log likelihood
constexpr double kNoLinear = 1e-4;       // below this share the linear term is left out

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

std::vector<double> transposed(const std::vector<double>& a, std::size_t rows,
                               std::size_t columns) {
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) result[j * rows + i] = a[i * columns + j];
  return result;
}

std::vector<double> gram(const std::vector<double>& x, std::size_t count, std::size_t columns) {
  std::vector<double> result(count * count, 0.0);
  products(x.data(), count, Panels::full(x.data(), count, columns), result.data());
  return result;
}

}  // namespace

GpRecords GpRecords::pick(const std::vector<std::size_t>& indices) const {
  GpRecords result;
  result.columns = columns;
  for (const auto i : indices) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(i * columns);
    result.x.insert(result.x.end(), begin, begin + static_cast<std::ptrdiff_t>(columns));
    result.y.push_back(y[i]);
    if (!noise.empty()) result.noise.push_back(noise[i]);
  }
  return result;
}

std::vector<double> scaled_features(const std::vector<double>& x, std::size_t columns,
                                    const std::vector<double>& scales) {
  std::vector<double> factors(columns, 1 / std::sqrt(static_cast<double>(columns)));
  for (std::size_t j = 0; j < scales.size(); ++j) factors[j] /= scales[j];
  std::vector<double> result(x.size());
  for (std::size_t i = 0; i < x.size(); i += columns)
    for (std::size_t j = 0; j < columns; ++j) result[i + j] = x[i + j] * factors[j];
  return result;
}

std::vector<double> squared_lengths(const std::vector<double>& rows, std::size_t columns,
                                    std::size_t count) {
  std::vector<double> result(count, 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    const double* const row = rows.data() + i * columns;
    result[i] = dot_product(row, row, columns);
  }
  return result;
}

std::vector<double> gp_covariance(const GpRecords& records, GpKernel kernel,
                                  const GpParameters& parameters) {
  const std::size_t n = records.count();
  const std::size_t d = records.columns;
  const auto z = scaled_features(records.x, d, parameters.scales);
  const auto lengths = squared_lengths(z, d, n);
  std::vector<double> k = gram(z, n, d);
  std::vector<double> inner;
  const double linear = d > 0 ? parameters.linear : 0;
  if (linear > 0) inner = gram(scaled_features(records.x, d, {}), n, d);
  for (std::size_t i = 0; i < n; ++i) {
    covariances({kernel, parameters.signal, linear, lengths[i], lengths.data(),
                 linear > 0 ? inner.data() + i * n : nullptr},
                k.data() + i * n, n);
    k[i * n + i] += parameters.noise * records.noise_of(i);
  }
  return k;
}

GpLikelihood::GpLikelihood(GpRecords records, GpKernel kernel, bool linear)
    : records_(std::move(records)), kernel_(kernel), linear_(linear && records_.columns > 0) {
  if (linear_)
    inner_ = gram(scaled_features(records_.x, columns(), {}), records_.count(), columns());
}

double GpLikelihood::operator()(const std::vector<double>& theta,
                                std::vector<double>& gradient) const {
  const std::size_t n = records_.count();
  const std::size_t d = columns();
  const GpParameters parameters = to_parameters(theta);
  std::fill(gradient.begin(), gradient.end(), 0.0);

  const auto z = scaled_features(records_.x, d, parameters.scales);
  const auto lengths = squared_lengths(z, d, n);
  std::vector<double> slope = gram(z, n, d);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      slope[i * n + j] = lengths[i] + lengths[j] - 2 * slope[i * n + j];
  std::vector<double> shape(n * n);
  correlation_slopes(kernel_, slope.data(), shape.data(), slope.size());
  std::vector<double> k(n * n);
  for (std::size_t i = 0; i < k.size(); ++i) k[i] = parameters.signal * shape[i] + 1;
  if (linear_)
    for (std::size_t i = 0; i < k.size(); ++i) k[i] += parameters.linear * inner_[i];
  for (std::size_t i = 0; i < n; ++i) k[i * n + i] += parameters.noise * records_.noise_of(i);

  GrowingCholesky cholesky;
  if (!cholesky.complete(k, n)) return std::numeric_limits<double>::infinity();
  const auto weights = cholesky.solve(records_.y);
  double value = cholesky.half_log_determinant() +
                 0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  for (std::size_t i = 0; i < n; ++i) value += 0.5 * records_.y[i] * weights[i];

  // d value / d theta = sum_ik W_ik dK_ik / d theta, W = (K^-1 - w w^T) / 2
  const auto turned = transposed(cholesky.inverse(), n, n);
  std::vector<double>& w = k;
  products(turned.data(), n, Panels::transposed_lower(cholesky.inverse().data(), n), w.data());
  double by_signal = 0;
  double by_linear = 0;
  double by_noise = 0;
  std::vector<double> row_sums(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    double* const row = w.data() + i * n;
    const double* const shape_row = shape.data() + i * n;
    double* const slope_row = slope.data() + i * n;
    for (std::size_t j = 0; j < n; ++j) row[j] = 0.5 * (row[j] - weights[i] * weights[j]);
    by_noise += row[i] * records_.noise_of(i);
    if (linear_)
      for (std::size_t j = 0; j < n; ++j) by_linear += row[j] * inner_[i * n + j];
    for (std::size_t j = 0; j < n; ++j) {
      by_signal += row[j] * shape_row[j];
      slope_row[j] *= row[j] * parameters.signal;
      row_sums[i] += slope_row[j];
    }
  }
  gradient[d + 1] = by_signal * parameters.signal;
  gradient[d + 2] = by_linear * parameters.linear;
  gradient[d + 3] = by_noise * parameters.noise;
  if (d > 0) {
    const auto columns_of_z = transposed(z, n, d);
    std::vector<double> moved(n * d);
    products(slope.data(), n, Panels::full(columns_of_z.data(), d, n), moved.data());
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < d; ++j)
        gradient[1 + j] += -4 * z[i * d + j] * (row_sums[i] * z[i * d + j] - moved[i * d + j]);
    for (std::size_t j = 0; j < d; ++j) gradient[0] += gradient[1 + j];
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
  if (previous != nullptr && previous->scales.size() == records.columns) {
    start = likelihood.to_theta(*previous);
  } else {
    std::vector<std::size_t> few;
    const std::size_t step = (records.count() + kFewRecords - 1) / kFewRecords;
    for (std::size_t i = 0; i < records.count(); i += step) few.push_back(i);
    const GpLikelihood rough(records.pick(few), settings.kernel, settings.linear);
    double best = std::numeric_limits<double>::infinity();
    for (const auto& [scale, noise] : {std::pair{1.0, 0.05}, std::pair{4.0, 0.002}}) {
      const GpParameters first{std::vector<double>(records.columns, scale), 1, 0.3, noise};
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
