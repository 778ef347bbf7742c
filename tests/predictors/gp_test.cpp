#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <numbers>

#include "gp_kernel.hpp"
#include "gp_likelihood.hpp"
#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

using Table = std::vector<std::vector<double>>;

/// A smooth function of three features, with noise.
Records wavy_records(std::size_t count, double noise, std::uint64_t seed) {
  core::Stream stream(seed, "test.wavy");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    const Features row{4 * stream.uniform(), 2 * stream.uniform(), stream.uniform()};
    records.rows.push_back(row);
    records.targets.push_back(20 + std::sin(row[0]) + row[1] * row[2] + noise * stream.normal());
  }
  return records;
}

/// The naive reference: standardised by hand, solved by Gaussian elimination.
struct Naive {
  Table z;
  std::vector<double> y;
  std::vector<double> mean;
  std::vector<double> scale;
  double centre = 0;
  double spread = 0;
  GpParameters parameters;
  GpKernel kernel;

  Naive(const Records& records, const Records& scaling, GpParameters given, GpKernel of_kernel)
      : parameters(std::move(given)), kernel(of_kernel) {
    const std::size_t d = scaling.rows.front().size();
    const auto n = static_cast<double>(scaling.rows.size());
    mean.assign(d, 0);
    scale.assign(d, 0);
    for (std::size_t j = 0; j < d; ++j) {
      for (const auto& row : scaling.rows) mean[j] += row[j] / n;
      for (const auto& row : scaling.rows) scale[j] += (row[j] - mean[j]) * (row[j] - mean[j]) / n;
      scale[j] = std::sqrt(scale[j]);
    }
    for (const double target : scaling.targets) centre += target / n;
    for (const double target : scaling.targets) spread += (target - centre) * (target - centre) / n;
    spread = std::sqrt(spread);
    for (const auto& row : records.rows) z.push_back(standardised(row));
    for (const double target : records.targets) y.push_back((target - centre) / spread);
  }

  Features standardised(const Features& row) const {
    Features result;
    for (std::size_t j = 0; j < row.size(); ++j) result.push_back((row[j] - mean[j]) / scale[j]);
    return result;
  }

  double covariance(const Features& a, const Features& b) const {
    double squared = 0;
    double inner = 0;
    const auto d = static_cast<double>(a.size());
    for (std::size_t j = 0; j < a.size(); ++j) {
      squared += std::pow((a[j] - b[j]) / parameters.scales[j], 2) / d;
      inner += a[j] * b[j] / d;
    }
    const double r = std::sqrt(squared);
    const double m = kernel == GpKernel::rbf
                         ? std::exp(-squared / 2)
                         : (1 + std::sqrt(5) * r + 5 * squared / 3) * std::exp(-std::sqrt(5) * r);
    return parameters.signal * m + parameters.linear * inner + 1;
  }

  /// K^-1 b by Gaussian elimination.
  std::vector<double> solve(std::vector<double> b) const {
    const std::size_t n = z.size();
    Table a(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        a[i][j] = covariance(z[i], z[j]) + (i == j ? parameters.noise : 0);
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = k + 1; i < n; ++i) {
        const double factor = a[i][k] / a[k][k];
        for (std::size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
        b[i] -= factor * b[k];
      }
    }
    for (std::size_t k = n; k-- > 0;) {
      for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
      b[k] /= a[k][k];
    }
    return b;
  }

  std::vector<double> with_records(const Features& x) const {
    std::vector<double> k;
    for (const auto& row : z) k.push_back(covariance(row, x));
    return k;
  }

  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  double mean_at(const Features& row) const {
    return centre + spread * dot(with_records(standardised(row)), solve(y));
  }
  /// Of a measurement.
  double deviation_at(const Features& row) const {
    const auto x = standardised(row);
    const auto k = with_records(x);
    return spread * std::sqrt(covariance(x, x) - dot(k, solve(k)) + parameters.noise);
  }
};

