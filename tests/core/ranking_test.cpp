#include "mosaic/core/ranking.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;
using Values = std::vector<double>;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

core::Interval bootstrap(const Values& truth, const Values& score, std::size_t resamples,
                         std::uint64_t seed) {
  return core::bootstrap_kendall(truth, std::vector<Values>{score}, resamples, seed);
}

int sign(double a, double b) { return (a > b) - (a < b); }

/// Tau-b of the networks `drawn` (indices, maybe repeated) by a double loop over the draws; a
/// network forms no pair with itself.
double tau_by_pairs(const Values& truth, const Values& score,
                    const std::vector<std::size_t>& drawn) {
  double balance = 0;
  double in_truth = 0;
  double in_score = 0;
  for (std::size_t a = 0; a < drawn.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      if (drawn[a] == drawn[b]) continue;
      const int x = sign(truth[drawn[a]], truth[drawn[b]]);
      const int y = sign(score[drawn[a]], score[drawn[b]]);
      balance += x * y;
      in_truth += x * x;
      in_score += y * y;
    }
  if (in_truth == 0) return kNaN;
  return in_score == 0 ? 0 : balance / std::sqrt(in_truth * in_score);
}

double tau_by_pairs(const Values& truth, const Values& score) {
  std::vector<std::size_t> all(truth.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return tau_by_pairs(truth, score, all);
}

/// `levels` values: few make many ties.
Values random_values(std::size_t count, std::uint64_t levels, std::uint64_t seed) {
  core::Stream stream(seed, "values");
  Values values(count);
  for (double& value : values) value = static_cast<double>(stream.below(levels));
  return values;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return {};
}

/// Where ResNet20 halves its resolution: the 36 accuracies on CIFAR-10 of Roshtkhari et al. 2023
/// and the FLOPs of each, in millions.
struct Poolings {
  Values truth = {87.4467, 87.69,   87.8917, 88.6017, 89.3833, 90.1267, 90.1633, 89.406,  88.7833,
                  89.025,  90.415,  90.5683, 90.8917, 91.005,  90.2167, 89.1017, 89.7017, 90.6067,
                  90.9217, 90.875,  90.14,   89.6783, 90.3417, 90.5167, 90.845,  89.705,  91.0483,
                  90.9567, 91.5467, 89.84,   91.775,  91.83,   90.9633, 92.0117, 90.4683, 89.9917};
  Values flops;

  Poolings() {
    constexpr int kWidths[10] = {16, 16, 16, 16, 32, 32, 32, 64, 64, 64};
    for (int first = 1; first <= 8; ++first)
      for (int second = 1; first + second <= 9; ++second) {
        double sum = 0;
        for (int depth = 0; depth < 10; ++depth) {
          const int side = depth < first ? 32 : depth < first + second ? 16 : 8;
          const int in = depth == 0 ? 3 : kWidths[depth - 1];
          const int out = kWidths[depth];
          sum += 9.0 * side * side * (depth == 0 ? in * out : in * out + out * out);
        }
        flops.push_back(sum / 1e6);
      }
  }
};

}  // namespace

TEST_CASE("tau-b counts the pairs that a double loop counts, ties in both included") {
  for (const std::uint64_t levels : {2u, 5u, 40u, 1'000'000u})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const std::size_t count = 2 + 7 * seed;
      const auto truth = random_values(count, levels, seed);
      const auto score = random_values(count, 3 * levels, 100 + seed);
      const double expected = tau_by_pairs(truth, score);
      const double tau = core::kendall_tau_b(truth, score);
      INFO(levels << " levels, seed " << seed);
      if (std::isnan(expected))
        CHECK(std::isnan(tau));
      else
        CHECK(tau == Approx(expected).margin(1e-14));
    }
}

TEST_CASE("Somers' D is the balance of the pairs that the truth tells apart") {
  for (const std::uint64_t levels : {2u, 5u, 1'000'000u})
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const auto truth = random_values(3 + 20 * seed, levels, seed);
      const auto score = random_values(truth.size(), 3 * levels, 100 + seed);
      double balance = 0;
      double pairs = 0;
      for (std::size_t i = 0; i < truth.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
          balance += sign(truth[i], truth[j]) * sign(score[i], score[j]);
          pairs += truth[i] != truth[j];
        }
      INFO(levels << " levels, seed " << seed);
      CHECK(core::somers_d(truth, score) == Approx(balance / pairs).margin(1e-15));
    }
  // Ties of the score say nothing, pairs tied in truth are left out.
  CHECK(core::somers_d(Values{10, 20, 30}, Values{5, 5, 5}) == 0);
  CHECK(core::somers_d(Values{4, 4, 8}, Values{9, 1, 10}) == 1);
  CHECK(core::somers_d(Values{1, 2, 1.5}, Values{2, 2, 1}) == 0);
  CHECK(std::isnan(core::somers_d(Values{4, 4}, Values{1, 2})));
}

