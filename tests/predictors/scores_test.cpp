#include <catch2/catch.hpp>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

TEST_CASE("scores are what a hand computes") {
  const std::vector<Prediction> predicted{{11, 1}, {18, 1}, {33, 2}, {40, 0}};
  const std::vector<double> truth{10, 20, 30, 40};
  const Scores scores = score(predicted, truth);
  CHECK(scores.records == 4);
  CHECK(scores.mape == Approx((10 + 10 + 10 + 0) / 4.0));
  CHECK(scores.rmse == Approx(std::sqrt((1 + 4 + 9 + 0) / 4.0)));
  CHECK(scores.kendall == 1);
  CHECK(scores.spearman == Approx(1));
  CHECK(scores.coverage == Approx(0.75));  // 2 is more than 1.645 deviations of 1
}

TEST_CASE("a truth of zero does not make the percentage error infinite") {
  const std::vector<Prediction> predicted{{1, 1}, {22, 1}};
  const Scores scores = score(predicted, std::vector<double>{0, 20});
  CHECK(scores.mape == Approx(10));
  CHECK(scores.mape_records == 1);
  CHECK(scores.records == 2);
}

TEST_CASE("scores of lists of unequal length are refused") {
  const std::vector<Prediction> predicted{{1, 1}, {22, 1}};
  CHECK(message_of([&] { score(predicted, std::vector<double>{1}); }) ==
        "cannot compare 2 predictions with 1 true values: give one prediction for each true value, "
        "and at least one");
}

TEST_CASE("cross-validation scores each record by a model that did not see it") {
  // Targets that no feature explains: a model that saw them would do better than the spread of the
  // targets.
  core::Stream stream(3, "test");
  std::vector<Features> rows;
  std::vector<double> targets;
  for (int i = 0; i < 40; ++i) {
    Features row(60);
    for (double& value : row) value = stream.normal();
    rows.push_back(row);
    targets.push_back(stream.normal());
  }
  CHECK(cross_validate("ridge", rows, targets, 5, 1).rmse > 0.8);

  const Records easy = linear_records(60, 3, 0.01, 1);
  const Scores scores = cross_validate("ridge", easy.rows, easy.targets, 5, 1);
  CHECK(scores.records == 60);
  CHECK(scores.rmse < 0.02);
  CHECK(scores.kendall > 0.98);
  CHECK(scores.coverage == Approx(0.9).margin(0.1));
}

TEST_CASE("records of equal features are never on both sides of a fold") {
  // Thirty networks five times each, with targets that no feature explains.
  core::Stream stream(4, "test");
  std::vector<Features> rows;
  std::vector<double> targets;
  for (int network = 0; network < 30; ++network) {
    const Features row{stream.uniform(), stream.uniform(), stream.uniform()};
    const double target = 1 + stream.uniform();
    for (int repeat = 0; repeat < 5; ++repeat) {
      rows.push_back(row);
      targets.push_back(target + 0.001 * stream.uniform());
    }
  }
  for (const char* spec : {"boosted-trees(rounds=200)", "ridge", "auto(candidates=ridge+gp)"}) {
    const Scores scores = cross_validate(spec, rows, targets, 5, 1);
    INFO(spec);
    CHECK(scores.records == 150);
    CHECK(std::abs(scores.kendall) < 0.4);  // 0.9 where a repeat tells
    CHECK(scores.rmse > 0.2);
  }
}

TEST_CASE("folds of records that are too few networks are dealt one by one") {
  std::vector<Features> rows(12, Features{1});
  rows[11] = {2};
  std::vector<double> targets;
  for (int i = 0; i < 12; ++i) targets.push_back(i % 3 + 1);
  CHECK(cross_validate("ridge", rows, targets, 4, 1).records == 12);
  CHECK(cross_validate("boosted-trees(rounds=20)", rows, targets, 4, 1).records == 12);
  CHECK(cross_validate("auto", rows, targets, 3, 1).records == 12);
}

TEST_CASE("cross-validation is deterministic in its seed") {
  const Records records = linear_records(30, 3, 1, 1);
  const auto rmse = [&](std::uint64_t seed) {
    return cross_validate("ridge", records.rows, records.targets, 3, seed).rmse;
  };
  CHECK(rmse(1) == rmse(1));
  CHECK(rmse(1) != rmse(2));
}

TEST_CASE("cross-validation with impossible folds says which are possible") {
  const Records records = linear_records(8, 3, 1, 1);
  for (const std::size_t folds : {0u, 1u, 9u})
    CHECK(message_of([&] { cross_validate("ridge", records.rows, records.targets, folds, 1); }) ==
          "cannot split 8 records into " + std::to_string(folds) +
              " folds: use from 2 folds to one for each record, so that at least 4 are left to "
              "learn from");
}
