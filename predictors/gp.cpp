#include "mosaic/predictors/gp.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "gp_kernels.hpp"
#include "gp_likelihood.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kChunkValues = 40'000;  // covariances at a time: they stay in the cache
constexpr double kMostNoise = 1;              // tried where a covariance matrix is all but singular
constexpr int kReweightings = 4;              // of Laplace noise; later ones change little
constexpr double kLeastResidual = 0.3;  // of the usual size: smaller ones weigh no more than this

std::vector<std::size_t> random_part(std::size_t count, std::size_t most, std::uint64_t seed,
                                     const char* what) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (count <= most) return order;
  core::Stream(seed, what).shuffle(order);
  order.resize(most);
  std::sort(order.begin(), order.end());
  return order;
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

core::Error contradiction() {
  return core::Error("the state of this Gaussian process contradicts itself",
                     "fit it again and save it");
}

/// What predictions need of the training records, packed for products.
struct Packed {
  Panels z;                     ///< their scaled features
  std::vector<double> lengths;  ///< |z|^2
  Panels x;                     ///< features for the linear term; empty where there is none
  Panels inverse;               ///< L^-1
};

}  // namespace

struct GaussianProcess::Fitted {
  GpKernel kernel = GpKernel::matern52;
  GpParameters parameters;
  Standardiser features;
  Features first;     ///< the first row as it was given: constant columns are compared with it
  double centre = 0;  ///< of the targets
  double spread = 1;
  std::size_t chosen_at = 0;  ///< records when the hyperparameters were chosen
  bool appended = false;
  std::vector<std::size_t> used;
  std::size_t given = 0;  ///< records that fit() was given
  GpRecords records;
  GrowingCholesky cholesky;
  std::vector<double> weights;  ///< K^-1 y
  std::shared_ptr<const Packed> packed;

  std::vector<double> standardised(const Features* rows, std::size_t count) const {
    std::vector<double> x(count * features.outputs());
    for (std::size_t i = 0; i < count; ++i)
      features.apply(rows[i], x.data() + i * features.outputs());
    return x;
  }

  void set_scaling(const std::vector<Features>& rows, std::span<const double> targets) {
    features.fit(rows);
    first = rows.front();
    const double count = static_cast<double>(targets.size());
    centre = std::accumulate(targets.begin(), targets.end(), 0.0) / count;
    double sum = 0;
    for (const double value : targets) sum += (value - centre) * (value - centre);
    spread = std::sqrt(sum / count);
    if (!(spread > 1e-12 * std::abs(centre))) spread = std::max(1e-12 * std::abs(centre), 1e-300);
  }

  void set_records(const std::vector<Features>& rows, std::span<const double> targets,
                   const GpSettings& settings, std::uint64_t seed) {
    given = rows.size();
    used = random_part(rows.size(), settings.most_records, seed, "predictors.gp.records");
    std::vector<Features> chosen;
    for (const auto i : used) chosen.push_back(rows[i]);
    records.columns = features.outputs();
    records.x = standardised(chosen.data(), chosen.size());
    records.y.clear();
    for (const auto i : used) records.y.push_back((targets[i] - centre) / spread);
  }

  /// Whether `rows` begin with the records in use, have more of them, and vary in no column that
  /// was constant.
  bool continued_by(const std::vector<Features>& rows, const GpSettings& settings) const {
    if (rows.size() <= records.count() || rows.size() > settings.most_records ||
        settings.noise != GpNoise::normal || !records.noise.empty() || used.size() != given ||
        rows.front().size() != features.inputs() || kernel != settings.kernel ||
        static_cast<double>(rows.size()) >= settings.growth * static_cast<double>(chosen_at))
      return false;
    if (standardised(rows.data(), records.count()) != records.x) return false;
    std::vector<bool> varies(features.inputs(), false);
    for (const auto column : features.columns()) varies[column] = true;
    for (const Features& row : rows)
      for (std::size_t j = 0; j < row.size(); ++j)
        if (!varies[j] && row[j] != first[j]) return false;
    return true;
  }

  /// Extends the factor to all records; more noise where K is all but singular.
  bool factorise() {
    return cholesky.complete(gp_covariance(records, kernel, parameters), records.count());
  }

