#include "surrogate.hpp"

#include <Eigen/Dense>
#include <cmath>
#include <nlohmann/json.hpp>

#include "acquisition.hpp"
#include "common.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/predictors/structure.hpp"
#include "operators.hpp"

using namespace mosaic;
using namespace mosaic::search_test;
using search::Beliefs;

namespace {

Eigen::MatrixXf random_rows(Eigen::Index rows, Eigen::Index columns, core::Stream& stream) {
  Eigen::MatrixXf result(rows, columns);
  for (Eigen::Index i = 0; i < rows; ++i)
    for (Eigen::Index j = 0; j < columns; ++j) result(i, j) = static_cast<float>(stream.normal());
  return result;
}

Beliefs one_belief(double mean, double deviation, bool log = false) {
  Beliefs beliefs;
  beliefs.warp = {log, 1.0, 1e9};
  beliefs.mean = Eigen::VectorXf::Constant(1, static_cast<float>(mean));
  beliefs.variance = Eigen::VectorXf::Constant(1, static_cast<float>(deviation * deviation));
  beliefs.whitened = Eigen::MatrixXf::Zero(1, 1);
  return beliefs;
}

double draw(const Beliefs& beliefs, core::Stream& stream) {
  return beliefs.warp.back(beliefs.mean[0] + std::sqrt(beliefs.variance[0]) * stream.normal());
}

}  // namespace

TEST_CASE("grouped distances are those of every pair") {
  core::Stream stream(1, "test");
  const auto a = random_rows(7, 5, stream);
  const auto b = random_rows(4, 5, stream);
  const auto found = search::distances(a, b, {0, 2, 5});
  REQUIRE(found.size() == 2);
  for (Eigen::Index i = 0; i < 7; ++i)
    for (Eigen::Index j = 0; j < 4; ++j) {
      CHECK(found[0](i, j) ==
            Approx((a.row(i).head(2) - b.row(j).head(2)).squaredNorm()).margin(1e-5));
      CHECK(found[1](i, j) ==
            Approx((a.row(i).tail(3) - b.row(j).tail(3)).squaredNorm()).margin(1e-5));
    }
}

TEST_CASE("expected gains are what sampling finds") {
  for (const bool log : {false, true}) {
    const auto beliefs = one_belief(log ? 0.5 : 2.0, 0.6, log);
    for (const double bound : {1.5, 2.5, 4.0}) {
      core::Stream stream(3, "sample");
      double gain = 0;
      double below = 0;
      const int count = 200'000;
      for (int i = 0; i < count; ++i) {
        const double y = draw(beliefs, stream);
        gain += std::max(0.0, bound - y) / count;
        below += (y <= bound ? 1.0 : 0.0) / count;
      }
      INFO("log " << log << " bound " << bound);
      CHECK(beliefs.gain(0, bound) == Approx(gain).margin(0.005));
      CHECK(beliefs.below(0, bound) == Approx(below).margin(0.005));
    }
  }
}

TEST_CASE("expected hypervolume improvement is what sampling finds") {
  const std::vector<std::vector<double>> front = {{1, 3}, {2, 2}, {3, 1}};
  const search::Acquisition acquisition(2, front, 1);
  // Reference: a tenth of the extent beyond the worst values.
  const std::vector<double> reference = {3.2, 3.2};
  const double before = core::hypervolume(front, reference);
  const std::vector<Beliefs> beliefs = {one_belief(1.8, 0.5), one_belief(1.9, 0.7)};
  core::Stream stream(5, "sample");
  double gain = 0;
  const int count = 40'000;
  for (int i = 0; i < count; ++i) {
    auto points = front;
    points.push_back({draw(beliefs[0], stream), draw(beliefs[1], stream)});
    gain += (core::hypervolume(points, reference) - before) / count;
  }
  CHECK(acquisition(beliefs, 0) == Approx(gain).epsilon(0.03));
  // A constraint that is kept with probability one half halves it.
  auto constrained = beliefs;
  constrained.push_back(one_belief(0, 1));
  CHECK(acquisition(constrained, 0) == Approx(0.5 * acquisition(beliefs, 0)).epsilon(1e-5));
}