GpParameters parameters_of(const GaussianProcess& process) {
  const auto state = process.save();
  return {state.at("scales"), state.at("signal"), state.at("linear"), state.at("noise")};
}

/// The process of some records with given hyperparameters.
GaussianProcess with(const GpParameters& parameters, const Records& records,
                     GpKernel kernel = GpKernel::matern52) {
  GpSettings settings;
  settings.kernel = kernel;
  GaussianProcess process(settings);
  process.fit(records.rows, records.targets, 1);
  auto state = process.save();
  state["scales"] = parameters.scales;
  state["signal"] = parameters.signal;
  state["linear"] = parameters.linear;
  state["noise"] = parameters.noise;
  process.load(state);
  return process;
}

double share_within(const GaussianProcess& process, const Records& unseen, double deviations) {
  const auto answers = process.predict(unseen.rows);
  double inside = 0;
  for (std::size_t i = 0; i < answers.size(); ++i)
    inside += std::abs(answers[i].mean - unseen.targets[i]) <= deviations * answers[i].deviation;
  return inside / static_cast<double>(answers.size());
}

}  // namespace

TEST_CASE("a Gaussian process is the posterior that the naive formulas give") {
  const Records records = wavy_records(71, 0.1, 1);
  const Records unseen = wavy_records(13, 0, 2);
  for (const GpKernel kernel : {GpKernel::matern52, GpKernel::rbf}) {
    for (const double linear : {0.0, 0.4}) {
      const GpParameters parameters{{0.7, 1.9, 3.1}, 1.3, linear, 0.02};
      const GaussianProcess process = with(parameters, records, kernel);
      const Naive naive(records, records, parameters, kernel);
      const auto answers = process.predict(unseen.rows);
      for (std::size_t i = 0; i < unseen.rows.size(); ++i) {
        CHECK(answers[i].mean == Approx(naive.mean_at(unseen.rows[i])).epsilon(1e-9));
        CHECK(answers[i].deviation == Approx(naive.deviation_at(unseen.rows[i])).epsilon(1e-7));
      }
    }
  }
}

TEST_CASE("squared products of any size are those that plain loops give") {
  core::Stream stream(4, "test.products");
  for (const std::size_t n : {1u, 5u, 6u, 71u})
    for (const std::size_t columns : {1u, 8u, 19u}) {
      std::vector<double> lower(n * n, 0.0);
      std::vector<double> k(n * columns);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) lower[i * n + j] = stream.normal();
      for (double& value : k) value = stream.normal();
      std::vector<double> sums(columns);
      squared_products(lower.data(), n, k.data(), columns, sums.data());
      for (std::size_t c = 0; c < columns; ++c) {
        double expected = 0;
        for (std::size_t i = 0; i < n; ++i) {
          double product = 0;
          for (std::size_t j = 0; j <= i; ++j) product += lower[i * n + j] * k[j * columns + c];
          expected += product * product;
        }
        CHECK(sums[c] == Approx(expected).epsilon(1e-12));
      }
    }
}

TEST_CASE("leave-one-out of a Gaussian process is what refits without the record predict") {
  const Records records = wavy_records(40, 0.2, 3);
  const GpParameters parameters{{0.9, 1.4, 2.0}, 0.8, 0.3, 0.05};
  const auto left = with(parameters, records).leave_one_out();
  for (std::size_t i = 0; i < records.rows.size(); i += 3) {
    Records others = records;
    others.rows.erase(others.rows.begin() + static_cast<std::ptrdiff_t>(i));
    others.targets.erase(others.targets.begin() + static_cast<std::ptrdiff_t>(i));
    const Naive naive(others, records, parameters, GpKernel::matern52);
    CHECK(left.residual[i] ==
          Approx(records.targets[i] - naive.mean_at(records.rows[i])).epsilon(1e-8));
    CHECK(left.deviation[i] == Approx(naive.deviation_at(records.rows[i])).epsilon(1e-8));
  }
}

