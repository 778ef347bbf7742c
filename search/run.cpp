#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "archive.hpp"
#include "measurer.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

constexpr const char* kPhase = "search";
/// Where the search stood before its budget cut a generation short: a larger one goes on from
/// there.
constexpr const char* kUncut = "search before its budget";
/// Networks bound at a time: bounds the memory that their graphs take.
constexpr std::size_t kChunk = 512;

/// Where a search stands between two generations; together with the database it is all there is to
/// know.
struct Standing {
  std::int64_t generation = 0;   // generations done
  std::int64_t evaluations = 0;  // networks numbered
  std::int64_t stalled = 0;      // generations in a row that found no new network
  std::int64_t flat = 0;         // generations in a row with the same front
  double seconds = 0;            // that the search took; kept only where its time is limited
  std::string stopped_by;        // empty while it goes on
  std::int64_t population = 0;   // of the algorithm; 0: an earlier version did not say
  std::int64_t cut = 0;          // the budget that cut a generation short; 0: none did
  Archive::Scale scale;
  std::string algorithm;  // its own state

  std::string save() const {
    const nlohmann::json head = {{"generation", generation},    {"evaluations", evaluations},
                                 {"stalled", stalled},          {"flat", flat},
                                 {"seconds", seconds},          {"stopped_by", stopped_by},
                                 {"population", population},    {"cut", cut},
                                 {"best", scale.best},          {"worst", scale.worst},
                                 {"reference", scale.reference}};
    return head.dump() + "\n" + algorithm;
  }

  static Standing load(const std::string& state) {
    const auto end = state.find('\n');
    const auto head = nlohmann::json::parse(state.substr(0, end), nullptr, false);
    try {
      if (end == std::string::npos) throw std::invalid_argument("no end of line");
      return {head.at("generation"),
              head.at("evaluations"),
              head.at("stalled"),
              head.value("flat", std::int64_t{0}),
              head.value("seconds", 0.0),
              head.at("stopped_by"),
              head.value("population", std::int64_t{0}),
              head.value("cut", std::int64_t{0}),
              {head.at("best"), head.at("worst"), head.value("reference", std::vector<double>{})},
              state.substr(end + 1)};
    } catch (const std::exception&) {
      throw core::Error("the saved state of the search is damaged",
                        "start the job again under another name");
    }
  }
};

/// How many networks there are to propose.
double networks_of(const spaces::Space& space, const SearchSettings& settings) {
  if (settings.candidates) return static_cast<double>(settings.candidates->size());
  // Counting takes a while: only where it may matter.
  const double genotypes = space.genotypes();
  return genotypes < static_cast<double>(settings.population) ? space.size().architectures
                                                              : genotypes;
}

/// The population that a search uses: what it is given, but no more than there is to propose or to
/// evaluate, or than its algorithm bears.
std::int64_t population_of(const spaces::Space& space, const SearchSettings& settings) {
  const core::Call call = core::parse_call(settings.algorithm);
  const auto& type = algorithms().at(call.name);
  const double most =
      std::min({networks_of(space, settings), static_cast<double>(settings.evaluations),
                static_cast<double>(type.largest_population)});
  const auto allowed = [&](std::int64_t population) {
    try {
      if (type.population) type.population(call, static_cast<std::size_t>(population));
      return true;
    } catch (const core::UsageError&) {
      return false;
    }
  };
  auto population = std::max<std::int64_t>(1, std::llround(most));
  while (population < settings.population && !allowed(population)) ++population;
  return std::min(population, settings.population);
}

/// Whether somebody chose this population, or it is the algorithm's own.
bool asked_for(const SearchSettings& settings) {
  const auto name = core::parse_call(settings.algorithm).name;
  return settings.population != static_cast<std::int64_t>(algorithms().at(name).default_population);
}

std::unique_ptr<SearchAlgorithm> algorithm_of(const spaces::Space& space,
                                              const SearchSettings& settings,
                                              std::int64_t population, std::size_t objectives,
                                              std::size_t constraints, std::uint64_t seed) {
  if (static_cast<std::int64_t>(settings.start.size()) > settings.evaluations)
    throw core::UsageError("the search is given " + std::to_string(settings.start.size()) +
                               " networks to begin with, more than the " +
                               std::to_string(settings.evaluations) + " that it may evaluate",
                           "raise evaluations, or begin with fewer");
  return make_algorithm(settings.algorithm, space,
                        {static_cast<std::size_t>(population), objectives, seed, constraints,
                         settings.start, settings.candidates});
}

