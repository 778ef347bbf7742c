/// What the predictors of this room share: checks of records, standardised features, target scale,
/// saved numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::predictors {

/// Throws core::Error for fewer than 4 records, unequal counts, ragged rows or values that are not
/// finite.
void check_records(const std::vector<Features>& rows, const std::vector<double>& targets);
/// Throws core::Error where a row is not `width` finite numbers (`width` 0: the predictor is not
/// fitted).
void check_rows(const std::vector<Features>& rows, std::size_t width);

/// Records of equal features, which are one network to a predictor: a list each, in the order of
/// their first records.
std::vector<std::vector<std::size_t>> networks_of(const std::vector<Features>& rows);

/// Records dealt at random into folds, all of a network into the same one: a model that saw one of
/// them would know the others' answer. One by one where networks are too few to learn from the
/// rest.
class Folds {
 public:
  /// `most` folds, or fewer where there are fewer networks. `stream` says who deals.
  Folds(const std::vector<Features>& rows, std::size_t most, std::uint64_t seed,
        const char* stream);
  std::size_t count() const { return count_; }
  /// The records in the order in which they were dealt, in and out of a fold.
  struct Split {
    std::vector<std::size_t> known;
    std::vector<std::size_t> unseen;
  };
  Split split(std::size_t fold) const;

 private:
  bool deal(const std::vector<std::vector<std::size_t>>& networks, std::size_t most,
            std::uint64_t seed, const char* stream);
  std::size_t count_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> dealt_;  // record, fold
};

/// Columns to zero mean and unit variance; constant columns are dropped.
class Standardiser {
 public:
  void fit(const std::vector<Features>& rows);
  /// Only the columns that were kept.
  Features operator()(const Features& row) const;
  /// Same, into outputs() numbers.
  void apply(const Features& row, double* result) const;
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return columns_.size(); }

  nlohmann::json save() const;
  void load(const nlohmann::json& state);

 private:
  std::size_t inputs_ = 0;
  std::vector<std::size_t> columns_;
  std::vector<double> mean_;
  std::vector<double> scale_;
};

/// Whether the logarithm of the target is learned: always, never, or as the predictor decides.
enum class LogTarget { automatic, yes, no };
/// Argument `log=auto|yes|no`.
LogTarget log_argument(const core::Call& call);
/// Throws core::Error for log=yes with a target that is not positive; false where one is not.
bool log_possible(const std::vector<double>& targets, LogTarget log);

/// The factor by which `spreads` (one per record) must be stretched so that mean +- 1.645 spreads
/// holds 90% of `errors`: the conformal quantile of |error| / spread (Lei et al. 2018, eq. 7),
/// over 1.645.
double calibration(const std::vector<double>& errors, const std::vector<double>& spreads);

/// The scale on which an ensemble learns: targets, or their logarithms, of zero mean and unit
/// variance. log=auto takes logarithms where targets span a wide range, as latencies and the like
/// do, which matter relatively; accuracies do not.
class TargetScale {
 public:
  explicit TargetScale(LogTarget log) : choice_(log) {}
  /// The targets on this scale; all 0 where they are equal.
  std::vector<double> fit(std::vector<double> targets);
  bool varies() const { return spread_ > 0; }
  /// Sets the deviations by records that were held out: on this scale their predictions, the
  /// variances among members, and the errors. False where these are not finite.
  bool calibrate(const std::vector<double>& means, const std::vector<double>& variances,
                 std::vector<double> errors);
  /// What a mean and a variance among members say of the target.
  Prediction operator()(double mean, double variance) const;

  /// Adds keys to the state of a predictor, and reads them.
  void save(nlohmann::json& state) const;
  void load(const nlohmann::json& state);

 private:
  LogTarget choice_;
  bool log_ = false;
  double centre_ = 0;    ///< mean of the (log) targets
  double spread_ = 0;    ///< their standard deviation; 0 where all are equal
  double residual_ = 0;  ///< variance of the held-out residuals, on this scale
  double stretch_ = 0;   ///< calibrates the deviations
};

/// `call` as a Predictor of a class.
template <class Made>
std::unique_ptr<Predictor> make_of(const core::Call& call) {
  return std::make_unique<Made>(call);
}

/// Numbers as hexadecimal bit patterns: compact, and the same bits when read back. unpack() throws
/// core::Error unless there are `count` finite numbers.
std::string pack(const std::vector<double>& values);
std::string pack(const std::vector<float>& values);
std::vector<double> unpack_doubles(const std::string& text, std::size_t count);
std::vector<float> unpack_floats(const std::string& text, std::size_t count);

/// What stands under a key of a predictor's state, where all numbers are counts. Throws core::Error
/// for one that is not whole, or beyond 2^30.
const nlohmann::json& counts_at(const nlohmann::json& state, const char* key);

/// Runs `read`, turning what the JSON library throws into a core::Error that names the predictor.
template <class F>
void read_state(const std::string& name, F&& read) {
  try {
    read();
  } catch (const nlohmann::json::exception& error) {
    throw core::Error(
        "the state of this '" + name + "' predictor is incomplete (" + error.what() + ")",
        "fit it again and save it");
  }
}

}  // namespace mosaic::predictors
