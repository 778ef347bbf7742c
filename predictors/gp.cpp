#include "gp.hpp"

#include <algorithm>
#include <cmath>

#include "gp_kernel.hpp"
#include "gp_likelihood.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kChunk = 96;      // rows predicted at a time: they stay in the cache
constexpr double kMostNoise = 1;        // tried where a covariance matrix is all but singular
constexpr int kReweightings = 4;        // of Laplace noise; later ones change little
constexpr double kLeastResidual = 0.3;  // of the usual size: smaller ones weigh no more than this

std::vector<std::size_t> random_part(std::size_t count, std::size_t most, std::uint64_t seed,
                                     const char* what) {
  auto order = core::Stream(seed, what).permutation(count);
  order.resize(std::min(count, most));
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<double> list_of(const auto& values) { return {values.begin(), values.end()}; }

Vector vector_of(const std::vector<double>& values) {
  return Eigen::Map<const Vector>(values.data(), std::ssize(values));
}

core::Error contradiction() {
  return core::Error("the state of this Gaussian process contradicts itself",
                     "fit it again and save it");
}

}  // namespace

struct GaussianProcess::Fitted {
  GpKernel kernel = GpKernel::matern52;
  GpParameters parameters;
  Standardiser features;
  double centre = 0;  ///< of the targets
  double spread = 1;
  std::vector<std::size_t> used;
  GpRecords records;
  Matrix inverse;  ///< L^-1 of L L^T = K, the covariance of the records' measurements
  Vector weights;  ///< K^-1 y

  Fitted() = default;
  /// Standardised records; nothing is factorised.
  Fitted(const std::vector<Features>& rows, std::span<const double> targets,
         const GpSettings& settings, std::uint64_t seed)
      : kernel(settings.kernel),
        used(random_part(rows.size(), settings.most_records, seed, "predictors.gp.records")) {
    features.fit(rows);
    const Eigen::Map<const Vector> y(targets.data(), std::ssize(targets));
    centre = y.mean();
    spread = std::sqrt((y.array() - centre).square().mean());
    if (!(spread > 1e-12 * std::abs(centre))) spread = std::max(1e-12 * std::abs(centre), 1e-300);
    records.x = standardised(core::pick(rows, used));
    records.y = (y(used).array() - centre) / spread;
    records.noise = Vector::Ones(records.count());
  }

  Matrix standardised(std::span<const Features> rows) const {
    Matrix x(std::ssize(rows), static_cast<Eigen::Index>(features.outputs()));
    for (std::size_t i = 0; i < rows.size(); ++i)
      features.apply(rows[i], x.data() + i * features.outputs());
    return x;
  }

  /// False where K is all but singular.
  bool factorise() {
    inverse = gp_covariance(records.x, records.x, kernel, parameters);
    inverse.diagonal() += parameters.noise * records.noise;
    if (!invert_factor(inverse)) return false;
    weights = solve(inverse, records.y);
    return true;
  }

  /// More noise where K is all but singular.
  void factorise_anyway() {
    while (!factorise()) {
      if (parameters.noise > kMostNoise)
        throw core::Error(
            "the covariance matrix of " + std::to_string(records.count()) + " records is singular",
            "leave out features of enormous size");
      parameters.noise *= 10;
    }
  }

  LeftOut leave_one_out() const {
    const Eigen::ArrayXd variance = inverse.colwise().squaredNorm().transpose().cwiseInverse();
    // As if the record's noise were the usual one.
    const Eigen::ArrayXd usual =
        (variance - parameters.noise * records.noise.array()).max(0) + parameters.noise;
    return {list_of(spread * weights.array() * variance), list_of(spread * usual.sqrt())};
  }

  /// Each record's noise by the size of its residual without it; false where all residuals are 0.
  bool reweigh() {
    Vector residual = vector_of(leave_one_out().residual);
    residual = (residual.array() - core::median(list_of(residual))).abs();
    const double usual = 1.4826 * core::median(list_of(residual));
    if (!(usual > 0)) return false;
    records.noise = (residual / usual).cwiseMax(kLeastResidual);
    return true;
  }
};

const GaussianProcess::Fitted& GaussianProcess::known() const {
  if (!fitted_) throw core::Error("this predictor is not fitted", "call fit() or load() first");
  return *fitted_;
}

void GaussianProcess::fit(const std::vector<Features>& rows, std::span<const double> targets,
                          std::uint64_t seed) {
  check_records(rows, {targets.begin(), targets.end()});
  auto next = std::make_shared<Fitted>(rows, targets, settings_, seed);
  const auto part =
      random_part(next->used.size(), settings_.hyper_records, seed, "predictors.gp.hyper");
  next->parameters = choose_gp_parameters(next->records.pick(part), settings_, nullptr);
  next->factorise_anyway();
  for (int pass = 0; settings_.noise == GpNoise::laplace && pass < kReweightings; ++pass) {
    if (!next->reweigh()) break;
    if (pass == 0)
      next->parameters =
          choose_gp_parameters(next->records.pick(part), settings_, &next->parameters);
    next->factorise_anyway();
  }
  fitted_ = std::move(next);
}

