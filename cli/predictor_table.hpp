/// CSV tables of networks as records for predictors: which columns are targets and which features.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "mosaic/core/csv.hpp"
#include "mosaic/predictors/drift.hpp"
#include "mosaic/predictors/predictor.hpp"

namespace mosaic::cli {

/// What `fit` and `eval` have in common.
struct PredictorTableOptions {
  std::string file;
  std::vector<std::string> targets;
  bool sum = false;
  std::vector<std::string> drop;
  std::optional<std::string> group;  ///< column that names networks; none: arch, and equal features
  bool skip_missing = false;
  bool ordered = false;
  std::string predictor = "auto";
  std::uint64_t seed = 1;

  /// The predictor's string; with `ordered` it finds drift by itself.
  std::string spec() const;
};
void add_predictor_table_options(App& app, PredictorTableOptions& options);

struct PredictorRecords {
  std::vector<std::string>
      names;  ///< of the features: a column, or "column=level" of a text column
  std::vector<predictors::Features> rows;
  std::vector<double> targets;
  std::vector<std::vector<std::size_t>>
      networks;  ///< rows of each: one value of `group`, or one `arch` or equal features
};

/// Columns that are neither target nor dropped nor name the network become features: numbers as
/// they are, text of at most 32 levels as one column a level. Warns of features that may tell the
/// target (the row's number, times, siblings of the target, a correlation above 0.999), of targets
/// that are all equal, and of one negative number among positive ones. Throws UsageError for
/// columns that are not there or patterns that drop nothing, Error for cells that cannot be read,
/// with file, line and how many rows have such (with `skip_missing` those rows are left out).
PredictorRecords read_predictor_records(const PredictorTableOptions& options);

/// The same features from another table, found by name; other columns are not looked at. Throws
/// Error for a column that is missing, a name that may be a column or a level of another, or a
/// level that was not there before.
std::vector<predictors::Features> features_by_name(const core::CsvTable& table,
                                                   const std::vector<std::string>& names);

}  // namespace mosaic::cli