TEST_CASE("a surrogate predicts as the textbook formula does, and conditioning shrinks variances") {
  core::Stream stream(2, "test");
  const std::vector<std::size_t> starts = {0, 3, 6};
  const auto records = random_rows(30, 6, stream);
  const auto candidates = random_rows(9, 6, stream);
  std::vector<double> targets;
  for (Eigen::Index i = 0; i < 30; ++i)
    targets.push_back(10 + 3 * std::sin(records(i, 0)) + records(i, 4));
  search::Surrogate surrogate(2);
  surrogate.fit(search::distances(records, records, starts), targets, 40, 1);
  const auto beliefs = surrogate.predict(search::distances(candidates, records, starts));

  // Independently: the hyperparameters it chose, in double precision.
  const auto state = surrogate.save();
  const auto taken = state.at("taken").get<std::size_t>();
  const auto theta = state.at("forms").at(taken).get<std::vector<double>>();
  const auto kernel = [&](const auto& a, const auto& b) {
    const double first = (a.head(3) - b.head(3)).template cast<double>().squaredNorm();
    const double second = (a.tail(3) - b.tail(3)).template cast<double>().squaredNorm();
    return std::exp(-0.5 * (first * std::exp(-theta[0]) + second * std::exp(-theta[1])));
  };
  Eigen::VectorXd z(30);
  for (Eigen::Index i = 0; i < 30; ++i)
    z[i] = beliefs.warp.into(targets[static_cast<std::size_t>(i)]);
  const double centre = z.mean();
  const double scale = std::sqrt((z.array() - centre).square().mean());
  z = (z.array() - centre) / scale;
  Eigen::MatrixXd k(30, 30);
  for (Eigen::Index i = 0; i < 30; ++i)
    for (Eigen::Index j = 0; j < 30; ++j) k(i, j) = kernel(records.row(i), records.row(j));
  k.diagonal().array() += std::exp(theta[2]) + 1e-8;
  const Eigen::MatrixXd inverse = k.inverse();
  const Eigen::VectorXd one = Eigen::VectorXd::Ones(30);
  const double mean = one.dot(inverse * z) / one.dot(inverse * one);
  const Eigen::VectorXd residual = z.array() - mean;
  const double variance = residual.dot(inverse * residual) / 30;
  for (Eigen::Index c = 0; c < 9; ++c) {
    Eigen::VectorXd to(30);
    for (Eigen::Index i = 0; i < 30; ++i) to[i] = kernel(candidates.row(c), records.row(i));
    const double expected = centre + scale * (mean + to.dot(inverse * residual));
    const double spread =
        variance * scale * scale * (1 - to.dot(inverse * to) + std::exp(theta[2]));
    CHECK(beliefs.mean[c] == Approx(expected).epsilon(1e-3));
    CHECK(beliefs.variance[c] == Approx(spread).epsilon(0.02).margin(1e-4));
  }

  auto conditioned = beliefs;
  surrogate.condition(conditioned, 4, search::distances(candidates, candidates.row(4), starts));
  CHECK(conditioned.mean == beliefs.mean);
  CHECK(conditioned.variance[4] < beliefs.variance[4]);
  for (Eigen::Index c = 0; c < 9; ++c)
    CHECK(conditioned.variance[c] <= beliefs.variance[c] * 1.0001F);
}

TEST_CASE("structure features tell what differs, in groups of equal spread") {
  const auto space = small_nasbench();
  const predictors::StructureFeatures features(space);
  REQUIRE(features.groups().size() == 5);
  core::Stream stream(4, "pairs");
  std::vector<double> spread(5, 0.0);
  const int count = 400;
  for (int i = 0; i < count; ++i) {
    const auto a = features(space.random(stream));
    const auto b = features(space.random(stream));
    REQUIRE(a.size() == features.size());
    for (std::size_t g = 0; g < 5; ++g)
      for (std::size_t j = features.starts()[g]; j < features.starts()[g + 1]; ++j)
        spread[g] += (a[j] - b[j]) * (a[j] - b[j]) / count;
  }
  for (const double value : spread)
    CHECK(value == Approx(predictors::StructureFeatures::kSpread).epsilon(0.35));
  // Two genotypes of one function differ in their genes, and not in what is left of the network.
  const auto a =
      features(space.parse("|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"));
  const auto b = features(space.parse("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"));
  double genes = 0;
  double rest = 0;
  for (std::size_t j = 0; j < a.size(); ++j)
    (j < features.starts()[1] ? genes : rest) +=
        j >= features.starts()[3] && j < features.starts()[4] ? 0 : std::abs(a[j] - b[j]);
  CHECK(genes > 0);
  CHECK(rest == 0);
}

TEST_CASE("linas finds more than evolution with the same evaluations") {
  double total[2] = {0, 0};
  for (const std::uint64_t seed : {1, 2, 3})
    for (const int i : {0, 1}) {
      Fixture f(small_nasbench());
      search::SearchSettings settings;
      settings.algorithm = i == 0 ? "nsga2" : "linas";
      settings.population = i == 0 ? 16 : 5;
      settings.evaluations = 60;
      search::run_search(f.space, f.counts(), {}, settings, seed, f.database, f.job);
      std::vector<std::vector<double>> points;
      for (const auto& network : f.database.front(f.job))
        points.push_back(
            {-network.metrics.at("params").value, network.metrics.at("activation_bytes").value});
      total[i] += core::hypervolume(points, {0, 1e6});
    }
  CHECK(total[1] > total[0]);
}

TEST_CASE(
    "ordered genes mutate to neighbours more often than elsewhere, categorical ones anywhere") {
  spaces::Gene ordered{"width", {"1", "2", "3", "4", "5"}, {1, 2, 3, 4, 5}, true};
  spaces::Gene names = ordered;
  names.ordered = false;
  core::Stream stream(6, "mutations");
  int near[2] = {0, 0};
  for (int i = 0; i < 4000; ++i)
    for (const int kind : {0, 1}) {
      const int option = search::mutate_option(kind == 0 ? ordered : names, 2, stream);
      REQUIRE(option != 2);
      near[kind] += std::abs(option - 2) == 1 ? 1 : 0;
    }
  CHECK(near[0] / 4000.0 == Approx(0.9).margin(0.03));
  CHECK(near[1] / 4000.0 == Approx(0.5).margin(0.03));
}
