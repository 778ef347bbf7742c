#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

std::vector<Prediction> fit_and_predict(const std::string& spec, std::uint64_t seed) {
  const Records records = latency_like_records(60, 0.02, 1);
  const auto predictor = make_predictor(spec);
  predictor->fit(records.rows, records.targets, seed);
  return predictor->predict(latency_like_records(20, 0, 2).rows);
}

}  // namespace

TEST_CASE("mlp learns a law that is not linear and says how sure it is") {
  const Records records = latency_like_records(700, 0.02, 3);
  const Scores scores = held_out_scores("mlp", records, 200, 500);
  INFO("MAPE " << scores.mape << "%, coverage " << scores.coverage);
  CHECK(scores.mape < 2.5);
  CHECK(scores.mape < held_out_scores("ridge(degree=1, log=no)", records, 200, 500).mape);
  CHECK(scores.kendall > 0.9);
  CHECK(scores.coverage == Approx(0.9).margin(0.06));
}

TEST_CASE("mlp is deterministic in its seed, whatever torch's global generator does") {
  const auto first = fit_and_predict("mlp(steps=60)", 1);
  const auto generator = at::detail::getDefaultCPUGenerator();
  const auto state = generator.get_state();
  at::manual_seed(123);
  at::rand({7});
  const auto before = at::detail::getDefaultCPUGenerator().get_state().clone();
  CHECK(same_bits(fit_and_predict("mlp(steps=60)", 1), first));
  CHECK(at::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
  CHECK_FALSE(same_bits(fit_and_predict("mlp(steps=60)", 2), first));
}

TEST_CASE("mlp leaves the number of torch's threads as it was") {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const auto two = fit_and_predict("mlp(steps=40)", 1);
  CHECK(at::get_num_threads() == 2);
  at::set_num_threads(1);
  CHECK(same_bits(fit_and_predict("mlp(steps=40)", 1), two));
  at::set_num_threads(before);
}

TEST_CASE("a saved mlp predicts the same bits when it is loaded") {
  const Records records = latency_like_records(60, 0.02, 1);
  const Records unseen = latency_like_records(5000, 0, 2);
  for (const std::string spec : {"mlp(steps=40)", "mlp(steps=40, members=2, layers=1, log=no)"}) {
    const TemporaryFile file("mlp.json");
    const auto predictor = make_predictor(spec);
    predictor->fit(records.rows, records.targets, 1);
    save_predictor(*predictor, spec, {"a", "b", "c"}, file.path());
    const auto loaded = load_predictor(file.path());
    CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
    CHECK(loaded->save() == predictor->save());
  }
}

TEST_CASE("each number of members and of records can be fitted") {
  for (const std::size_t count : {4u, 5u, 7u, 12u}) {
    for (const std::string members : {"1", "5", "7"}) {
      const Records records = linear_records(count, 3, 0.1, 1);
      const auto predictor = make_predictor("mlp(steps=21, members=" + members + ")");
      predictor->fit(records.rows, records.targets, 1);
      for (const auto& prediction : predictor->predict(records.rows)) {
        CHECK(std::isfinite(prediction.mean));
        CHECK(prediction.deviation > 0);
      }
    }
  }
}

TEST_CASE("mlp predicts the mean where there is nothing to learn from") {
  const auto predictor = make_predictor("mlp(steps=20)");
  const Records records = linear_records(10, 2, 0.1, 1);
  predictor->fit(records.rows, std::vector<double>(10, 3), 1);
  CHECK(predictor->predict({{0.1, 0.2}})[0].mean == Approx(3));
  CHECK(predictor->predict({{0.1, 0.2}})[0].deviation == 0);
  predictor->fit(std::vector<Features>(4, {1, 2}), {1, 2, 3, 4}, 1);
  CHECK(predictor->predict({{1, 2}})[0].mean == Approx(std::pow(24, 0.25)));
}

TEST_CASE("mlp refuses what ridge refuses, in the same words") {
  CHECK(message_of([] { make_predictor("mlp(depth=3)"); }) ==
        "mlp has no argument 'depth': known: decay, hidden, layers, log, members, rate, steps");
  CHECK_THAT(message_of([] { make_predictor("mlp(hidden=0)"); }),
             Catch::StartsWith("mlp: argument hidden = '0' is not"));
  const auto predictor = make_predictor("mlp");
  CHECK(message_of([&] { predictor->predict({{1}}); }) ==
        "this predictor is not fitted: call fit() or load() first");
  CHECK(message_of([&] {
          predictor->fit({{1}, {2}, {3}}, {1, 2, 3}, 1);
        }) ==
        "a predictor cannot be fitted to 3 records: it needs at least 4: measure more networks");
}

TEST_CASE("the state of an mlp is refused where it is damaged, and the predictor stays as it was") {
  const Records records = linear_records(10, 2, 0.1, 1);
  const auto predictor = make_predictor("mlp(steps=20)");
  predictor->fit(records.rows, records.targets, 1);
  const auto expected = predictor->predict(records.rows);
  const auto state = predictor->save();
  const auto message = [&](auto change) {
    auto changed = state;
    change(changed);
    return message_of([&] { predictor->load(changed); });
  };
  CHECK(message([](auto& s) {
          s["widths"] = {2, 3, 1};
        }) == "the state of this 'mlp' predictor contradicts itself: fit it again and save it");
  CHECK(
      message([](auto& s) { s["widths"][1] = 63; }) ==
      "a block of 630 numbers holds 640 instead: the file is damaged: fit the predictor again and "
      "save it");
  CHECK_THAT(message([](auto& s) { s.erase("stretch"); }),
             Catch::StartsWith("the state of this 'mlp' predictor is incomplete ("));
  CHECK(same_bits(predictor->predict(records.rows), expected));
}

TEST_CASE("mlp predicts measured transformer latencies from 300 of them", "[slow]") {
  const std::vector<std::pair<std::string, double>> sets = {{"iwslt14deen_gpu_titanxp", 11},
                                                            {"wmt14ende_gpu_titanxp", 9},
                                                            {"wmt14ende_cpu_xeon", 7},
                                                            {"wmt14ende_cpu_raspberrypi", 5}};
  for (const auto& [name, most] : sets) {
    const auto path = data_file("hat-latency/" + name + ".csv.gz");
    const Scores scores = held_out_scores("mlp", hat_records(path).shuffled(1), 300, 1700);
    INFO(name << ": MAPE " << scores.mape << "%, tau " << scores.kendall << ", coverage "
              << scores.coverage);
    CHECK(scores.mape < most);
    CHECK(scores.kendall > 0.77);
    CHECK(scores.coverage == Approx(0.9).margin(0.06));
  }
}
