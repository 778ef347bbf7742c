/// "auto": the predictor, or the average of some, that predicts best what it has not seen.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/predictors/drift.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

// Timings of a device have outliers that are all slow: medians of them are what is predicted best.
constexpr const char* kCandidates = "ridge+gp+boosted-trees";
constexpr const char* kOrderedCandidates = "ridge+gp+gp(noise=laplace)+boosted-trees";
constexpr double kWorthMixing = 0.998;  // of the best one's error: an average must gain that much
constexpr std::size_t kLevelRecords = 100;    // fewer say too little about the level
constexpr std::size_t kDecidingRecords = 50;  // predicted in a fold, to drop a candidate
constexpr double kFarBehind = 1.05;           // of the best error, to be dropped
constexpr std::size_t kFewestRecords = 12;    // fewer are not split: the first candidate is taken

/// The records of a fit: rows, what to learn (drift taken out), and what was measured.
struct Records {
  std::vector<Features> rows;
  std::vector<double> targets;
  std::vector<double> measured;
  std::vector<std::size_t> index;  ///< of the row in the table

  Records pick(const std::vector<std::size_t>& indices) const {
    return {core::pick(rows, indices), core::pick(targets, indices), core::pick(measured, indices),
            core::pick(index, indices)};
  }
};

/// One candidate with its share of the answer.
struct Part {
  std::string spec;
  double weight = 0;
  std::shared_ptr<Predictor> predictor;
};

/// All ways to share four quarters among `count` candidates.
std::vector<std::vector<double>> mixtures(std::size_t count) {
  std::vector<std::vector<double>> result;
  std::vector<int> quarters(count, 0);
  const auto share = [&](auto&& self, std::size_t at, int left) -> void {
    if (at + 1 == count) {
      quarters[at] = left;
      std::vector<double> weights;
      for (const int quarter : quarters) weights.push_back(quarter / 4.0);
      result.push_back(weights);
      return;
    }
    for (int taken = left; taken >= 0; --taken) {
      quarters[at] = taken;
      self(self, at + 1, left - taken);
    }
  };
  share(share, 0, 4);
  return result;
}

Prediction mix(const std::vector<std::vector<Prediction>>& answers,
               const std::vector<double>& weights, std::size_t row) {
  Prediction result;
  for (std::size_t c = 0; c < answers.size(); ++c) {
    if (weights[c] == 0) continue;
    result.mean += weights[c] * answers[c][row].mean;
    result.deviation += weights[c] * answers[c][row].deviation;
  }
  return result;
}

/// The factor c that minimises sum_i |c p_i - y_i| / y_i: the median of y / p, weighted by p / y.
double level_of(const std::vector<double>& predicted, const std::vector<double>& truth) {
  std::vector<std::pair<double, double>> ratios;
  double total = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!(predicted[i] > 0)) return 1;
    ratios.emplace_back(truth[i] / predicted[i], predicted[i] / truth[i]);
    total += ratios.back().second;
  }
  std::sort(ratios.begin(), ratios.end());
  double sum = 0;
  for (const auto& [ratio, weight] : ratios) {
    sum += weight;
    if (sum >= total / 2) return ratio;
  }
  return 1;
}

class Auto : public Predictor {
 public:
  explicit Auto(const core::Call& call) {
    call.expect_only({"candidates", "folds", "growth", "ordered"});
    ordered_ = call.flag("ordered", false);
    const std::string usual = ordered_ ? kOrderedCandidates : kCandidates;
    for (const auto& name : core::split(call.string("candidates", usual), '+')) {
      const std::string spec(core::trim(name));
      if (spec == "auto")
        throw core::UsageError("auto: it cannot be its own candidate", "name others, joined by +");
      make_predictor(spec);
      candidates_.push_back(spec);
    }
    folds_ = static_cast<std::size_t>(call.integer("folds", 5, 2, 100));
    call.number("growth", 1.25, 1, 100);  // of older job files, for appending: says nothing now
  }

