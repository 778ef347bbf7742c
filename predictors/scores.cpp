/// How well predictions agree with the truth.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "mosaic/core/process.hpp"
#include "mosaic/core/ranking.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr double kNinety =
    1.645;  // half of the width of a central 90% interval of a normal, in deviations

void check_pairs(std::size_t a, std::size_t b) {
  if (a != b || a == 0)
    throw core::Error("cannot compare " + std::to_string(a) + " predictions with " +
                          std::to_string(b) + " true values",
                      "give one prediction for each true value, and at least one");
}

/// Counts of the values seen so far, by rank (Fenwick 1994).
class Counts {
 public:
  explicit Counts(std::size_t ranks) : tree_(ranks + 1, 0) {}
  void add(std::size_t rank) {
    for (std::size_t i = rank + 1; i < tree_.size(); i += i & (~i + 1)) ++tree_[i];
  }
  /// How many of those seen have a rank below `rank`.
  std::int64_t below(std::size_t rank) const {
    std::int64_t sum = 0;
    for (std::size_t i = rank; i > 0; i -= i & (~i + 1)) sum += tree_[i];
    return sum;
  }

 private:
  std::vector<std::int64_t> tree_;
};

std::vector<std::size_t> sorted_order(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  return order;
}

/// Calls visit(begin, end) for each run of equal values in `order`.
template <class F>
void for_each_tie(std::span<const double> values, const std::vector<std::size_t>& order, F visit) {
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    visit(begin, end);
    begin = end;
  }
}

}  // namespace

double kendall_tau(std::span<const double> predicted, std::span<const double> truth) {
  check_pairs(predicted.size(), truth.size());
  std::vector<std::size_t> rank(predicted.size());
  const auto by_prediction = sorted_order(predicted);
  for_each_tie(predicted, by_prediction, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) rank[by_prediction[i]] = begin;
  });

  Counts counts(predicted.size());
  std::int64_t balance = 0;
  std::int64_t pairs = 0;
  std::int64_t seen = 0;
  const auto by_truth = sorted_order(truth);
  for_each_tie(truth, by_truth, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t own = rank[by_truth[i]];
      balance += counts.below(own) - (seen - counts.below(own + 1));
      pairs += seen;
    }
    for (std::size_t i = begin; i < end; ++i) counts.add(rank[by_truth[i]]);
    seen += static_cast<std::int64_t>(end - begin);
  });
  return pairs == 0 ? 0 : static_cast<double>(balance) / static_cast<double>(pairs);
}

double spearman_rho(std::span<const double> a, std::span<const double> b) {
  check_pairs(a.size(), b.size());
  return core::rank_correlation(a, b);
}

Scores score(std::span<const Prediction> predicted, std::span<const double> truth) {
  check_pairs(predicted.size(), truth.size());
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
  scores.kendall = kendall_tau(means, truth);
  scores.spearman = spearman_rho(means, truth);
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
    std::vector<Features> known;
    std::vector<Features> unseen;
    std::vector<double> known_targets;
    for (const auto i : train) {
      known.push_back(rows[i]);
      known_targets.push_back(targets[i]);
    }
    for (const auto i : test) unseen.push_back(rows[i]);
    const auto predictor = make_predictor(spec);
    predictor->fit(known, known_targets, seed);
    const auto answers = predictor->predict(unseen);
    for (std::size_t k = 0; k < test.size(); ++k) predicted[test[k]] = answers[k];
  }
  return score(predicted, targets);
}

}  // namespace mosaic::predictors