TEST_CASE("the gradient of the marginal likelihood is that of finite differences") {
  core::Stream stream(5, "test.gradient");
  GpRecords records{Matrix(90, 4), Vector(90), Vector(90)};
  for (int i = 0; i < 90; ++i) {
    for (int j = 0; j < 4; ++j) records.x(i, j) = stream.normal();
    records.y[i] = std::sin(records.x(i, 0)) + 0.3 * records.x(i, 1) + 0.1 * stream.normal();
  }
  for (const GpKernel kernel : {GpKernel::matern52, GpKernel::rbf}) {
    for (const bool linear : {false, true}) {
      for (double& noise : records.noise) noise = linear ? 0.3 + 2 * stream.uniform() : 1;
      const GpLikelihood likelihood(records, kernel, linear);
      const std::vector<double> theta{0.3, 0.2, -0.4, 0.7, 0.1, -0.2, linear ? -1.0 : 0.0, -3.0};
      std::vector<double> gradient(theta.size());
      std::vector<double> unused(theta.size());
      likelihood(theta, gradient);
      for (std::size_t j = 0; j < theta.size(); ++j) {
        if (j == 6 && !linear) continue;
        auto above = theta;
        auto below = theta;
        above[j] += 1e-5;
        below[j] -= 1e-5;
        const double slope = (likelihood(above, unused) - likelihood(below, unused)) / 2e-5;
        CHECK(gradient[j] == Approx(slope).epsilon(1e-5).margin(1e-5));
      }
    }
  }
}

TEST_CASE("the optimiser finds the minimum of a curved valley, in a box and out of one") {
  // Rosenbrock's function: minimum 0 at (1, 1).
  const Objective valley = [](const std::vector<double>& x, std::vector<double>& gradient) {
    const double a = 1 - x[0];
    const double b = x[1] - x[0] * x[0];
    gradient = {-2 * a - 400 * x[0] * b, 200 * b};
    return a * a + 100 * b * b;
  };
  const Minimum open = minimise(valley, {-1.2, 1}, {{-5, -5}, {5, 5}}, 500, 1e-10);
  CHECK(open.x[0] == Approx(1).margin(1e-3));
  CHECK(open.x[1] == Approx(1).margin(1e-3));
  // With x0 <= 0.5 the minimum lies on the bound, at (0.5, 0.25).
  const Minimum bounded = minimise(valley, {-1.2, 1}, {{-5, -5}, {0.5, 5}}, 500, 1e-10);
  CHECK(bounded.x[0] == 0.5);
  CHECK(bounded.x[1] == Approx(0.25).margin(1e-3));
}

TEST_CASE("chosen hyperparameters are likelier than their neighbours and find what matters") {
  Records records = wavy_records(120, 0.1, 7);
  core::Stream stream(8, "test.noise columns");
  for (auto& row : records.rows)
    for (int j = 0; j < 2; ++j) row.push_back(stream.uniform());
  GaussianProcess process;
  process.fit(records.rows, records.targets, 1);
  const GpParameters chosen = parameters_of(process);
  // The first column is the curved one, the last two say nothing.
  CHECK(chosen.scales[0] < chosen.scales[3]);
  CHECK(chosen.scales[0] < chosen.scales[4]);
  double spread = 0;
  for (const double target : records.targets) spread += (target - 20.9) * (target - 20.9) / 120;
  CHECK(std::sqrt(chosen.noise * spread) == Approx(0.1).epsilon(0.35));
  const auto sum_of_density = [&](const GpParameters& parameters) {
    const auto left = with(parameters, records).leave_one_out();
    double sum = 0;
    for (std::size_t i = 0; i < left.residual.size(); ++i)
      sum -= 0.5 * std::pow(left.residual[i] / left.deviation[i], 2) + std::log(left.deviation[i]);
    return sum;
  };
  for (const double factor : {0.2, 5.0}) {
    GpParameters other = chosen;
    other.noise *= factor;
    CHECK(sum_of_density(other) < sum_of_density(chosen));
  }
  const Records unseen = wavy_records(400, 0.1, 9);
  Records wider = unseen;
  for (auto& row : wider.rows)
    for (int j = 0; j < 2; ++j) row.push_back(stream.uniform());
  CHECK(share_within(process, wider, 1.645) == Approx(0.9).margin(0.05));
}