TEST_CASE("tau-b and rho of tied values are what SciPy 1.17 gives") {
  const Values truth = {1, 2, 2, 3, 4, 4, 5};
  const Values score = {3, 1, 2, 2, 5, 5, 4};
  CHECK(core::kendall_tau_b(truth, score) == Approx(0.4210526315789473).epsilon(1e-14));
  CHECK(core::spearman_rho(truth, score) == Approx(0.6388888888888891).epsilon(1e-14));
}

TEST_CASE("a constant score ranks nothing, a constant truth leaves nothing to rank") {
  const Values rising = {1, 2, 3};
  const Values constant = {7, 7, 7};
  CHECK(core::kendall_tau_b(rising, constant) == 0);
  CHECK(core::spearman_rho(rising, constant) == 0);
  CHECK(std::isnan(core::kendall_tau_b(constant, rising)));
  CHECK(std::isnan(core::spearman_rho(constant, rising)));
}

TEST_CASE("FLOPs rank the 36 poolings of ResNet20 as published") {
  const Poolings poolings;  // expected values: SciPy 1.17
  const auto scores = core::rank_scores(poolings.truth, poolings.flops, false);
  CHECK(scores.kendall == Approx(0.5016492112330673).epsilon(1e-14));
  CHECK(scores.spearman == Approx(0.6256929860993664).epsilon(1e-14));
  CHECK(scores.kendall_top_half == Approx(0.4784713336973401).epsilon(1e-14));
  CHECK(scores.kendall_top_tenth == 1);  // of four
  CHECK(scores.picked_truth == 89.9917);
  CHECK(scores.regret == Approx(92.0117 - 89.9917));
  CHECK(std::isnan(scores.mean_absolute_error));
}

TEST_CASE("the top holds the networks tied with its last one, whatever their order") {
  // Upper half of five: three, and the second 3 that is tied with the last of them.
  const Values truth = {1, 3, 5, 3, 4};
  const Values score = {9, 1, 3, 2, 3};
  const auto scores = core::rank_scores(truth, score, false);
  CHECK(scores.kendall_top_half == Approx(tau_by_pairs({3, 5, 3, 4}, {1, 3, 2, 3})));
  CHECK(std::isnan(scores.kendall_top_tenth));  // one network
  auto mirrored_truth = truth;
  auto mirrored_score = score;
  std::reverse(mirrored_truth.begin(), mirrored_truth.end());
  std::reverse(mirrored_score.begin(), mirrored_score.end());
  CHECK(core::rank_scores(mirrored_truth, mirrored_score, false).kendall_top_half ==
        scores.kendall_top_half);
}

TEST_CASE("the regret of a tied pick is that of one drawn among them") {
  const auto scores = core::rank_scores(Values{90, 92, 91, 80}, Values{91, 90, 91, 50}, true);
  CHECK(scores.picked_truth == 90.5);
  CHECK(scores.regret == 1.5);
  CHECK(scores.mean_absolute_error == Approx((1 + 2 + 0 + 30) / 4.0));
  const auto best = core::rank_scores(Values{0.1, 0.1, 0.1}, Values{1, 1, 1}, false);
  CHECK(best.regret == 0);
}

TEST_CASE("a score may be infinite: a loss that overflowed ranks last") {
  const auto scores = core::rank_scores(Values{1, 2, 3}, Values{-kInfinity, -2, -1}, false);
  CHECK(scores.kendall == 1);
  CHECK(scores.spearman == 1);
}

