/// The search loop: algorithm, evaluators, predictors, archive, database and resume put together.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/core/config.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/evaluator.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

/// The [search] section of a job file.
struct SearchSettings {
  std::string algorithm = "nsga2";
  /// For nsga2 a multiple of 4, at least 8 (read() says so, with the nearest two). The default is
  /// the algorithm's.
  std::int64_t population = 32;
  std::int64_t evaluations = 200;  ///< distinct networks with a value of every objective
  std::int64_t stall = 20;         ///< stop after so many generations that found no new network
  std::int64_t patience = 0;       ///< stop after so many generations with the same front; 0: never
  double minutes = 0;              ///< stop after so long, all sittings together; 0: never
  std::vector<spaces::Genotype> start = {};  ///< networks to begin with
  /// All networks that may be proposed; null: every network of the space.
  std::shared_ptr<const Candidates> candidates = nullptr;
  static SearchSettings read(core::Section section);
  /// Keys of the limits that may be raised while a search goes on, or after it has ended.
  static const std::vector<std::string>& limits();
  /// Whether no limit is lower than it was.
  bool allows_as_much_as(const SearchSettings& before) const;
};

/// What is optimised: measured while searching, or predicted while searching and re-measured on the
/// front.
struct SearchObjective {
  std::string metric;
  bool maximise = false;
  /// Measures (decorated with Cached by the caller).
  std::shared_ptr<evaluators::Evaluator> evaluator;
  /// Where set, the search uses these predictions and `evaluator` measures the front afterwards.
  std::function<std::vector<predictors::Prediction>(std::span<const evaluators::Candidate>)>
      predict;
  std::string predictor;  ///< its name, for the database
  /// False: measured only because a constraint of the job is about it.
  bool optimise = true;
};

struct SearchOutcome {
  std::int64_t evaluations = 0;  ///< failed ones too
  std::int64_t generations = 0;
  double hypervolume = 0;
  /// "evaluations", "space exhausted", "all 36 candidates evaluated", "no new network in 20
  /// generations", "no gain in 10 generations", "time", "200 failures"
  std::string stopped_by;
};

/// Runs (or goes on with) the search of a job, whose row is in the database. Each generation: the
/// algorithm proposes, new canonical networks are numbered and evaluated, up to 512 at a time
/// (`extra` evaluators, such as params and flops, too), predictions are stored, and then evaluation
/// numbers, front, hypervolume and the algorithm's state are committed in one transaction. Where
/// every metric is exact (tables, counts), a generation's measurements are one transaction, too. A
/// killed job goes back to its last state (Database::rewind) and replays from stored measurements.
/// A network any of whose objectives failed is recorded, penalised with 1e30 and never on the
/// front. Never more than `settings.evaluations` good networks, nor as many failed ones again.
/// Hypervolume: pagmo's, of the front in units that the first generation sets: every objective runs
/// from 0 at its best value to 1 at its worst; the reference is 0.1 beyond the worst value of that
/// generation and of every front so far, so that it never shrinks and no member counts nothing. A
/// population larger than what there is to propose, or to evaluate, is made smaller; the log says
/// so. The job's constraints come before dominance: only networks that keep them are on the front;
/// each is about one of `objectives` (those with `optimise` false are there for that alone).
/// Calling it again after the search has stopped changes nothing, but where `settings` allow more
/// than they did: then it goes on, and ends as if they had been so from the beginning.
SearchOutcome run_search(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                         const std::vector<std::shared_ptr<evaluators::Evaluator>>& extra,
                         const SearchSettings& settings, std::uint64_t seed, db::Database& database,
                         const db::Job& job);

/// Throws core::UsageError where no search can be made of these settings over this space, with so
/// many objectives: what run_search() would find out after a job was begun.
void check_search(const spaces::Space& space, const SearchSettings& settings,
                  std::size_t objectives);

/// Measures what stands on the front only by prediction, until every member of the front (measured
/// values where there are any, predictions elsewhere) was measured. Returns the number of networks
/// measured. A killed job measures the same networks as one that was never killed.
std::int64_t remeasure_front(const spaces::Space& space,
                             const std::vector<SearchObjective>& objectives, db::Database& database,
                             const db::Job& job);

/// Version of the pagmo that this build uses.
std::string pagmo_version();

}  // namespace mosaic::search