  void factorise_anew() {
    cholesky = GrowingCholesky();
    while (!factorise()) {
      if (parameters.noise > kMostNoise)
        throw core::Error(
            "the covariance matrix of " + std::to_string(records.count()) + " records is singular",
            "leave out features of enormous size");
      parameters.noise *= 10;
      cholesky = GrowingCholesky();
    }
  }

  /// The same factor, to the bit, as the one that was made in these blocks.
  void factorise_in(const std::vector<std::size_t>& blocks) {
    const std::size_t n = records.count();
    const auto k = gp_covariance(records, kernel, parameters);
    cholesky = GrowingCholesky();
    for (const std::size_t end : blocks) {
      if (end <= cholesky.size() || end > n) throw contradiction();
      std::vector<double> rows;
      for (std::size_t i = cholesky.size(); i < end; ++i)
        rows.insert(rows.end(), k.begin() + static_cast<std::ptrdiff_t>(i * n),
                    k.begin() + static_cast<std::ptrdiff_t>(i * n + end));
      if (!cholesky.append(rows.data(), end - cholesky.size())) throw contradiction();
    }
    if (cholesky.size() != n) throw contradiction();
  }

  void finish() {
    weights = cholesky.solve(records.y);
    const std::size_t n = records.count();
    const std::size_t d = records.columns;
    const auto z = scaled_features(records.x, d, parameters.scales);
    const auto x = scaled_features(records.x, d, {});
    packed = std::make_shared<const Packed>(Packed{Panels::full(z.data(), n, d),
                                                   squared_lengths(z, d, n),
                                                   Panels::full(x.data(), has_linear() ? n : 0, d),
                                                   Panels::lower(cholesky.inverse().data(), n)});
  }

  LeftOut leave_one_out() const {
    const auto diagonal = cholesky.inverse_diagonal();
    LeftOut result;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      double variance = 1 / diagonal[i];
      if (!records.noise.empty())  // as if the record's noise were the usual one
        variance = std::max(variance - parameters.noise * records.noise[i], 0.0) + parameters.noise;
      result.residual.push_back(spread * weights[i] / diagonal[i]);
      result.deviation.push_back(spread * std::sqrt(variance));
    }
    return result;
  }

  /// Each record's noise by the size of its residual without it; false where all residuals are 0.
  bool reweigh() {
    weights = cholesky.solve(records.y);
    auto residual = leave_one_out().residual;
    const double centre_of_all = median_of(residual);
    for (double& value : residual) value = std::abs(value - centre_of_all);
    const double usual = 1.4826 * median_of(residual);
    if (!(usual > 0)) return false;
    for (double& value : residual) value = std::max(value / usual, kLeastResidual);
    records.noise = std::move(residual);
    return true;
  }

  bool has_linear() const { return parameters.linear > 0 && records.columns > 0; }

  /// Prior covariance of the function between `count` standardised points and the records, into
  /// `k`; `inner` is room to work in.
  void cross(const std::vector<double>& x, std::size_t count, std::vector<double>& k,
             std::vector<double>& inner) const {
    const std::size_t n = records.count();
    const std::size_t d = records.columns;
    const auto z = scaled_features(x, d, parameters.scales);
    const auto lengths = squared_lengths(z, d, count);
    k.resize(count * n);
    products(z.data(), count, packed->z, k.data());
    if (has_linear()) {
      inner.resize(count * n);
      products(scaled_features(x, d, {}).data(), count, packed->x, inner.data());
    }
    for (std::size_t i = 0; i < count; ++i)
      covariances({kernel, parameters.signal, has_linear() ? parameters.linear : 0, lengths[i],
                   packed->lengths.data(), has_linear() ? inner.data() + i * n : nullptr},
                  k.data() + i * n, n);
  }

  double prior_variance(const double* x) const {
    const double length = dot_product(x, x, records.columns);
    const double d = static_cast<double>(std::max<std::size_t>(records.columns, 1));
    return parameters.signal + parameters.linear * length / d + 1;
  }
};

const GaussianProcess::Fitted& GaussianProcess::known() const {
  if (!fitted_) throw core::Error("this predictor is not fitted", "call fit() or load() first");
  return *fitted_;
}

