/// "ridge": linear or quadratic regression that chooses its own penalty, degree and target scale.
#include <algorithm>
#include <limits>
#include <optional>

#include "mosaic/core/ranking.hpp"
#include "records.hpp"
#include "ridge_fit.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kMostTerms =
    400;  // beyond this many, degree=auto does not try squares and products
constexpr double kProductScale =
    0.1;  // products are held back a hundred times harder than plain features

/// Appends all squares and products of two columns.
Features with_products(const Features& row) {
  Features result = row;
  for (std::size_t i = 0; i < row.size(); ++i)
    for (std::size_t j = i; j < row.size(); ++j) result.push_back(row[i] * row[j]);
  return result;
}

/// Standardised features -> the columns of the linear model.
struct Terms {
  Standardiser features;
  int degree = 1;
  Standardiser products;

  Terms() = default;
  Terms(const std::vector<Features>& rows, int of_degree) : degree(of_degree) {
    features.fit(rows);
    products.fit(core::mapped(rows, [&](const auto& row) { return raw(row); }));
  }

  std::vector<Features> operator()(const std::vector<Features>& rows) const {
    std::vector<Features> result;
    result.reserve(rows.size());
    for (const auto& row : rows) {
      result.push_back(products(raw(row)));
      for (std::size_t column = own_terms(); column < result.back().size(); ++column)
        result.back()[column] *= kProductScale;
    }
    return result;
  }

 private:
  /// Standardised features never vanish when standardised again, so they come first, all of them.
  std::size_t own_terms() const { return features.outputs(); }
  Features raw(const Features& row) const {
    return degree == 2 ? with_products(features(row)) : features(row);
  }
};

/// One way of fitting, with how well it predicts records left out.
struct Model {
  Terms terms;
  bool log = false;
  RidgeFit fit;
  double stretch =
      0;  ///< from sqrt(1 + leverage) (times the prediction under log) to calibrated deviations
  double error = std::numeric_limits<double>::infinity();  ///< leave-one-out, relative where all
                                                           ///< targets are positive

  Prediction predict(const RidgeAnswer& answer) const {
    const double mean = log ? std::exp(answer.value) : answer.value;
    return {mean, stretch * std::sqrt(1 + answer.leverage) * (log ? mean : 1)};
  }
};

Model make_model(const std::vector<Features>& rows, const std::vector<double>& targets, int degree,
                 bool log, std::optional<double> lambda) {
  Model model;
  model.terms = Terms(rows, degree);
  model.log = log;
  std::vector<double> scaled = targets;
  if (log)
    for (double& value : scaled) value = std::log(value);
  model.fit = fit_ridge(model.terms(rows), scaled, lambda);

  const bool relative = *std::min_element(targets.begin(), targets.end()) > 0;
  const double typical = core::median(targets);
  std::vector<double> errors;
  std::vector<double> spreads;
  double sum = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double left_out = scaled[i] - model.fit.leave_one_out[i];
    const double predicted = log ? std::exp(left_out) : left_out;
    errors.push_back(predicted - targets[i]);
    sum += std::abs(errors.back()) / (relative ? targets[i] + typical : 1);
    // 1 + the leverage of a record that was left out is 1 / (1 - h) of the fit that had it.
    const double spread = 1 / std::sqrt(std::max(1e-12, 1 - model.fit.leverage[i]));
    spreads.push_back(log ? spread * predicted : spread);
  }
  model.error = sum / static_cast<double>(targets.size());
  model.stretch = calibration(errors, spreads);
  return model;
}

class Ridge : public Predictor {
 public:
  explicit Ridge(const core::Call& call) : log_(log_argument(call)) {
    call.expect_only({"degree", "lambda", "log"});
    if (call.string("lambda", "auto") != "auto") lambda_ = call.number("lambda", 0, 1e-10, 1e10);
    if (call.string("degree", "auto") != "auto")
      degree_ = static_cast<int>(call.integer("degree", 0, 1, 2));
  }

  void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
           std::uint64_t) override {
    check_records(rows, targets);
    const bool can_log = log_possible(targets, log_);
    Model best;
    for (const int degree : degrees(rows)) {
      for (const bool log : {false, true}) {
        if (log ? !can_log : can_log && log_ == LogTarget::yes) continue;
        Model model = make_model(rows, targets, degree, log, lambda_);
        if (best.fit.records == 0 || model.error < best.error) best = std::move(model);
      }
    }
    model_ = std::move(best);
  }

  std::vector<Prediction> predict(const std::vector<Features>& rows) const override {
    check_rows(rows, model_.terms.features.inputs());
    std::vector<Prediction> result;
    for (const RidgeAnswer& answer : ask_ridge(model_.fit, model_.terms(rows)))
      result.push_back(model_.predict(answer));
    return result;
  }

  nlohmann::json save() const override {
    const RidgeFit& fit = model_.fit;
    return {{"features", model_.terms.features.save()},
            {"degree", model_.terms.degree},
            {"products", model_.terms.products.save()},
            {"log", model_.log},
            {"records", fit.records},
            {"lambda", fit.lambda},
            {"intercept", fit.intercept},
            {"weights", fit.weights},
            {"rank", fit.eigenvalues.size()},
            {"eigenvalues", pack(fit.eigenvalues)},
            {"directions", pack(fit.directions)},
            {"stretch", model_.stretch}};
  }

  void load(const nlohmann::json& state) override {
    Model model;
    read_state("ridge", [&] {
      model.terms.features.load(state.at("features"));
      counts_at(state, "degree").get_to(model.terms.degree);
      model.terms.products.load(state.at("products"));
      state.at("log").get_to(model.log);
      counts_at(state, "records").get_to(model.fit.records);
      state.at("lambda").get_to(model.fit.lambda);
      state.at("intercept").get_to(model.fit.intercept);
      state.at("weights").get_to(model.fit.weights);
      const auto rank = counts_at(state, "rank").get<std::size_t>();
      model.fit.eigenvalues = unpack_doubles(state.at("eigenvalues").get<std::string>(), rank);
      model.fit.directions = unpack_doubles(state.at("directions").get<std::string>(),
                                            rank * model.fit.weights.size());
      state.at("stretch").get_to(model.stretch);
    });
    const std::size_t terms = model.terms.features.outputs();
    const std::size_t expected = model.terms.degree == 2 ? terms + terms * (terms + 1) / 2 : terms;
    if (model.terms.products.inputs() != expected ||
        model.terms.products.outputs() != model.fit.weights.size() || !(model.fit.lambda > 0) ||
        model.fit.records == 0)
      throw core::Error("the state of this 'ridge' predictor contradicts itself",
                        "fit it again and save it");
    model_ = std::move(model);
  }

 private:
  /// Quadratic terms are tried where there are not too many of them to weigh.
  std::vector<int> degrees(const std::vector<Features>& rows) const {
    if (degree_) return {*degree_};
    Standardiser standardiser;
    standardiser.fit(rows);
    const std::size_t terms = standardiser.outputs();
    if (terms + terms * (terms + 1) / 2 > kMostTerms) return {1};
    return {1, 2};
  }

  LogTarget log_;
  std::optional<double> lambda_;
  std::optional<int> degree_;
  Model model_;
};

const core::Registered kEntry{
    predictors(), "ridge",
    "linear or quadratic regression; penalty, degree and target scale by leave-one-out "
    "(lambda=auto, degree=auto, log=auto)",
    make_of<Ridge>};

}  // namespace

}  // namespace mosaic::predictors