bool is_exact(const evaluators::Evaluator& evaluator) {
  const auto& metrics = evaluator.metrics();
  return std::all_of(metrics.begin(), metrics.end(), [](const auto& m) { return m.exact; });
}

/// One run of the search loop.
class Search {
 public:
  Search(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
         const std::vector<std::shared_ptr<evaluators::Evaluator>>& extra,
         const SearchSettings& settings, std::uint64_t seed, db::Database& database,
         const db::Job& job)
      : space_(space),
        objectives_(objectives),
        extra_(extra),
        settings_(settings),
        database_(database),
        whole_job_(job),
        job_(job.id),
        measurer_(space, objectives, database, job),
        optimised_(static_cast<std::size_t>(
            std::count_if(objectives.begin(), objectives.end(),
                          [](const auto& objective) { return objective.optimise; }))),
        archive_(optimised_),
        population_(population_of(space, settings)),
        algorithm_(
            algorithm_of(space, settings, population_, optimised_, job.constraints.size(), seed)),
        evaluators_(extra.size()) {
    std::set<const evaluators::Evaluator*> measuring;
    for (const auto& objective : objectives) {
      exact_ = exact_ && !objective.predict && is_exact(*objective.evaluator);
      if (!objective.predict) measuring.insert(objective.evaluator.get());
    }
    evaluators_ += measuring.size();
    for (const auto& evaluator : extra) exact_ = exact_ && is_exact(*evaluator);
  }

  SearchOutcome run() {
    restore();
    if (population_ < settings_.population && asked_for(settings_))
      core::log_info("population = " + core::with_commas(settings_.population) +
                     " is more than this search can use: it goes on with " +
                     core::with_commas(population_));
    progress_.emplace("search", settings_.evaluations, good());
    while (standing_.stopped_by.empty()) {
      core::check_interrupt();
      generation();
    }
    progress_->finish(note());
    return {standing_.evaluations, standing_.generation, archive_.hypervolume(),
            standing_.stopped_by};
  }

 private:
  /// The last state that was committed; nothing where the search is at its beginning. Limits may
  /// have been raised since: then it is one from which a search goes on as if they had been so all
  /// the time.
  std::optional<Standing> last_standing() {
    const auto state = database_.state(job_, kPhase);
    if (!state) return std::nullopt;
    auto standing = Standing::load(*state);
    const auto population = standing.population;  // before the first generation none is kept
    if (standing.cut > 0 && standing.cut < settings_.evaluations)
      standing = Standing::load(database_.state(job_, kUncut).value());
    if (population > 0 && population != population_) {
      core::log_info("the search begins again with a population of " +
                     core::with_commas(population_) + ", not " + core::with_commas(population) +
                     ": what was evaluated is not evaluated again");
      return std::nullopt;
    }
    return standing.generation == 0 ? std::nullopt : std::optional(standing);
  }

  /// Goes back to the last state; without one, to the beginning.
  void restore() {
    const auto last = last_standing();
    if (last) standing_ = *last;
    seconds_before_ = standing_.seconds;
    database_.rewind(job_, standing_.generation, standing_.evaluations);
    if (!last) return;

    const core::Activity activity("read the search as it stood");
    algorithm_->load(standing_.algorithm);
    archive_.set_scale(standing_.scale);
    const auto evaluations = database_.evaluations(job_);
    if (static_cast<std::int64_t>(evaluations.size()) != standing_.evaluations)
      throw core::Error("the database holds " + std::to_string(evaluations.size()) +
                            " evaluations of this search, and its state tells of " +
                            std::to_string(standing_.evaluations),
                        "start the job again under another name");
    for (std::size_t begin = 0; begin < evaluations.size(); begin += kChunk) {
      core::check_interrupt();
      const auto size = std::min(kChunk, evaluations.size() - begin);
      add(candidates_of(space_, std::span(evaluations).subspan(begin, size)), {});
    }
    archive_.update();
    if (!standing_.stopped_by.empty()) standing_.stopped_by = why_stop();
  }