TEST_CASE("what cannot be ranked is refused with what to do") {
  const auto rank = [](const Values& truth, const Values& score) {
    return error_of([&] { core::rank_scores(truth, score, true); });
  };
  CHECK(rank({1, 2}, {1}) ==
        "cannot rank 1 scores against 2 true values: give one score for each network of the "
        "truth, in the same order");
  CHECK(rank({1, 2}, {1, kNaN}) ==
        "the score of network 1 is not a number: evaluate it again, or leave the network out of "
        "truth and scores");
  CHECK(rank({kInfinity, 2}, {1, 2}) ==
        "the truth of network 0 is inf: leave networks without a finite truth out");
  CHECK(rank({1}, {1}) ==
        "a ranking needs at least 2 networks, but there is 1: give more networks: 30 and more "
        "tell two rankings apart");
  CHECK_THAT(error_of([] {
               bootstrap({1, 2}, {1, 2}, 0, 1);
             }),
             Catch::Contains("there are 2, 1 and 0: give at least one of each"));
}

TEST_CASE("intervals over seeds are Student's") {
  const Values a = {.52, .61, .58, .49, .66};
  const auto interval = core::seed_interval(a);  // expected values: SciPy 1.17
  CHECK(interval.mean == Approx(0.572).epsilon(1e-14));
  CHECK(interval.low == Approx(0.4871479128582384).epsilon(1e-12));
  CHECK(interval.high == Approx(0.6568520871417618).epsilon(1e-12));

  const auto one = core::seed_interval(Values{3});
  CHECK(one.mean == 3);
  CHECK(std::isnan(one.low));
  CHECK(std::isnan(one.high));
  CHECK(std::isnan(core::seed_interval(Values{}).mean));
  CHECK(std::isnan(core::seed_interval(Values{1, kNaN}).mean));
}

TEST_CASE("a bootstrap of tau forms no pair of a network with itself") {
  const auto truth = random_values(25, 30, 1);
  const auto score = random_values(25, 12, 2);
  constexpr std::size_t kResamples = 200;
  Values taus;
  for (std::size_t r = 0; r < kResamples; ++r) {
    core::Stream stream(5, "core.bootstrap_kendall", r);
    std::vector<std::size_t> drawn(truth.size());
    for (auto& network : drawn) network = stream.below(truth.size());
    taus.push_back(tau_by_pairs(truth, score, drawn));
  }
  std::sort(taus.begin(), taus.end());
  double mean = 0;
  for (const double tau : taus) mean += tau / kResamples;
  const auto interval = bootstrap(truth, score, kResamples, 5);
  CHECK(interval.mean == Approx(mean).epsilon(1e-12));
  // 0.025 * 199 = 4.975 and 0.975 * 199 = 194.025
  CHECK(interval.low == Approx(taus[4] + 0.975 * (taus[5] - taus[4])).epsilon(1e-12));
  CHECK(interval.high == Approx(taus[194] + 0.025 * (taus[195] - taus[194])).epsilon(1e-12));
}

TEST_CASE("a bootstrap of the published poolings agrees with NumPy's") {
  const Poolings poolings;
  const auto interval = bootstrap(poolings.truth, poolings.flops, 20'000, 1);
  CHECK(interval.mean == Approx(0.5016).margin(0.003));  // NumPy, 20,000 resamples
  CHECK(interval.low == Approx(0.2486).margin(0.01));
  CHECK(interval.high == Approx(0.7250).margin(0.01));
  const auto again = bootstrap(poolings.truth, poolings.flops, 20'000, 1);
  CHECK(again.low == interval.low);
}

TEST_CASE("a bootstrap of several seeds gives the mean of their taus on each resample") {
  const auto truth = random_values(40, 1000, 1);
  const auto reversed = [&] {
    auto values = truth;
    for (double& value : values) value = -value;
    return values;
  }();
  const std::vector<Values> both = {truth, reversed};
  const auto interval = core::bootstrap_kendall(truth, both, 100, 1);
  CHECK(interval.low == Approx(0).margin(1e-12));
  CHECK(interval.high == Approx(0).margin(1e-12));
}

TEST_CASE("resamples without two different truths are left out of a bootstrap") {
  const auto pair = bootstrap({1, 2}, {1, 2}, 100, 1);
  CHECK(pair.low == 1);
  CHECK(pair.high == 1);
  CHECK(std::isnan(bootstrap({1, 1}, {1, 2}, 100, 1).mean));
}

TEST_CASE("a thousand networks are resampled a thousand times") {
  const auto truth = random_values(1000, 1'000'000, 1);
  auto score = truth;
  core::Stream noise(1, "noise");
  for (double& value : score) value += 500'000 * noise.normal();
  const double tau = core::kendall_tau_b(truth, score);
  const auto interval = bootstrap(truth, score, 1000, 1);
  CHECK(interval.low < tau);
  CHECK(tau < interval.high);
  CHECK(interval.high - interval.low < 0.1);
}
