#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "archive.hpp"
#include "measurer.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

constexpr const char* kPhase = "search";
/// Networks bound at a time when a search goes on: bounds the memory that their graphs take.
constexpr std::size_t kRestoreChunk = 512;

/// Where a search stands between two generations; together with the database it is all there is to
/// know.
struct Standing {
  std::int64_t generation = 0;   // generations done
  std::int64_t evaluations = 0;  // networks numbered
  std::int64_t stalled = 0;      // generations in a row that found no new network
  std::int64_t flat = 0;         // generations in a row without more hypervolume
  double hypervolume = 0;
  double seconds = 0;      // that the search took; kept only where its time is limited
  std::string stopped_by;  // empty while it goes on
  Archive::Scale scale;
  std::string algorithm;  // its own state

  std::string save() const {
    const nlohmann::json head = {{"generation", generation},   {"evaluations", evaluations},
                                 {"stalled", stalled},         {"flat", flat},
                                 {"hypervolume", hypervolume}, {"seconds", seconds},
                                 {"stopped_by", stopped_by},   {"best", scale.best},
                                 {"worst", scale.worst}};
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
              head.value("hypervolume", 0.0),
              head.value("seconds", 0.0),
              head.at("stopped_by"),
              {head.at("best"), head.at("worst")},
              state.substr(end + 1)};
    } catch (const std::exception&) {
      throw core::Error("the saved state of the search is damaged",
                        "start the job again under another name");
    }
  }
};

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
        algorithm_(make_algorithm(settings.algorithm, space,
                                  {static_cast<std::size_t>(settings.population), optimised_, seed,
                                   job.constraints.size(), settings.start})),
        evaluators_(extra.size()) {
    for (const auto& objective : objectives) {
      evaluators_ += objective.predict ? 0 : 1;
      exact_ = exact_ && !objective.predict && objective.evaluator->exact();
    }
    for (const auto& evaluator : extra) exact_ = exact_ && evaluator->exact();
  }

  SearchOutcome run() {
    restore();
    progress_.emplace("search", settings_.evaluations, standing_.evaluations);
    while (standing_.stopped_by.empty()) {
      core::check_interrupt();
      generation();
    }
    progress_->finish(note());
    return {standing_.evaluations, standing_.generation, archive_.hypervolume(),
            standing_.stopped_by};
  }

 private:
  /// Goes back to the last state that was committed; without one, to the beginning.
  void restore() {
    const auto state = database_.state(job_, kPhase);
    if (state) standing_ = Standing::load(*state);
    seconds_before_ = standing_.seconds;
    database_.rewind(job_, standing_.generation, standing_.evaluations);
    if (!state) return;

    algorithm_->load(standing_.algorithm);
    archive_.set_scale(standing_.scale);
    const auto evaluations = database_.evaluations(job_);
    if (static_cast<std::int64_t>(evaluations.size()) != standing_.evaluations)
      throw core::Error("the database holds " + std::to_string(evaluations.size()) +
                            " evaluations of this search, and its state tells of " +
                            std::to_string(standing_.evaluations),
                        "start the job again under another name");
    for (std::size_t begin = 0; begin < evaluations.size(); begin += kRestoreChunk) {
      core::check_interrupt();
      const auto size = std::min(kRestoreChunk, evaluations.size() - begin);
      add(candidates_of(space_, std::span(evaluations).subspan(begin, size)), {});
    }
    archive_.update();
  }

  void generation() {
    core::crash_point("search generation begins");
    const auto before = static_cast<std::int64_t>(archive_.size());
    new_rows_.clear();
    const BatchFitness fitness = [this](const std::vector<spaces::Genotype>& proposed) {
      return evaluate(proposed);
    };
    algorithm_->step(fitness);
    archive_.update();

    ++standing_.generation;
    standing_.evaluations = static_cast<std::int64_t>(archive_.size());
    standing_.stalled = standing_.evaluations > before ? 0 : standing_.stalled + 1;
    const double hypervolume = archive_.hypervolume();
    standing_.flat = hypervolume > standing_.hypervolume ? 0 : standing_.flat + 1;
    standing_.hypervolume = hypervolume;
    if (settings_.minutes > 0) standing_.seconds = seconds_before_ + watch_.seconds();
    standing_.scale = archive_.scale();
    standing_.stopped_by = why_stop();
    standing_.algorithm = algorithm_->save();
    core::crash_point("search generation evaluated");
    commit();
    core::crash_point("search generation committed");
    progress_->update(standing_.evaluations, note());
  }

  void commit() {
    database_.transaction([&] {
      for (const auto row : new_rows_) database_.number_evaluation(job_, row);
      core::crash_point("search evaluations numbered");
      database_.add_generation(job_, {standing_.generation, standing_.evaluations,
                                      archive_.hypervolume(), archive_.front()});
      database_.save_state(job_, kPhase, standing_.save());
      core::crash_point("search state written");
    });
  }

  /// Objective vectors of a generation; evaluates the networks that are new, while the budget
  /// lasts.
  std::vector<std::vector<double>> evaluate(const std::vector<spaces::Genotype>& proposed) {
    std::vector<spaces::Genotype> canonical;
    std::vector<evaluators::Candidate> fresh;
    std::set<spaces::Genotype> queued;
    const auto left = static_cast<std::size_t>(settings_.evaluations) - archive_.size();
    for (const auto& genotype : proposed) {
      canonical.push_back(space_.canonical(genotype));
      if (archive_.find(canonical.back()) != nullptr) continue;
      if (fresh.size() == left || !queued.insert(canonical.back()).second) continue;
      fresh.push_back(evaluators::make_candidate(space_, canonical.back()));
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
  void measure(const std::vector<evaluators::Candidate>& fresh) {
    const auto rows = add(fresh, tick(fresh.size()));
    new_rows_.insert(new_rows_.end(), rows.begin(), rows.end());
    for (const auto& evaluator : extra_) {
      core::check_interrupt();
      evaluator->evaluate(fresh, tick_);
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
    tick_ = [this, networks, before = archive_.size()](std::size_t, const core::Measurement&) {
      const auto done = ++ticks_ / std::max<std::size_t>(evaluators_, 1);
      progress_->update(static_cast<std::int64_t>(before + std::min(done, networks)), note());
    };
    return tick_;
  }

  std::string why_stop() {
    if (standing_.evaluations >= settings_.evaluations) return "evaluations";
    if (settings_.minutes > 0 && standing_.seconds >= 60 * settings_.minutes) return "time";
    // Before anything feasible is found there is nothing to gain on.
    if (settings_.patience > 0 && standing_.hypervolume > 0 && standing_.flat >= settings_.patience)
      return "no gain in " + generations(settings_.patience);
    if (standing_.stalled == 0) return "";
    // Counting a space takes a while: only once a generation has found nothing new.
    if (!size_) size_ = space_.size();
    if (size_->exact && static_cast<double>(archive_.size()) >= size_->architectures)
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
  std::unique_ptr<SearchAlgorithm> algorithm_;
  core::Stopwatch watch_;
  double seconds_before_ = 0;  // that earlier sittings took
  std::size_t evaluators_;     // that measure each network
  bool exact_ = true;          // all of them
  Standing standing_;
  std::optional<spaces::Space::Size> size_;
  std::vector<std::int64_t> new_rows_;  // of this generation, in the order proposed
  std::optional<core::Progress> progress_;
  evaluators::Evaluator::Sink tick_;
  std::size_t ticks_ = 0;
};

}  // namespace

SearchOutcome run_search(const spaces::Space& space, const std::vector<SearchObjective>& objectives,
                         const std::vector<std::shared_ptr<evaluators::Evaluator>>& extra,
                         const SearchSettings& settings, std::uint64_t seed, db::Database& database,
                         const db::Job& job) {
  check_objectives(objectives, job);
  return Search(space, objectives, extra, settings, seed, database, job).run();
}

}  // namespace mosaic::search
