// Runs over every registered predictor: exact targets of real architectures must be learned.
#include <catch2/catch.hpp>
#include <filesystem>
#include <limits>

#include "mosaic/core/error.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "samples.hpp"

using namespace mosaic;
using namespace mosaic::predictors;

TEST_CASE(
    "every predictor ranks networks by a metric it did not see, saves, loads and repeats itself") {
  const auto space = conformance::small_space("resnet-elastic");
  const FeatureExtractor features(space);
  core::Stream stream(4, "predictor conformance");
  std::vector<Features> rows;
  std::vector<double> targets;
  for (int i = 0; i < 140; ++i) {
    const auto genotype = space.random(stream);
    rows.push_back(features(genotype));
    // Not among the features as it stands: a product of two of them.
    const auto graph = space.bind(genotype);
    targets.push_back(std::sqrt(spaces::count_flops(graph) * spaces::count_parameters(graph)) /
                      1e5);
  }
  const std::vector<Features> train(rows.begin(), rows.begin() + 100);
  const std::vector<Features> test(rows.begin() + 100, rows.end());
  const std::vector<double> known(targets.begin(), targets.begin() + 100);
  const std::vector<double> truth(targets.begin() + 100, targets.end());
  const auto path = (std::filesystem::temp_directory_path() / "mosaic_predictor.json").string();
  for (const auto& name : predictors::predictors().names()) {
    INFO(name);
    const auto predictor = make_predictor(name);
    REQUIRE_THROWS_AS(predictor->predict(test), core::Error);
    predictor->fit(train, known, 1);
    const auto predicted = predictor->predict(test);
    REQUIRE(score(predicted, truth).kendall > 0.85);
    for (const auto& prediction : predicted) REQUIRE(prediction.deviation > 0);

    save_predictor(*predictor, name, features.names(), path);
    const auto loaded = load_predictor(path)->predict(test);
    const auto again = make_predictor(name);
    again->fit(train, known, 1);
    const auto repeated = again->predict(test);
    for (std::size_t i = 0; i < test.size(); ++i) {
      REQUIRE(loaded[i].mean == predicted[i].mean);
      REQUIRE(loaded[i].deviation == predicted[i].deviation);
      REQUIRE(repeated[i].mean == predicted[i].mean);
    }
    auto bad = known;
    bad[3] = std::numeric_limits<double>::quiet_NaN();
    REQUIRE_THROWS_AS(make_predictor(name)->fit(train, bad, 1), core::Error);
  }
}