  void generation() {
    core::crash_point("search generation begins");
    const Standing uncut = standing_;
    cut_ = false;
    const auto before = static_cast<std::int64_t>(archive_.size());
    new_rows_.clear();
    const BatchFitness fitness = [this](const std::vector<spaces::Genotype>& proposed) {
      return evaluate(proposed);
    };
    algorithm_->step(fitness);
    const bool gained = archive_.update();

    ++standing_.generation;
    standing_.evaluations = static_cast<std::int64_t>(archive_.size());
    standing_.stalled = standing_.evaluations > before ? 0 : standing_.stalled + 1;
    standing_.flat = gained ? 0 : standing_.flat + 1;
    if (settings_.minutes > 0) standing_.seconds = seconds_before_ + watch_.seconds();
    standing_.population = population_;
    const bool first_cut = cut_ && standing_.cut == 0;
    if (first_cut) standing_.cut = settings_.evaluations;
    standing_.scale = archive_.scale();
    standing_.stopped_by = why_stop();
    standing_.algorithm = algorithm_->save();
    core::crash_point("search generation evaluated");
    commit(first_cut ? &uncut : nullptr);
    core::crash_point("search generation committed");
    progress_->update(good(), note());
  }

  /// `uncut`: where the search stood before its budget cut this generation, where it did.
  void commit(const Standing* uncut) {
    database_.transaction([&] {
      for (const auto row : new_rows_) database_.number_evaluation(job_, row);
      core::crash_point("search evaluations numbered");
      database_.add_generation(job_, {standing_.generation, standing_.evaluations,
                                      archive_.hypervolume(), archive_.front()});
      if (uncut != nullptr) database_.save_state(job_, kUncut, uncut->save());
      database_.save_state(job_, kPhase, standing_.save());
      core::crash_point("search state written");
    });
  }

  /// Objective vectors of a generation; evaluates the networks that are new, while the budget
  /// lasts.
  std::vector<std::vector<double>> evaluate(const std::vector<spaces::Genotype>& proposed) {
    std::vector<spaces::Genotype> canonical;
    std::vector<spaces::Genotype> fresh;
    std::set<spaces::Genotype> queued;
    const auto left = static_cast<std::size_t>(
        settings_.evaluations - std::max(good(), static_cast<std::int64_t>(archive_.failed())));
    for (const auto& genotype : proposed) {
      canonical.push_back(space_.canonical(genotype));
      if (archive_.find(canonical.back()) != nullptr) continue;
      if (queued.contains(canonical.back())) continue;
      cut_ = cut_ || fresh.size() == left;
      if (fresh.size() == left) continue;
      queued.insert(canonical.back());
      fresh.push_back(canonical.back());
    }
    if (!fresh.empty()) {
      // What is looked up or counted costs less than a commit: then all metrics in one.
      if (exact_)
        database_.transaction([&] { measure(fresh); });
      else
        measure(fresh);
      core::crash_point("search batch evaluated");
    }
    std::vector<std::vector<double>> vectors;
    for (const auto& genotype : canonical) {
      const Evaluated* network = archive_.find(genotype);
      if (network == nullptr || !network->ok()) {
        vectors.emplace_back(optimised_ + whole_job_.constraints.size(), kPenalty);
        continue;
      }
      vectors.push_back(network->objectives);
      vectors.back().insert(vectors.back().end(), network->excess.begin(), network->excess.end());
    }
    return vectors;
  }

  /// Evaluates the new networks of a generation in every metric.
  void measure(const std::vector<spaces::Genotype>& fresh) {
    for (std::size_t begin = 0; begin < fresh.size(); begin += kChunk) {
      std::vector<evaluators::Candidate> candidates;
      for (std::size_t i = begin; i < std::min(begin + kChunk, fresh.size()); ++i)
        candidates.push_back(evaluators::make_candidate(space_, fresh[i]));
      const auto rows = add(candidates, tick(candidates.size()));
      new_rows_.insert(new_rows_.end(), rows.begin(), rows.end());
      for (const auto& evaluator : extra_) {
        core::check_interrupt();
        evaluator->evaluate(candidates, tick_);
      }
    }
  }

