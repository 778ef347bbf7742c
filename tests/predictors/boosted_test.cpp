#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

/// A step in one column and an interaction of two others: what trees are for.
Records stepped_records(std::size_t count, std::uint64_t seed) {
  core::Stream stream(seed, "test.steps");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    const Features row{stream.uniform(), stream.uniform(), stream.uniform(), stream.uniform()};
    records.rows.push_back(row);
    records.targets.push_back(10 + (row[0] > 0.37 ? 4 : 0) +
                              (row[1] > 0.5 && row[2] > 0.5 ? 3 : 0) + 0.2 * stream.normal());
  }
  return records;
}

}  // namespace

TEST_CASE("boosted trees learn steps that no smooth predictor learns") {
  const Records records = stepped_records(1200, 1);
  const Scores trees = held_out_scores("boosted-trees", records, 700, 500);
  const Scores linear = held_out_scores("ridge", records, 700, 500);
  INFO(trees.rmse << " vs " << linear.rmse);
  CHECK(trees.rmse < 0.45);  // the noise is 0.2
  CHECK(trees.rmse < 0.5 * linear.rmse);
  CHECK(trees.coverage == Approx(0.9).margin(0.06));
}

TEST_CASE("boosted trees are the same for the same seed, and others for another") {
  const Records records = stepped_records(150, 2);
  const Records unseen = stepped_records(50, 3);
  const auto fitted = [&](std::uint64_t seed) {
    auto predictor = make_predictor("boosted-trees(rounds=100)");
    predictor->fit(records.rows, records.targets, seed);
    return predictor;
  };
  const auto first = fitted(1)->predict(unseen.rows);
  CHECK(same_bits(fitted(1)->predict(unseen.rows), first));
  CHECK_FALSE(same_bits(fitted(2)->predict(unseen.rows), first));
}

TEST_CASE("boosted trees survive their file to the bit") {
  const TemporaryFile file("trees.json");
  const Records records = latency_like_records(120, 0.05, 4);
  const auto predictor = make_predictor("boosted-trees(rounds=200)");
  predictor->fit(records.rows, records.targets, 1);
  CHECK(predictor->save().at("log") == true);
  save_predictor(*predictor, "boosted-trees(rounds=200)", {"a", "b", "c"}, file.path());
  const auto loaded = load_predictor(file.path());
  const Records unseen = latency_like_records(80, 0, 5);
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
  CHECK(loaded->save() == predictor->save());

  auto state = predictor->save();
  state["members"][0] = "{\"learner\": ";
  CHECK_THAT(message_of([&] { loaded->load(state); }), Catch::Contains("XGBoost failed"));
  state["members"] = nlohmann::json::array();
  CHECK(message_of([&] { loaded->load(state); }) ==
        "the state of this 'boosted-trees' predictor contradicts itself: fit it again and save it");
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
}

TEST_CASE("boosted trees survive equal targets, equal rows and four records") {
  const auto predictor = make_predictor("boosted-trees");
  predictor->fit({{1}, {2}, {3}, {4}}, {5, 5, 5, 5}, 1);
  CHECK(predictor->predict({{7}})[0].mean == 5);
  predictor->fit({{1}, {1}, {1}, {1}}, {4, 5, 6, 5}, 1);
  CHECK(predictor->predict({{1}})[0].mean == Approx(5).margin(0.1));
  predictor->fit({{1}, {2}, {3}, {4}}, {1, 2, 3, 4}, 1);
  CHECK(std::isfinite(predictor->predict({{2}})[0].deviation));
}