void GaussianProcess::refit(const std::vector<Features>& rows, std::span<const double> targets,
                            std::uint64_t seed) {
  check_records(rows, {targets.begin(), targets.end()});
  auto next = std::make_shared<Fitted>(rows, targets, settings_, seed);
  if (!fitted_ || fitted_->parameters.scales.size() != next->features.outputs())
    return fit(rows, targets, seed);
  next->parameters = fitted_->parameters;
  next->factorise_anyway();
  fitted_ = std::move(next);
}

std::vector<Prediction> GaussianProcess::predict(const std::vector<Features>& rows) const {
  const Fitted& state = known();
  const GpParameters& parameters = state.parameters;
  check_rows(rows, state.features.inputs());
  std::vector<Prediction> answers;
  answers.reserve(rows.size());
  for (std::size_t begin = 0; begin < rows.size(); begin += kChunk) {
    core::check_interrupt();
    const Matrix x =
        state.standardised(std::span(rows).subspan(begin, std::min(kChunk, rows.size() - begin)));
    const Matrix k = gp_covariance(state.records.x, x, state.kernel, parameters);
    const Vector means = k.transpose() * state.weights;
    Vector explained(x.rows());
    squared_products(state.inverse.data(), state.used.size(), k.data(),
                     static_cast<std::size_t>(x.rows()), explained.data());
    const double d = static_cast<double>(std::max<Eigen::Index>(x.cols(), 1));
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      const double prior = parameters.signal + parameters.linear * x.row(i).squaredNorm() / d + 1;
      const double variance = std::max(prior - explained[i], 1e-12 * prior) + parameters.noise;
      answers.push_back(
          {state.centre + state.spread * means[i], state.spread * std::sqrt(variance)});
    }
  }
  return answers;
}

GaussianProcess::LeftOut GaussianProcess::leave_one_out() const { return known().leave_one_out(); }

const std::vector<std::size_t>& GaussianProcess::used() const { return known().used; }

nlohmann::json GaussianProcess::save() const {
  const Fitted& state = known();
  return {{"kernel", state.kernel == GpKernel::rbf ? "rbf" : "matern52"},
          {"scales", state.parameters.scales},
          {"signal", state.parameters.signal},
          {"linear", state.parameters.linear},
          {"noise", state.parameters.noise},
          {"features", state.features.save()},
          {"centre", state.centre},
          {"spread", state.spread},
          {"used", state.used},
          {"x", pack(list_of(state.records.x.reshaped<Eigen::RowMajor>()))},
          {"y", pack(list_of(state.records.y))},
          {"noise_of_records", pack(list_of(state.records.noise))}};
}

void GaussianProcess::load(const nlohmann::json& json) {
  auto read = std::make_shared<Fitted>();
  read_state("gp", [&] {
    const auto kernel = json.at("kernel").get<std::string>();
    if (kernel != "rbf" && kernel != "matern52") throw contradiction();
    read->kernel = kernel == "rbf" ? GpKernel::rbf : GpKernel::matern52;
    json.at("scales").get_to(read->parameters.scales);
    json.at("signal").get_to(read->parameters.signal);
    json.at("linear").get_to(read->parameters.linear);
    json.at("noise").get_to(read->parameters.noise);
    read->features.load(json.at("features"));
    json.at("centre").get_to(read->centre);
    json.at("spread").get_to(read->spread);
    counts_at(json, "used").get_to(read->used);
    const std::size_t count = read->used.size();
    const std::size_t columns = read->features.outputs();
    read->records.x = Eigen::Map<const Matrix>(
        unpack_doubles(json.at("x").get<std::string>(), count * columns).data(),
        static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(columns));
    read->records.y = vector_of(unpack_doubles(json.at("y").get<std::string>(), count));
    const std::string noise = json.value("noise_of_records", "");  // none in older files: all 1
    read->records.noise = noise.empty() ? Vector::Ones(read->records.count())
                                        : vector_of(unpack_doubles(noise, count));
  });
  const GpParameters& parameters = read->parameters;
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  if (!positive(parameters.signal) || !positive(parameters.noise) || !positive(read->spread) ||
      !(parameters.linear >= 0) || parameters.scales.size() != read->features.outputs() ||
      !std::all_of(parameters.scales.begin(), parameters.scales.end(), positive) ||
      !std::all_of(read->records.noise.begin(), read->records.noise.end(), positive) ||
      !read->factorise())
    throw contradiction();
  fitted_ = std::move(read);
}

}  // namespace mosaic::predictors
