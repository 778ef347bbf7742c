#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

Records made(std::size_t count, std::uint64_t seed, double (*truth)(const Features&),
             double noise) {
  core::Stream stream(seed, "test.made");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    const Features row{stream.uniform(), stream.uniform(), stream.uniform()};
    records.rows.push_back(row);
    records.targets.push_back(truth(row) + noise * stream.normal());
  }
  return records;
}

double wave(const Features& x) { return 20 + 3 * std::sin(9 * x[0]) * std::cos(5 * x[1]) + x[2]; }
double stair(const Features& x) {
  return 20 + 5 * std::floor(4 * x[0]) * (x[1] > 0.4 ? 1 : -1) + (x[2] > 0.7 ? 6 : 0);
}

double share_of(const Predictor& predictor, const std::string& spec) {
  const auto state = predictor.save();
  for (const auto& part : state.at("parts"))
    if (part.at("spec") == spec) return part.at("weight").get<double>();
  return 0;
}

}  // namespace

TEST_CASE("auto chooses what predicts unseen records best, and says so") {
  const auto waves = make_predictor("auto");
  const Records smooth = made(150, 1, wave, 0.05);
  waves->fit(smooth.rows, smooth.targets, 1);
  CHECK(share_of(*waves, "gp") >= 0.5);
  CHECK_THAT(waves->describe(),
             Catch::StartsWith("chose ") && Catch::Contains("gp") && Catch::Contains("ridge"));

  const auto stairs = make_predictor("auto");
  const Records stepped = made(500, 2, stair, 0.05);
  stairs->fit(stepped.rows, stepped.targets, 1);
  CHECK(share_of(*stairs, "boosted-trees") >= 0.5);

  const auto asked = make_predictor("auto(candidates=ridge+gp(kernel=rbf))");
  asked->fit(smooth.rows, smooth.targets, 1);
  CHECK(share_of(*asked, "gp(kernel=rbf)") >= 0.75);
}

TEST_CASE("auto predicts as well as the better of its candidates") {
  const Records records = made(500, 3, stair, 0.2);
  const Scores scores = held_out_scores("auto", records, 300, 200);
  double best = 1e9;
  for (const std::string spec : {"ridge", "gp", "boosted-trees"})
    best = std::min(best, held_out_scores(spec, records, 300, 200).rmse);
  CHECK(scores.rmse < 1.1 * best);
  CHECK(scores.coverage == Approx(0.9).margin(0.08));
}

TEST_CASE("auto survives its file to the bit") {
  const TemporaryFile file("auto.json");
  const Records records = made(100, 4, wave, 0.05);
  const auto predictor = make_predictor("auto(candidates=ridge+gp)");
  predictor->fit(records.rows, records.targets, 1);
  save_predictor(*predictor, "auto(candidates=ridge+gp)", {"a", "b", "c"}, file.path());
  const auto loaded = load_predictor(file.path());
  const Records unseen = made(40, 5, wave, 0);
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
  CHECK(loaded->describe() == predictor->describe());
}

TEST_CASE("auto is not fooled by a slow stretch if it is told that rows are in order") {
  core::Stream stream(6, "test.order");
  Records clean = latency_like_records(500, 0.02, 7);
  Records slow = clean;
  for (std::size_t i = 120; i < 220; ++i) slow.targets[i] *= 1.3;
  const Records unseen = latency_like_records(400, 0.02, 8);
  const auto mape = [&](const std::string& spec, const Records& known) {
    const auto predictor = make_predictor(spec);
    predictor->fit(known.rows, known.targets, 1);
    return score(predictor->predict(unseen.rows), unseen.targets);
  };
  const double without_drift = mape("auto(candidates=ridge+gp)", clean).mape;
  const double fooled = mape("auto(candidates=ridge+gp)", slow).mape;
  const Scores told = mape("auto(candidates=ridge+gp,ordered=yes)", slow);
  CHECK(fooled > 1.15 * without_drift);
  CHECK(told.mape < 1.08 * without_drift);
  CHECK(told.coverage == Approx(0.9).margin(0.06));
}

TEST_CASE("auto takes four records, and says what is wrong with its arguments") {
  const auto predictor = make_predictor("auto");
  predictor->fit({{1}, {2}, {3}, {4}}, {1, 2, 3, 4}, 1);
  CHECK(predictor->predict({{2.5}})[0].mean == Approx(2.5).margin(0.6));
  CHECK(message_of([] { make_predictor("auto(candidates=ridge+auto)"); }) ==
        "auto: it cannot be its own candidate: name others, joined by +");
  CHECK_THAT(message_of([] { make_predictor("auto(candidates=ridge+oracle)"); }),
             Catch::Contains("unknown predictor 'oracle'"));
  CHECK(message_of([] { make_predictor("auto(ordered=perhaps)"); }) ==
        "auto: ordered is 'perhaps': it is one of yes, no");
  CHECK(message_of([&] { make_predictor("auto")->predict({{1}}); }) ==
        "this predictor is not fitted: call fit() or load() first");
}
