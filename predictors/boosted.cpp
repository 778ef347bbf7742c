/// "boosted-trees": an ensemble of gradient-boosted regression trees (XGBoost: Chen & Guestrin
/// 2016).
#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mosaic/core/process.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr int kCheckEvery = 10;  // rounds
constexpr int kPatience = 60;    // rounds without a gain on the records held out
constexpr std::size_t kSmallRecords = 40;

void check(int status) {
  if (status != 0)
    throw core::Error(std::string("XGBoost failed: ") + XGBGetLastError(),
                      "check the features for enormous values; fit the predictor again");
}

class Matrix {
 public:
  Matrix(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
    check(XGDMatrixCreateFromMat(values.data(), rows, columns,
                                 std::numeric_limits<float>::quiet_NaN(), &handle_));
  }
  ~Matrix() { XGDMatrixFree(handle_); }
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;
  void set_labels(const std::vector<float>& labels) {
    check(XGDMatrixSetFloatInfo(handle_, "label", labels.data(), labels.size()));
  }
  DMatrixHandle handle() const { return handle_; }

 private:
  DMatrixHandle handle_ = nullptr;
};

/// One sequence of trees.
class Booster {
 public:
  explicit Booster(const Matrix* train) {
    const DMatrixHandle known = train ? train->handle() : nullptr;
    check(XGBoosterCreate(&known, train ? 1 : 0, &handle_));
    set("nthread", "1");
    set("verbosity", "0");
  }
  ~Booster() { XGBoosterFree(handle_); }
  Booster(const Booster&) = delete;
  Booster& operator=(const Booster&) = delete;

  void set(const char* key, const std::string& value) {
    check(XGBoosterSetParam(handle_, key, value.c_str()));
  }
  void add_tree(int round, const Matrix& train) {
    check(XGBoosterUpdateOneIter(handle_, round, train.handle()));
  }
  /// By the first `rounds` trees.
  std::vector<double> predict(const Matrix& rows, int rounds) const {
    const nlohmann::json config = {{"type", 0},
                                   {"training", false},
                                   {"iteration_begin", 0},
                                   {"iteration_end", rounds},
                                   {"strict_shape", false}};
    const bst_ulong* shape = nullptr;
    bst_ulong dimensions = 0;
    const float* result = nullptr;
    check(XGBoosterPredictFromDMatrix(handle_, rows.handle(), config.dump().c_str(), &shape,
                                      &dimensions, &result));
    return {result, result + shape[0]};
  }
  /// XGBoost's own JSON, which keeps every bit of a number.
  std::string save(int rounds) const {
    BoosterHandle part = nullptr;
    check(XGBoosterSlice(handle_, 0, rounds, 1, &part));
    bst_ulong size = 0;
    const char* data = nullptr;
    const int status = XGBoosterSaveModelToBuffer(part, R"({"format": "json"})", &size, &data);
    const std::string text = status == 0 ? std::string(data, size) : std::string();
    XGBoosterFree(part);
    check(status);
    return text;
  }
  void load(const std::string& text) {
    check(XGBoosterLoadModelFromBuffer(handle_, text.data(), text.size()));
    set("nthread", "1");
  }

 private:
  BoosterHandle handle_ = nullptr;
};

struct Member {
  std::shared_ptr<const Booster> booster;
  int rounds = 0;  ///< trees in use
};

class BoostedTrees : public Predictor {
 public:
  explicit BoostedTrees(const core::Call& call) : target_(log_argument(call)) {
    call.expect_only({"depth", "log", "members", "rate", "rounds"});
    depth_ = static_cast<int>(call.integer("depth", depth_, 1, 16));
    members_wanted_ = static_cast<std::size_t>(
        call.integer("members", static_cast<long long>(members_wanted_), 2, 50));
    rate_ = call.number("rate", rate_, 1e-4, 1);
    rounds_ = static_cast<int>(call.integer("rounds", rounds_, 1, 100'000));
  }

  void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
           std::uint64_t seed) override {
    check_records(rows, targets);
    BoostedTrees fitted(*this);
    fitted.members_.clear();
    fitted.features_.fit(rows);
    const auto scaled = fitted.target_.fit(targets);
    const Folds folds(rows, members_wanted_, seed, "predictors.boosted.folds");
    std::vector<std::size_t> unseen;  // in the order of their folds, with what was predicted
    std::vector<double> held_out;
    for (std::size_t fold = 0; fold < folds.count() && fitted.learns(); ++fold) {
      const auto split = folds.split(fold);
      std::vector<double> predicted;
      fitted.members_.push_back(
          fitted.grow(rows, scaled, split.known, split.unseen, seed + fold, predicted));
      unseen.insert(unseen.end(), split.unseen.begin(), split.unseen.end());
      held_out.insert(held_out.end(), predicted.begin(), predicted.end());
    }
    if (!fitted.members_.empty()) fitted.calibrate(rows, scaled, unseen, held_out);
    *this = std::move(fitted);
  }

  std::vector<Prediction> predict(const std::vector<Features>& rows) const override {
    check_rows(rows, features_.inputs());
    const auto answers = ask(rows);
    std::vector<Prediction> result;
    result.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto [mean, variance] = moments(answers, i);
      result.push_back(target_(mean, variance));
    }
    return result;
  }