bool GaussianProcess::continued_by(const std::vector<Features>& rows) const {
  return fitted_ && !rows.empty() && fitted_->continued_by(rows, settings_);
}

void GaussianProcess::fit(const std::vector<Features>& rows, std::span<const double> targets,
                          std::uint64_t seed) {
  check_records(rows, {targets.begin(), targets.end()});
  if (continued_by(rows)) {
    auto longer = std::make_shared<Fitted>(*fitted_);
    longer->set_records(rows, targets, settings_, seed);
    if (longer->factorise()) {
      longer->appended = true;
      longer->finish();
      fitted_ = std::move(longer);
      return;
    }
  }
  auto next = std::make_shared<Fitted>();
  next->kernel = settings_.kernel;
  next->set_scaling(rows, targets);
  next->set_records(rows, targets, settings_, seed);
  const auto part =
      random_part(next->records.count(), settings_.hyper_records, seed, "predictors.gp.hyper");
  const bool warm = fitted_ && fitted_->features.columns() == next->features.columns();
  next->parameters = choose_gp_parameters(next->records.pick(part), settings_,
                                          warm ? &fitted_->parameters : nullptr);
  next->chosen_at = rows.size();
  next->factorise_anew();
  for (int pass = 0; settings_.noise == GpNoise::laplace && pass < kReweightings; ++pass) {
    if (!next->reweigh()) break;
    if (pass == 0)
      next->parameters =
          choose_gp_parameters(next->records.pick(part), settings_, &next->parameters);
    next->factorise_anew();
  }
  next->finish();
  fitted_ = std::move(next);
}

void GaussianProcess::fit_with(const std::vector<Features>& rows, std::span<const double> targets,
                               const GpParameters& parameters, std::uint64_t seed) {
  check_records(rows, {targets.begin(), targets.end()});
  auto next = std::make_shared<Fitted>();
  next->kernel = settings_.kernel;
  next->parameters = parameters;
  next->set_scaling(rows, targets);
  next->set_records(rows, targets, settings_, seed);
  if (parameters.scales.size() != next->features.outputs())
    throw core::Error(std::to_string(parameters.scales.size()) + " length scales for " +
                          std::to_string(next->features.outputs()) + " columns that vary",
                      "give one scale for each of them");
  next->chosen_at = rows.size();
  next->factorise_anew();
  next->finish();
  fitted_ = std::move(next);
}

void GaussianProcess::refit(const std::vector<Features>& rows, std::span<const double> targets,
                            std::uint64_t seed) {
  check_records(rows, {targets.begin(), targets.end()});
  Standardiser features;
  features.fit(rows);
  if (fitted_ && fitted_->parameters.scales.size() == features.outputs())
    fit_with(rows, targets, GpParameters(fitted_->parameters), seed);
  else
    fit(rows, targets, seed);
}

std::vector<GpAnswer> GaussianProcess::predict(const std::vector<Features>& rows) const {
  const Fitted& state = known();
  check_rows(rows, state.features.inputs());
  const std::size_t n = state.records.count();
  std::vector<GpAnswer> answers;
  answers.reserve(rows.size());
  const std::size_t chunk = std::clamp<std::size_t>(kChunkValues / n, 48, 768);
  std::vector<double> k;
  std::vector<double> inner;
  std::vector<double> explained(std::min(chunk, rows.size()));
  for (std::size_t begin = 0; begin < rows.size(); begin += chunk) {
    core::check_interrupt();
    const std::size_t count = std::min(chunk, rows.size() - begin);
    const auto x = state.standardised(rows.data() + begin, count);
    state.cross(x, count, k, inner);
    squared_products(k.data(), count, state.packed->inverse, explained.data());
    for (std::size_t i = 0; i < count; ++i) {
      const double mean = dot_product(k.data() + i * n, state.weights.data(), n);
      const double prior = state.prior_variance(x.data() + i * state.records.columns);
      const double variance = std::max(prior - explained[i], 1e-12 * prior);
      answers.push_back({state.centre + state.spread * mean, state.spread * std::sqrt(variance),
                         state.spread * std::sqrt(variance + state.parameters.noise)});
    }
  }
  return answers;
}