  void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
           std::uint64_t seed) override {
    check_records(rows, targets);
    Auto fitted(*this);
    const Records records = fitted.prepare(rows, targets, seed);
    fitted.choose(records, seed);
    for (Part& part : fitted.parts_) {
      part.predictor = make_predictor(part.spec);
      part.predictor->fit(records.rows, records.targets, seed);
    }
    *this = std::move(fitted);
  }

  std::vector<Prediction> predict(const std::vector<Features>& rows) const override {
    check_rows(rows, width_);
    std::vector<std::vector<Prediction>> answers;
    std::vector<double> weights;
    for (const Part& part : parts_) {
      answers.push_back(part.predictor->predict(rows));
      weights.push_back(part.weight);
    }
    std::vector<Prediction> result(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      result[i] = mix(answers, weights, i);
      result[i].mean *= level_;
      result[i].deviation *= level_ * stretch_;
    }
    return result;
  }

  std::string describe() const override { return choice_ + notes_; }

  nlohmann::json save() const override {
    nlohmann::json parts = nlohmann::json::array();
    for (const Part& part : parts_)
      parts.push_back(
          {{"spec", part.spec}, {"weight", part.weight}, {"state", part.predictor->save()}});
    return {{"parts", parts},      {"width", width_},   {"level", level_},
            {"stretch", stretch_}, {"choice", choice_}, {"notes", notes_}};
  }

  void load(const nlohmann::json& state) override {
    Auto read(*this);
    read.parts_.clear();
    read_state("auto", [&] {
      counts_at(state, "width").get_to(read.width_);
      state.at("level").get_to(read.level_);
      state.at("stretch").get_to(read.stretch_);
      state.at("choice").get_to(read.choice_);
      state.at("notes").get_to(read.notes_);
      for (const auto& part : state.at("parts")) {
        Part loaded{part.at("spec").get<std::string>(), part.at("weight").get<double>(), nullptr};
        loaded.predictor = make_predictor(loaded.spec);
        loaded.predictor->load(part.at("state"));
        read.parts_.push_back(std::move(loaded));
      }
    });
    if (read.parts_.empty())
      throw core::Error("the state of this 'auto' predictor has no parts",
                        "fit it again and save it");
    *this = std::move(read);
  }

 private:
  /// Takes out drift where rows are in measuring order, and says what it found.
  Records prepare(const std::vector<Features>& rows, const std::vector<double>& targets,
                  std::uint64_t seed) {
    width_ = rows.front().size();
    notes_.clear();
    Records records{rows, targets, targets, std::vector<std::size_t>(rows.size())};
    std::iota(records.index.begin(), records.index.end(), std::size_t{0});
    steady_.assign(rows.size(), true);
    if (!ordered_) return records;
    const Drift drift = detect_slow_stretches(rows, targets, seed);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      records.targets[i] /= drift.speed[i];
      steady_[i] = !drift.in_stretch(i);
    }
    std::vector<std::size_t> used;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (!drift.left_out[i]) used.push_back(i);
    notes_ = predictors::describe(drift);
    if (used.size() < rows.size())
      notes_ += fmt::format("{} rows left out of the fit: unsteady stretches and outliers\n",
                            rows.size() - used.size());
    if (drift.wandering > 0)
      notes_ +=
          fmt::format("slow wandering of the device taken out: {:.0f}% of the residual variance\n",
                      100 * drift.wandering);
    return records.pick(used);
  }

  /// Candidates with their predictions for every record, made without the record's fold, in which
  /// are all records of equal features.
  struct Race {
    std::vector<std::string> specs;
    std::vector<std::vector<Prediction>> answers;
    std::string dropped;  ///< what fell behind in the first fold, for people
  };

  /// Mean error of some predictions, relative where all targets are positive.
  struct Measure {
    bool relative;
    double typical;
    explicit Measure(const std::vector<double>& targets)
        : relative(log_possible(targets, LogTarget::automatic)), typical(core::median(targets)) {}
    double operator()(double predicted, double target) const {
      return std::abs(predicted - target) / (relative ? target + typical : 1);
    }
  };

  Race cross_predict(const Records& records, const Measure& error, std::uint64_t seed) const {
    const std::size_t count = records.rows.size();
    const Folds folds(records.rows, std::min(folds_, count / 4), seed, "predictors.auto.folds");
    Race race{candidates_, {}, {}};
    race.answers.assign(candidates_.size(), std::vector<Prediction>(count));
    for (std::size_t fold = 0; fold < folds.count(); ++fold) {
      const auto [known, unseen] = folds.split(fold);
      const Records train = records.pick(known);
      const Records test = records.pick(unseen);
      for (std::size_t c = 0; c < race.specs.size(); ++c) {
        const auto predictor = make_predictor(race.specs[c]);
        predictor->fit(train.rows, train.targets, seed);
        const auto predicted = predictor->predict(test.rows);
        for (std::size_t k = 0; k < unseen.size(); ++k) race.answers[c][unseen[k]] = predicted[k];
      }
      if (fold == 0 && unseen.size() >= kDecidingRecords)
        drop_the_slow(race, records, unseen, error);
    }
    return race;
  }

  /// What lies far behind on enough records is not worth the other folds.
  static void drop_the_slow(Race& race, const Records& records,
                            const std::vector<std::size_t>& unseen, const Measure& error) {
    std::vector<double> errors(race.specs.size(), 0);
    for (std::size_t c = 0; c < errors.size(); ++c)
      for (const auto i : unseen) errors[c] += error(race.answers[c][i].mean, records.targets[i]);
    const double best = *std::min_element(errors.begin(), errors.end());
    for (std::size_t c = errors.size(); c-- > 0;) {
      if (errors[c] <= kFarBehind * best) continue;
      race.dropped += fmt::format(", {} {:.2f} in the first fold", race.specs[c], errors[c] / best);
      race.specs.erase(race.specs.begin() + static_cast<std::ptrdiff_t>(c));
      race.answers.erase(race.answers.begin() + static_cast<std::ptrdiff_t>(c));
    }
  }

  void choose(const Records& records, std::uint64_t seed) {
    parts_.clear();
    level_ = stretch_ = 1;
    if (records.rows.size() < kFewestRecords) {
      parts_.push_back({candidates_.front(), 1, nullptr});
      choice_ = "chose " + candidates_.front() + ": too few records to compare\n";
      return;
    }
    const Measure error(records.targets);
    const Race race = cross_predict(records, error, seed);
    const auto mean_error = [&](const std::vector<double>& weights) {
      double sum = 0;
      for (std::size_t i = 0; i < records.targets.size(); ++i)
        sum += error(mix(race.answers, weights, i).mean, records.targets[i]);
      return sum / static_cast<double>(records.targets.size());
    };
    std::vector<double> alone;
    for (std::size_t c = 0; c < race.specs.size(); ++c) {
      std::vector<double> weights(race.specs.size(), 0);
      weights[c] = 1;
      alone.push_back(mean_error(weights));
    }
    const auto winner = std::min_element(alone.begin(), alone.end());
    double best = kWorthMixing * *winner;
    std::vector<double> best_weights(race.specs.size(), 0);
    best_weights[static_cast<std::size_t>(winner - alone.begin())] = 1;
    for (const auto& weights : mixtures(race.specs.size())) {
      const double attempt = mean_error(weights);
      if (attempt >= best) continue;
      best = attempt;
      best_weights = weights;
    }
    for (std::size_t c = 0; c < race.specs.size(); ++c)
      if (best_weights[c] > 0) parts_.push_back({race.specs[c], best_weights[c], nullptr});
    say_choice(race, alone);
    calibrate(records, race.answers, best_weights, error.relative);
  }

  void say_choice(const Race& race, const std::vector<double>& alone) {
    choice_ = "chose ";
    for (std::size_t k = 0; k < parts_.size(); ++k)
      choice_ += (k > 0 ? " + " : "") +
                 (parts_.size() > 1 ? core::format_double(parts_[k].weight) + " " : "") +
                 parts_[k].spec;
    const double best = *std::min_element(alone.begin(), alone.end());
    choice_ += " by cross-validation (errors:";
    for (std::size_t c = 0; c < alone.size(); ++c)
      choice_ += fmt::format("{} {} {:.2f}", c > 0 ? "," : "", race.specs[c],
                             best > 0 ? alone[c] / best : 1);
    choice_ += race.dropped + ")\n";
  }

  /// Level and deviations by what was measured, wandering included: a new network will be measured
  /// by the same device. Rows in slow stretches do not speak.
  void calibrate(const Records& records, const std::vector<std::vector<Prediction>>& answers,
                 const std::vector<double>& weights, bool relative) {
    std::vector<double> predicted;
    std::vector<double> deviations;
    std::vector<double> truth;
    for (std::size_t i = 0; i < records.rows.size(); ++i) {
      if (!steady_[records.index[i]]) continue;
      const Prediction prediction = mix(answers, weights, i);
      predicted.push_back(prediction.mean);
      deviations.push_back(prediction.deviation);
      truth.push_back(records.measured[i]);
    }
    if (relative && truth.size() >= kLevelRecords) level_ = level_of(predicted, truth);
    std::vector<double> errors;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      errors.push_back(level_ * predicted[i] - truth[i]);
      deviations[i] *= level_;
    }
    const double stretch = calibration(errors, deviations);
    if (stretch > 0) stretch_ = stretch;
  }

  std::vector<std::string> candidates_;
  std::size_t folds_ = 5;
  bool ordered_ = false;
  std::vector<Part> parts_;
  std::size_t width_ = 0;
  double level_ = 1;    ///< from what was learned to the median of what is measured
  double stretch_ = 1;  ///< calibrates the deviations
  std::string choice_;
  std::string notes_;
  std::vector<bool> steady_;  ///< while fitting: rows outside slow stretches
};

const core::Registered kEntry{
    predictors(), "auto",
    "the best of some predictors, or an average of them, by cross-validation "
    "(candidates=ridge+gp+boosted-trees, folds=5, ordered=no; ordered=yes: rows are "
    "in measuring order, drift of the device is found and taken out, and gp(noise=laplace) is a "
    "candidate too)",
    make_of<Auto>};

}  // namespace

}  // namespace mosaic::predictors
