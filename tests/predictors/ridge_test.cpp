#include <catch2/catch.hpp>

#include "ridge_fit.hpp"
#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

/// Gaussian elimination with partial pivoting.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i)
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
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

/// Weights, then the intercept, from the normal equations with `penalty` on the weights; record
/// `without` left out.
std::vector<double> by_normal_equations(const Records& records, double penalty,
                                        std::size_t without) {
  const std::size_t p = records.rows.front().size();
  std::vector<std::vector<double>> a(p + 1, std::vector<double>(p + 1, 0));
  std::vector<double> b(p + 1, 0);
  for (std::size_t i = 0; i < records.rows.size(); ++i) {
    if (i == without) continue;
    Features z = records.rows[i];
    z.push_back(1);
    for (std::size_t r = 0; r <= p; ++r) {
      for (std::size_t c = 0; c <= p; ++c) a[r][c] += z[r] * z[c];
      b[r] += z[r] * records.targets[i];
    }
  }
  for (std::size_t r = 0; r < p; ++r) a[r][r] += penalty;
  return solve(a, b);
}

/// Columns of zero mean and unit variance.
Records standardised(Records records) {
  const double n = static_cast<double>(records.rows.size());
  for (std::size_t j = 0; j < records.rows.front().size(); ++j) {
    double mean = 0;
    double square = 0;
    for (const auto& row : records.rows) mean += row[j] / n;
    for (const auto& row : records.rows) square += (row[j] - mean) * (row[j] - mean) / n;
    for (auto& row : records.rows) row[j] = (row[j] - mean) / std::sqrt(square);
  }
  return records;
}

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

}  // namespace

TEST_CASE(
    "ridge solves the penalised normal equations, with more and with fewer records than columns") {
  for (const auto& [count, columns] : {std::pair{30, 4}, std::pair{6, 11}}) {
    const Records records = standardised(
        linear_records(static_cast<std::size_t>(count), static_cast<std::size_t>(columns), 1, 5));
    for (const double lambda : {1e-3, 0.1, 10.0}) {
      const RidgeFit fit = fit_ridge(records.rows, records.targets, lambda);
      const auto expected = by_normal_equations(records, lambda * count, kNone);
      INFO(count << " records, " << columns << " columns, lambda " << lambda);
      CHECK(fit.intercept == Approx(expected.back()));
      for (std::size_t j = 0; j < fit.weights.size(); ++j)
        CHECK(fit.weights[j] == Approx(expected[j]).margin(1e-9));
    }
  }
}

TEST_CASE("one feature by hand: the slope is shrunk by 1 + lambda") {
  // Standardised 1 2 3 is -sqrt(1.5) 0 sqrt(1.5); the slope of 2 4 6 ... on it is sum z y / n = 2
  // sqrt(2/3).
  const Records records = standardised({{{1}, {2}, {3}}, {2, 4, 6}});
  const RidgeFit fit = fit_ridge(records.rows, records.targets, 1.0);
  CHECK(fit.intercept == Approx(4));
  CHECK(fit.weights[0] == Approx(2 * std::sqrt(2.0 / 3) / 2));
}

TEST_CASE("leave-one-out residuals are those of refits without the record") {
  for (const auto& [count, columns] : {std::pair{25, 3}, std::pair{8, 12}}) {
    const Records records = standardised(
        linear_records(static_cast<std::size_t>(count), static_cast<std::size_t>(columns), 1, 9));
    for (const double lambda : {1e-2, 1.0}) {
      const RidgeFit fit = fit_ridge(records.rows, records.targets, lambda);
      for (std::size_t i = 0; i < records.rows.size(); ++i) {
        const auto refit = by_normal_equations(records, lambda * count, i);
        double predicted = refit.back();
        for (std::size_t j = 0; j < fit.weights.size(); ++j)
          predicted += refit[j] * records.rows[i][j];
        CHECK(fit.leave_one_out[i] == Approx(records.targets[i] - predicted).margin(1e-9));
      }
    }
  }
}

TEST_CASE("the penalty chosen is the one of least leave-one-out error") {
  const Records records = standardised(linear_records(20, 15, 3, 2));
  const auto error = [&](std::optional<double> lambda) {
    const RidgeFit fit = fit_ridge(records.rows, records.targets, lambda);
    double sum = 0;
    for (const double residual : fit.leave_one_out) sum += residual * residual;
    return sum;
  };
  const double best = error(std::nullopt);
  for (int step = -32; step <= 8; ++step)
    CHECK(best <= error(std::pow(10.0, step / 4.0)) * (1 + 1e-12));
}

