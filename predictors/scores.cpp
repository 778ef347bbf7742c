/// How well predictions agree with the truth.
#include <algorithm>
#include <cmath>

#include "mosaic/core/process.hpp"
#include "mosaic/core/ranking.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr double kNinety =
    1.645;  // half of the width of a central 90% interval of a normal, in deviations

}  // namespace

Scores score(std::span<const Prediction> predicted, std::span<const double> truth) {
  if (predicted.size() != truth.size() || truth.empty())
    throw core::Error("cannot compare " + std::to_string(predicted.size()) + " predictions with " +
                          std::to_string(truth.size()) + " true values",
                      "give one prediction for each true value, and at least one");
  Scores scores;
  scores.records = truth.size();
  std::vector<double> means;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double error = std::abs(predicted[i].mean - truth[i]);
    means.push_back(predicted[i].mean);
    scores.rmse += error * error;
    scores.coverage += error <= kNinety * predicted[i].deviation ? 1 : 0;
    if (truth[i] == 0) continue;
    scores.mape += 100 * error / std::abs(truth[i]);
    ++scores.mape_records;
  }
  const double count = static_cast<double>(truth.size());
  scores.rmse = std::sqrt(scores.rmse / count);
  scores.coverage /= count;
  if (scores.mape_records > 0) scores.mape /= static_cast<double>(scores.mape_records);
  const double d = core::somers_d(truth, means);
  scores.kendall = std::isnan(d) ? 0 : d;
  scores.spearman = core::rank_correlation(means, truth);
  return scores;
}

Scores cross_validate(const std::string& spec, const std::vector<Features>& rows,
                      const std::vector<double>& targets, std::size_t folds, std::uint64_t seed) {
  check_records(rows, targets);
  const std::size_t smallest_training =
      rows.size() - (rows.size() + folds - 1) / std::max<std::size_t>(folds, 1);
  if (folds < 2 || folds > rows.size() || smallest_training < 4)
    throw core::Error(
        "cannot split " + std::to_string(rows.size()) + " records into " + std::to_string(folds) +
            " folds",
        "use from 2 folds to one for each record, so that at least 4 are left to learn from");

  std::vector<Prediction> predicted(rows.size());
  const Folds dealt(rows, folds, seed, "predictors.folds");
  for (std::size_t fold = 0; fold < dealt.count(); ++fold) {
    core::check_interrupt();
    const auto [train, test] = dealt.split(fold);
    const auto predictor = make_predictor(spec);
    predictor->fit(core::pick(rows, train), core::pick(targets, train), seed);
    const auto answers = predictor->predict(core::pick(rows, test));
    for (std::size_t k = 0; k < test.size(); ++k) predicted[test[k]] = answers[k];
  }
  return score(predicted, targets);
}

}  // namespace mosaic::predictors