  nlohmann::json save() const override {
    nlohmann::json members = nlohmann::json::array();
    for (const auto& member : members_) members.push_back(member.booster->save(member.rounds));
    nlohmann::json state = {{"features", features_.save()}, {"members", members}};
    target_.save(state);
    return state;
  }

  void load(const nlohmann::json& state) override {
    BoostedTrees read(*this);
    read.members_.clear();
    read_state("boosted-trees", [&] {
      read.features_.load(state.at("features"));
      read.target_.load(state);
      for (const auto& text : state.at("members")) {
        auto booster = std::make_shared<Booster>(nullptr);
        booster->load(text.get<std::string>());
        read.members_.push_back({std::move(booster), 0});
      }
    });
    if (read.members_.empty() && read.learns())
      throw core::Error("the state of this 'boosted-trees' predictor contradicts itself",
                        "fit it again and save it");
    *this = std::move(read);
  }

 private:
  bool learns() const { return features_.outputs() > 0 && target_.varies(); }

  template <class RowAt>
  Matrix matrix(std::size_t count, RowAt row_at) const {
    std::vector<float> values;
    values.reserve(count * features_.outputs());
    for (std::size_t i = 0; i < count; ++i)
      for (const double value : features_(row_at(i))) values.push_back(static_cast<float>(value));
    return Matrix(values, count, features_.outputs());
  }

  /// Trees are added until the records held out are predicted no better; `held_out` receives their
  /// predictions at the best round.
  Member grow(const std::vector<Features>& rows, const std::vector<double>& targets,
              const std::vector<std::size_t>& known, const std::vector<std::size_t>& unseen,
              std::uint64_t seed, std::vector<double>& held_out) const {
    Matrix train = matrix(known.size(), [&](std::size_t i) { return rows[known[i]]; });
    train.set_labels(core::mapped(known, [&](auto i) { return static_cast<float>(targets[i]); }));
    const Matrix test = matrix(unseen.size(), [&](std::size_t i) { return rows[unseen[i]]; });

    auto booster = std::make_shared<Booster>(&train);
    const bool few = known.size() < kSmallRecords;
    booster->set("objective", "reg:squarederror");
    booster->set("base_score", "0");
    booster->set("tree_method", "exact");
    booster->set("max_depth", std::to_string(depth_));
    booster->set("eta", core::format_double(rate_));
    booster->set("subsample", few ? "1" : "0.8");
    booster->set("colsample_bytree", "0.8");
    booster->set("min_child_weight", few ? "1" : "3");
    booster->set("seed", std::to_string(seed % 2'000'000'000));

    Member member;
    double best = std::numeric_limits<double>::infinity();
    for (int round = 1; round <= rounds_ && round <= member.rounds + kPatience + kCheckEvery;
         ++round) {
      core::check_interrupt();
      booster->add_tree(round - 1, train);
      if (round % kCheckEvery != 0 && round != rounds_) continue;
      const auto predicted = booster->predict(test, round);
      double error = 0;
      for (std::size_t k = 0; k < unseen.size(); ++k)
        error += std::pow(predicted[k] - targets[unseen[k]], 2);
      if (!(error < best)) continue;
      best = error;
      member.rounds = round;
      held_out = predicted;
    }
    member.booster = std::move(booster);
    return member;
  }

  /// Predictions of each member for each row, standardised.
  std::vector<std::vector<double>> ask(const std::vector<Features>& rows) const {
    std::vector<std::vector<double>> answers;
    if (members_.empty() || rows.empty()) return answers;
    const Matrix test =
        matrix(rows.size(), [&](std::size_t i) -> const Features& { return rows[i]; });
    for (const auto& member : members_)
      answers.push_back(member.booster->predict(test, member.rounds));
    return answers;
  }

  static std::pair<double, double> moments(const std::vector<std::vector<double>>& answers,
                                           std::size_t row) {
    if (answers.empty()) return {0, 0};
    const double count = static_cast<double>(answers.size());
    double mean = 0;
    double variance = 0;
    for (const auto& answer : answers) mean += answer[row] / count;
    for (const auto& answer : answers) variance += std::pow(answer[row] - mean, 2) / count;
    return {mean, variance};
  }

  /// On the records that each member held out, as the MLP ensemble does.
  void calibrate(const std::vector<Features>& rows, const std::vector<double>& scaled,
                 const std::vector<std::size_t>& unseen, const std::vector<double>& means) {
    const auto answers = ask(rows);
    std::vector<double> errors;
    std::vector<double> variances;
    for (std::size_t k = 0; k < unseen.size(); ++k) {
      errors.push_back(means[k] - scaled[unseen[k]]);
      variances.push_back(moments(answers, unseen[k]).second);
    }
    target_.calibrate(means, variances, errors);
  }

  TargetScale target_;
  int depth_ = 4;
  std::size_t members_wanted_ = 5;
  double rate_ = 0.05;
  int rounds_ = 1000;
  Standardiser features_;
  std::vector<Member> members_;
};

const core::Registered kEntry{predictors(), "boosted-trees",
                              "ensemble of gradient-boosted trees with early stopping "
                              "(depth=4, rate=0.05, rounds=1000, members=5, log=auto)",
                              make_of<BoostedTrees>};

}  // namespace

}  // namespace mosaic::predictors