TEST_CASE("the leverage of a record asked again is its diagonal of the hat matrix") {
  for (const auto& [count, columns] : {std::pair{25, 3}, std::pair{8, 12}}) {
    const Records records = standardised(
        linear_records(static_cast<std::size_t>(count), static_cast<std::size_t>(columns), 1, 4));
    const RidgeFit fit = fit_ridge(records.rows, records.targets, 0.1);
    const auto answers = ask_ridge(fit, records.rows);
    for (std::size_t i = 0; i < answers.size(); ++i)
      CHECK(answers[i].leverage == Approx(fit.leverage[i]));
  }
}

TEST_CASE("ridge recovers a linear law and says how sure it is") {
  const Records records = linear_records(600, 5, 0.5, 3);
  const Scores scores = held_out_scores("ridge", records, 100, 500);
  CHECK(scores.rmse < 0.55);
  CHECK(scores.coverage == Approx(0.9).margin(0.04));
}

TEST_CASE("ridge learns the logarithm where that predicts better, and stays calibrated") {
  const Records records = latency_like_records(700, 0.02, 3);
  const Scores automatic = held_out_scores("ridge", records, 200, 500);
  CHECK(automatic.mape < 2.2);
  CHECK(automatic.mape < held_out_scores("ridge(log=no, degree=1)", records, 200, 500).mape);
  CHECK(automatic.coverage == Approx(0.9).margin(0.05));
  CHECK(held_out_scores("ridge(log=yes, degree=2)", records, 200, 500).mape == automatic.mape);
}

TEST_CASE("ridge finds a product of two features") {
  Records records = linear_records(400, 4, 0, 8);
  for (std::size_t i = 0; i < records.rows.size(); ++i)
    records.targets[i] = 3 * records.rows[i][0] * records.rows[i][1] - records.rows[i][2];
  CHECK(held_out_scores("ridge", records, 200, 200).rmse < 0.01);
  CHECK(held_out_scores("ridge(degree=1)", records, 200, 200).rmse > 0.1);
}

TEST_CASE("ridge works with far more features than records") {
  // 100 columns that are mixtures of five, as those of one network's layers are.
  Records records = linear_records(530, 5, 0.05, 6);
  core::Stream stream(1, "test.mixtures");
  std::vector<Features> mixtures(100, Features(5));
  for (auto& mixture : mixtures)
    for (double& share : mixture) share = stream.normal();
  for (auto& row : records.rows) {
    Features mixed;
    for (const auto& mixture : mixtures)
      mixed.push_back(std::inner_product(row.begin(), row.end(), mixture.begin(), 0.0));
    row = mixed;
  }
  const Scores scores = held_out_scores("ridge", records, 30, 500);
  CHECK(scores.kendall > 0.95);
  CHECK(scores.coverage > 0.8);
}

TEST_CASE("ridge is less sure far from what it has seen") {
  const Records records = linear_records(50, 2, 0.5, 3);
  const auto predictor = make_predictor("ridge(degree=1)");
  predictor->fit(records.rows, records.targets, 1);
  const auto answers = predictor->predict({{0.5, 0.5}, {30, -30}});
  CHECK(answers[1].deviation > 3 * answers[0].deviation);
}

TEST_CASE("constant columns and a constant target do no harm") {
  Records records = linear_records(20, 2, 0.1, 3);
  const auto plain = make_predictor("ridge");
  plain->fit(records.rows, records.targets, 1);
  const double expected = plain->predict({{0.3, 0.4}})[0].mean;
  for (auto& row : records.rows) row.insert(row.begin(), 7);
  const auto predictor = make_predictor("ridge");
  predictor->fit(records.rows, records.targets, 1);
  CHECK(predictor->predict({{7, 0.3, 0.4}})[0].mean == expected);
  CHECK(predictor->predict({{8, 0.3, 0.4}})[0].mean == expected);

  const auto flat = make_predictor("ridge");
  flat->fit(records.rows, std::vector<double>(20, 3), 1);
  CHECK(flat->predict({records.rows[0]})[0].mean == Approx(3));
  CHECK(flat->predict({records.rows[0]})[0].deviation == Approx(0).margin(1e-9));
  flat->fit(std::vector<Features>(4, {1, 2}), {1, 2, 3, 4}, 1);
  CHECK(flat->predict({{1, 2}})[0].mean == Approx(std::sqrt(std::sqrt(24.0))).epsilon(0.15));
}

