/// Learned predictors of a metric from an architecture, with honest scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::predictors {

using Features = std::vector<double>;

struct Prediction {
  double mean = 0;
  double deviation =
      0;  ///< standard deviation of the prediction error, calibrated on held-out records
};

/// Features of architectures of one space (which must outlive this object), derived from its Graph:
/// the per-layer encoding, parameters, FLOPs, activation bytes, and per op the number of nodes,
/// FLOPs and output bytes.
class FeatureExtractor {
 public:
  explicit FeatureExtractor(const spaces::Space& space);
  explicit FeatureExtractor(spaces::Space&&) = delete;
  Features operator()(const spaces::Genotype& genotype) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  const spaces::Space& space_;
  spaces::Encoding encoding_;
  std::vector<std::string> ops_;
  std::vector<std::string> names_;
};

/// A regression from features to one number. Features are standardised inside; constant columns are
/// ignored.
class Predictor {
 public:
  virtual ~Predictor() = default;
  /// Rows of equal length, one finite target each. Throws core::Error for fewer than 4 records,
  /// ragged rows or values that are not finite (row number in the message). Deterministic in
  /// `seed`.
  virtual void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
                   std::uint64_t seed) = 0;
  /// Throws core::Error before fit() or for rows of another length.
  virtual std::vector<Prediction> predict(const std::vector<Features>& rows) const = 0;
  /// One or a few lines for people: what was chosen and found while fitting; may be empty.
  virtual std::string describe() const { return {}; }
  virtual nlohmann::json save() const = 0;
  virtual void load(const nlohmann::json& state) = 0;
};

using PredictorFactory = std::function<std::unique_ptr<Predictor>(const core::Call&)>;

/// "ridge(lambda=auto)", "mlp(hidden=400, layers=3, members=5)":
/// `const core::Registered kEntry{predictors(), "ridge", "what it is", factory};`
core::Registry<PredictorFactory>& predictors();
/// Makes a predictor from its string; throws UsageError for unknown names or arguments.
std::unique_ptr<Predictor> make_predictor(const std::string& spec);

/// Agreement of predictions with the truth on records that the predictor did not see.
struct Scores {
  std::size_t records = 0;
  double mape = 0;               ///< mean absolute percentage error, percent, of
  std::size_t mape_records = 0;  ///< the records whose truth is not 0
  double rmse = 0;
  double kendall = 0;   ///< core::somers_d: over all pairs whose *truth* differs; 0 if none is left
  double spearman = 0;  ///< of average ranks
  double coverage = 0;  ///< share of truths within mean +- 1.645 deviations (0.9 if calibrated)
};

/// A fitted predictor with its name, version and feature names, as one JSON file. Throws
/// core::Error for a truncated or foreign file.
void save_predictor(const Predictor& predictor, const std::string& spec,
                    const std::vector<std::string>& features, const std::string& path);
/// `features` receives what was saved with it.
std::unique_ptr<Predictor> load_predictor(const std::string& path,
                                          std::vector<std::string>* features = nullptr);

Scores score(std::span<const Prediction> predicted, std::span<const double> truth);
/// Mean scores of k-fold cross-validation: every record is predicted once by a model that did not
/// see it, nor another record of equal features (unless those are too few to be told apart), and
/// the scores are those of all these predictions together. Throws core::Error for fewer than 2
/// folds, more than records, or fewer than 4 records to learn from.
Scores cross_validate(const std::string& spec, const std::vector<Features>& rows,
                      const std::vector<double>& targets, std::size_t folds, std::uint64_t seed);

}  // namespace mosaic::predictors