std::vector<double> GaussianProcess::covariance(const std::vector<Features>& rows) const {
  const Fitted& state = known();
  check_rows(rows, state.features.inputs());
  const std::size_t count = rows.size();
  GpRecords points;
  points.columns = state.records.columns;
  points.x = state.standardised(rows.data(), count);
  points.y.assign(count, 0);
  GpParameters without_noise = state.parameters;
  without_noise.noise = 0;
  auto result = gp_covariance(points, state.kernel, without_noise);
  std::vector<double> k;
  std::vector<double> inner;
  state.cross(points.x, count, k, inner);
  const std::size_t n = state.records.count();
  std::vector<double> half(count * n);
  products(k.data(), count, state.packed->inverse, half.data());
  std::vector<double> explained(count * count);
  products(half.data(), count, Panels::full(half.data(), count, n), explained.data());
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = state.spread * state.spread * (result[i] - explained[i]);
  return result;
}

GaussianProcess::LeftOut GaussianProcess::leave_one_out() const { return known().leave_one_out(); }

const std::vector<std::size_t>& GaussianProcess::used() const { return known().used; }
const GpParameters& GaussianProcess::parameters() const { return known().parameters; }
bool GaussianProcess::appended() const { return known().appended; }

double GaussianProcess::log_likelihood() const {
  const Fitted& state = known();
  double value = -state.cholesky.half_log_determinant() -
                 0.5 * static_cast<double>(state.records.count()) * std::log(2 * std::numbers::pi);
  for (std::size_t i = 0; i < state.weights.size(); ++i)
    value -= 0.5 * state.records.y[i] * state.weights[i];
  return value;
}

nlohmann::json GaussianProcess::save() const {
  const Fitted& state = known();
  return {{"kernel", state.kernel == GpKernel::rbf ? "rbf" : "matern52"},
          {"scales", state.parameters.scales},
          {"signal", state.parameters.signal},
          {"linear", state.parameters.linear},
          {"noise", state.parameters.noise},
          {"features", state.features.save()},
          {"first", state.first},
          {"centre", state.centre},
          {"spread", state.spread},
          {"chosen_at", state.chosen_at},
          {"used", state.used},
          {"given", state.given},
          {"blocks", state.cholesky.blocks()},
          {"x", pack(state.records.x)},
          {"y", pack(state.records.y)},
          {"noise_of_records", pack(state.records.noise)}};
}

void GaussianProcess::load(const nlohmann::json& json) {
  auto read = std::make_shared<Fitted>();
  std::vector<std::size_t> blocks;
  read_state("gp", [&] {
    const auto kernel = json.at("kernel").get<std::string>();
    if (kernel != "rbf" && kernel != "matern52") throw contradiction();
    read->kernel = kernel == "rbf" ? GpKernel::rbf : GpKernel::matern52;
    json.at("scales").get_to(read->parameters.scales);
    json.at("signal").get_to(read->parameters.signal);
    json.at("linear").get_to(read->parameters.linear);
    json.at("noise").get_to(read->parameters.noise);
    read->features.load(json.at("features"));
    json.at("first").get_to(read->first);
    json.at("centre").get_to(read->centre);
    json.at("spread").get_to(read->spread);
    json.at("chosen_at").get_to(read->chosen_at);
    json.at("used").get_to(read->used);
    json.at("given").get_to(read->given);
    json.at("blocks").get_to(blocks);
    read->records.columns = read->features.outputs();
    read->records.x =
        unpack_doubles(json.at("x").get<std::string>(), read->used.size() * read->records.columns);
    read->records.y = unpack_doubles(json.at("y").get<std::string>(), read->used.size());
    const std::string noise = json.value("noise_of_records", "");
    if (!noise.empty()) read->records.noise = unpack_doubles(noise, read->used.size());
  });
  const GpParameters& parameters = read->parameters;
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  if (!positive(parameters.signal) || !positive(parameters.noise) || !positive(read->spread) ||
      !(parameters.linear >= 0) || parameters.scales.size() != read->records.columns ||
      !std::all_of(parameters.scales.begin(), parameters.scales.end(), positive) ||
      !std::all_of(read->records.noise.begin(), read->records.noise.end(), positive) ||
      read->first.size() != read->features.inputs())
    throw contradiction();
  read->factorise_in(blocks);
  read->finish();
  fitted_ = std::move(read);
}

}  // namespace mosaic::predictors