TEST_CASE("a Gaussian process fitted again to other rows keeps its hyperparameters") {
  const Records records = wavy_records(150, 0.1, 11);
  const Records part = records.part(0, 130);
  GaussianProcess process;
  process.refit(records.rows, records.targets, 1);  // there are none yet: they are chosen
  const GpParameters parameters = parameters_of(process);
  process.refit(part.rows, part.targets, 1);
  CHECK(parameters_of(process).scales == parameters.scales);
  const Naive naive(part, part, parameters, GpKernel::matern52);
  for (const auto& row : wavy_records(5, 0, 12).rows)
    CHECK(process.predict({row})[0].mean == Approx(naive.mean_at(row)).epsilon(1e-9));
  // Another number of columns that vary: chosen again.
  Records wider = records;
  for (auto& row : wider.rows) row.push_back(row[0] * row[1]);
  process.refit(wider.rows, wider.targets, 1);
  CHECK(parameters_of(process).scales.size() == 4);
}

TEST_CASE("a Gaussian process is the same to the bit after its state was saved and loaded") {
  const Records records = wavy_records(150, 0.1, 15);
  const Records unseen = wavy_records(40, 0, 16);
  const auto predictor = make_predictor("gp");
  predictor->fit(records.rows, records.targets, 1);
  const auto loaded = make_predictor("gp");
  const auto text = predictor->save().dump();
  loaded->load(nlohmann::json::parse(text));
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));

  auto damaged = nlohmann::json::parse(text);
  damaged["process"]["noise"] = -1;
  CHECK(message_of([&] { loaded->load(damaged); }) ==
        "the state of this Gaussian process contradicts itself: fit it again and save it");
  damaged["process"].erase("scales");
  CHECK_THAT(message_of([&] { loaded->load(damaged); }), Catch::Contains("is incomplete"));
}

TEST_CASE("with Laplace noise a Gaussian process learns medians that outliers hardly move") {
  Records records = wavy_records(300, 0.05, 21);
  for (std::size_t i = 0; i < records.rows.size(); i += 8) records.targets[i] += 1.5;
  const Records unseen = wavy_records(300, 0, 22);
  const auto off = [&](const std::string& spec) {
    const auto predictor = make_predictor(spec);
    predictor->fit(records.rows, records.targets, 1);
    return score(predictor->predict(unseen.rows), unseen.targets).rmse;
  };
  const double means = off("gp(log=no)");
  const double medians = off("gp(log=no, noise=laplace)");
  INFO("means " << means << ", medians " << medians);
  CHECK(means > 0.15);
  CHECK(medians < 0.05);
}

TEST_CASE("a Gaussian process with Laplace noise is the same to the bit after it was loaded") {
  const Records records = wavy_records(120, 0.1, 23);
  const Records unseen = wavy_records(40, 0, 24);
  const auto predictor = make_predictor("gp(noise=laplace)");
  predictor->fit(records.rows, records.targets, 1);
  const auto loaded = make_predictor("gp(noise=laplace)");
  const auto state = nlohmann::json::parse(predictor->save().dump());
  loaded->load(state);
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
  auto damaged = state;
  damaged["process"]["noise_of_records"] = std::string(16, '0');
  CHECK_THROWS_AS(loaded->load(damaged), core::Error);
}