  /// Evaluates networks and puts them into the archive; gives their rows in the database.
  std::vector<std::int64_t> add(const std::vector<evaluators::Candidate>& candidates,
                                const evaluators::Evaluator::Sink& sink) {
    auto rows = measurer_.architectures(candidates);
    const auto vectors = measurer_.vectors(candidates, sink);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      auto judged = judge(objectives_, whole_job_, vectors[i]);
      archive_.add({candidates[i].genotype, rows[i], std::move(judged.objectives),
                    std::move(judged.excess)});
    }
    return rows;
  }

  /// A sink that moves the progress bar: `networks` are done when every evaluator has seen them.
  evaluators::Evaluator::Sink tick(std::size_t networks) {
    ticks_ = 0;
    tick_ = [this, networks, before = good()](std::size_t, const evaluators::Evaluator::Row&) {
      const auto done = ++ticks_ / std::max<std::size_t>(evaluators_, 1);
      progress_->update(before + static_cast<std::int64_t>(std::min(done, networks)), note());
    };
    return tick_;
  }

  /// Networks evaluated that have a value of every objective.
  std::int64_t good() const {
    return static_cast<std::int64_t>(archive_.size() - archive_.failed());
  }

  std::string why_stop() {
    if (good() >= settings_.evaluations) return "evaluations";
    const auto failed = static_cast<std::int64_t>(archive_.failed());
    if (failed >= settings_.evaluations) return std::to_string(failed) + " failures";
    if (settings_.minutes > 0 && standing_.seconds >= 60 * settings_.minutes) return "time";
    // Before anything feasible is found there is nothing to gain on.
    if (settings_.patience > 0 && !archive_.front().empty() && standing_.flat >= settings_.patience)
      return "no gain in " + generations(settings_.patience);
    if (settings_.candidates && archive_.size() >= settings_.candidates->size())
      return "all " + core::with_commas(static_cast<long long>(archive_.size())) +
             " candidates evaluated";
    if (standing_.stalled == 0) return "";
    // Counting a space takes a while: only once a generation has found nothing new.
    if (!size_ && !settings_.candidates) size_ = space_.size();
    if (size_ && size_->exact && static_cast<double>(archive_.size()) >= size_->architectures)
      return "space exhausted";
    if (standing_.stalled >= settings_.stall)
      return "no new network in " + generations(settings_.stall);
    return "";
  }

  static std::string generations(std::int64_t number) {
    return std::to_string(number) + (number == 1 ? " generation" : " generations");
  }

  std::string note() const {
    return "generation " + std::to_string(standing_.generation) + ", front " +
           std::to_string(archive_.front().size());
  }

  const spaces::Space& space_;
  const std::vector<SearchObjective>& objectives_;
  const std::vector<std::shared_ptr<evaluators::Evaluator>>& extra_;
  const SearchSettings& settings_;
  db::Database& database_;
  const db::Job& whole_job_;
  std::int64_t job_;
  Measurer measurer_;
  std::size_t optimised_;  // objectives that are not there for a constraint alone
  Archive archive_;
  std::int64_t population_;  // as large as makes sense
  std::unique_ptr<SearchAlgorithm> algorithm_;
  core::Stopwatch watch_;
  double seconds_before_ = 0;  // that earlier sittings took
  std::size_t evaluators_;     // that measure each network
  bool exact_ = true;          // all of them
  Standing standing_;
  bool cut_ = false;  // the budget left networks of this generation out
  std::optional<spaces::Space::Size> size_;
  std::vector<std::int64_t> new_rows_;  // of this generation, in the order proposed
  std::optional<core::Progress> progress_;
  evaluators::Evaluator::Sink tick_;
  std::size_t ticks_ = 0;
};

}  // namespace

void check_search(const spaces::Space& space, const SearchSettings& settings,
                  std::size_t objectives) {
  algorithm_of(space, settings, population_of(space, settings), objectives, 0, 0);
}

SearchOutcome run_search(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                         const std::vector<std::shared_ptr<evaluators::Evaluator>>& extra,
                         const SearchSettings& settings, std::uint64_t seed, db::Database& database,
                         const db::Job& job) {
  check_objectives(objectives, job);
  return Search(space, objectives, extra, settings, seed, database, job).run();
}

}  // namespace mosaic::search