TEST_CASE("ridge refuses arguments that it does not know") {
  CHECK(message_of([] { make_predictor("ridge(lamda=1)"); }) ==
        "ridge has no argument 'lamda': did you mean 'lambda'? known: degree, lambda, log");
  CHECK(message_of([] { make_predictor("ridge(log=maybe)"); }) ==
        "ridge: log is 'maybe': it is one of auto, yes, no");
  CHECK_THAT(message_of([] { make_predictor("ridge(lambda=-1)"); }),
             Catch::StartsWith("ridge: argument lambda = '-1' is not"));
  CHECK_THAT(message_of([] { make_predictor("rigde"); }),
             Catch::StartsWith("unknown predictor 'rigde': did you mean 'ridge'? known: "));
}

TEST_CASE("records that nobody can learn from are refused with their number") {
  const auto fit = [](std::vector<Features> rows, std::vector<double> targets,
                      const std::string& spec = "ridge") {
    return message_of([&] { make_predictor(spec)->fit(rows, targets, 1); });
  };
  const double nan = std::nan("");
  CHECK(fit({{1}, {2}, {3}}, {1, 2, 3}) ==
        "a predictor cannot be fitted to 3 records: it needs at least 4: measure more networks");
  CHECK(fit({{1}, {2}, {3, 4}, {5}}, {1, 2, 3, 4}) ==
        "record 3 has 2 features where 1 are expected: make all records with the same feature "
        "extractor");
  CHECK(fit({{1, 2}, {2, 3}, {3, 4}, {5, nan}}, {1, 2, 3, 4}) ==
        "feature 2 of record 4 is nan: features must be finite: leave this record out");
  CHECK(fit({{1}, {2}, {3}, {5}}, {1, nan, 3, 4}) ==
        "the target of record 2 is nan: targets must be finite: leave failed measurements out");
  CHECK(fit({{1}, {2}, {3}, {5}}, {1, 2, 3}) ==
        "4 rows of features for 3 targets: give one target for each row");
  CHECK(fit({{}, {}, {}, {}}, {1, 2, 3, 4}) ==
        "the records have no features: give at least one number for each network");
  CHECK(fit({{1}, {2}, {3}, {5}}, {1, 0, 3, 4}, "ridge(log=yes)") ==
        "the target of record 2 is 0, which has no logarithm: use log=auto or log=no");
}

TEST_CASE("ridge says that it is not fitted, and when it is asked about other features") {
  const auto predictor = make_predictor("ridge");
  CHECK(message_of([&] { predictor->predict({{1}}); }) ==
        "this predictor is not fitted: call fit() or load() first");
  const Records records = linear_records(10, 2, 1, 1);
  predictor->fit(records.rows, records.targets, 1);
  CHECK(message_of([&] {
          predictor->predict({{1, 2}, {1}});
        }) ==
        "record 2 has 1 features where 2 are expected: make all records with the same feature "
        "extractor");
  CHECK(predictor->predict({}).empty());
}

TEST_CASE("ridge predicts measured transformer latencies from 300 of them") {
  const std::vector<std::pair<std::string, double>> sets = {{"iwslt14deen_gpu_titanxp", 9},
                                                            {"wmt14ende_gpu_titanxp", 7},
                                                            {"wmt14ende_cpu_xeon", 6},
                                                            {"wmt14ende_cpu_raspberrypi", 5}};
  for (const auto& [name, most] : sets) {
    const auto path = data_file("hat-latency/" + name + ".csv.gz");
    const Scores scores = held_out_scores("ridge", hat_records(path).shuffled(1), 300, 1700);
    INFO(name << ": MAPE " << scores.mape << "%, tau " << scores.kendall << ", coverage "
              << scores.coverage);
    CHECK(scores.mape < most);
    CHECK(scores.kendall > 0.77);
    CHECK(scores.coverage == Approx(0.9).margin(0.05));
  }
}