TEST_CASE("a Gaussian process survives equal targets, equal rows and constant columns") {
  const Records records = wavy_records(20, 0.1, 17);
  for (const std::string spec :
       {"gp", "gp(kernel=rbf)", "gp(linear=no)", "gp(ard=no)", "gp(noise=laplace)"}) {
    const auto predictor = make_predictor(spec);
    predictor->fit(records.rows, std::vector<double>(20, 3), 1);
    for (const auto& prediction : predictor->predict(records.rows))
      CHECK(prediction.mean == Approx(3));
    predictor->fit(std::vector<Features>(20, Features{1, 2}), records.targets, 1);
    CHECK(predictor->predict({{1, 2}})[0].mean == Approx(20.9).margin(0.5));
    auto doubled = records;
    doubled.rows.insert(doubled.rows.end(), records.rows.begin(), records.rows.end());
    doubled.targets.insert(doubled.targets.end(), records.targets.begin(), records.targets.end());
    predictor->fit(doubled.rows, doubled.targets, 1);
    for (const auto& prediction : predictor->predict(records.rows))
      CHECK(std::isfinite(prediction.deviation));
  }
}

TEST_CASE("of more records than it is told to keep, a Gaussian process keeps a part") {
  const Records records = wavy_records(300, 0.1, 19);
  GpSettings settings;
  settings.most_records = 100;
  GaussianProcess process(settings);
  process.fit(records.rows, records.targets, 1);
  CHECK(process.used().size() == 100);
  CHECK(process.leave_one_out().residual.size() == 100);
  CHECK(share_within(process, wavy_records(400, 0.1, 20), 1.645) > 0.8);
}

TEST_CASE("gp learns the logarithm of what spans orders of magnitude, and calibrated deviations") {
  const Records known = latency_like_records(100, 0.03, 1);
  const auto predictor = make_predictor("gp");
  predictor->fit(known.rows, known.targets, 1);
  CHECK(predictor->save().at("log") == true);
  const Records unseen = latency_like_records(500, 0.03, 2);
  const Scores scores = score(predictor->predict(unseen.rows), unseen.targets);
  CHECK(scores.mape < 3.0);  // the noise alone makes 2.4
  CHECK(scores.coverage == Approx(0.9).margin(0.05));
}

TEST_CASE("gp does not run away with ten records") {
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Records records = linear_records(210, 6, 0.5, seed);
    const auto predictor = make_predictor("gp");
    const Records known = records.part(0, 10);
    const Records unseen = records.part(10, 210);
    predictor->fit(known.rows, known.targets, 1);
    worst = std::max(worst, score(predictor->predict(unseen.rows), unseen.targets).rmse);
  }
  CHECK(worst < 3.3);  // the targets' own spread
}

TEST_CASE("gp says what is wrong with its arguments") {
  CHECK(message_of([] { make_predictor("gp(kernel=cubic)"); }) ==
        "gp: kernel is 'cubic': it is one of matern52, rbf");
  CHECK(message_of([] { make_predictor("gp(noise=cauchy)"); }) ==
        "gp: noise is 'cauchy': it is one of normal, laplace");
  CHECK(message_of([] { make_predictor("gp(ard=maybe)"); }) ==
        "gp: ard is 'maybe': it is one of yes, no");
  CHECK_THAT(message_of([] { make_predictor("gp(kernle=rbf)"); }), Catch::Contains("kernel"));
  GaussianProcess process;
  CHECK(message_of([&] { process.predict({{1}}); }) ==
        "this predictor is not fitted: call fit() or load() first");
}

TEST_CASE("gp predicts measured transformer latencies from 300 of them, slow stretches and all") {
  for (const auto& [name, most] : std::vector<std::pair<std::string, double>>{
           {"wmt14ende_gpu_titanxp", 7}, {"wmt14ende_cpu_raspberrypi", 5}}) {
    const auto path = data_file("hat-latency/" + name + ".csv.gz");
    const Scores scores = held_out_scores("gp", hat_records(path).shuffled(1), 300, 1700);
    INFO(name << ": MAPE " << scores.mape << "%, tau " << scores.kendall);
    CHECK(scores.mape < most);
  }
}
