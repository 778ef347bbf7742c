/// From networks to objective vectors, through evaluators and predictors.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/search/search.hpp"

namespace mosaic::search {

/// Measures and predicts for one job. Predictions are stored once per network and metric, and read
/// back rather than made again: a batch of another size may round differently.
class Measurer {
 public:
  Measurer(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
           db::Database& database, const db::Job& job);

  /// Rows of the networks in the database, made in order where they are new.
  std::vector<std::int64_t> architectures(const std::vector<evaluators::Candidate>& candidates);

  /// Minimised objective vectors as searched; empty where an objective failed.
  std::vector<std::vector<double>> vectors(const std::vector<evaluators::Candidate>& candidates,
                                           const evaluators::Evaluator::Sink& sink = {});

 private:
  /// Minimised values of one objective, nullopt where it failed.
  std::vector<std::optional<double>> column_of(
      const SearchObjective& objective, const std::vector<evaluators::Evaluator::Row>& rows) const;
  std::vector<std::optional<double>> predict(const SearchObjective& objective,
                                             const std::vector<evaluators::Candidate>& candidates);

  const spaces::Space& space_;
  const std::vector<SearchObjective>& objectives_;
  db::Database& database_;
  std::int64_t job_;
  // (metric, predictor, hash of the network) -> mean
  std::map<std::tuple<std::string, std::string, std::string>, double> predicted_;
};

/// Throws core::UsageError or std::logic_error for objectives that no search can use, or
/// constraints about something else.
void check_objectives(const std::vector<SearchObjective>& objectives, const db::Job& job);

/// A vector of Measurer::vectors(), told apart: what is optimised (empty if something failed), and
/// by how much each constraint of the job is exceeded, relative to its bound (<= 0: kept).
struct Judged {
  std::vector<double> objectives;
  std::vector<double> excess;
  bool feasible() const;
};
Judged judge(const std::vector<SearchObjective>& objectives, const db::Job& job,
             const std::vector<double>& vector);

/// Candidates for texts of architectures.
std::vector<evaluators::Candidate> candidates_of(
    const spaces::Space& space, std::span<const db::Reader::Evaluation> evaluations);

}  // namespace mosaic::search
