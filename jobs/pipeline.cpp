#include "mosaic/jobs/pipeline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "begin.hpp"
#include "evaluation_seconds.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "rank_job.hpp"
#include "recorded_progress.hpp"
#include "samples.hpp"
#include "start.hpp"

namespace mosaic::jobs {
namespace {

using evaluators::Candidate;
using evaluators::Evaluator;

/// A supernet that was trained for fewer steps tells its networks hardly apart.
constexpr std::int64_t kFewSteps = 400;

constexpr std::array kGoalNames = {"train", "measure", "search", "run"};  // as in Goal

std::string goal_name(Goal goal) { return kGoalNames[static_cast<std::size_t>(goal)]; }

Goal goal_of(const std::string& name) {
  for (const Goal goal : {Goal::train, Goal::measure, Goal::search})
    if (goal_name(goal) == name) return goal;
  return Goal::run;
}

/// One job on its way: each stage does what is left of it and may be called again.
class Pipeline {
 public:
  Pipeline(Workplace work, db::Database& database, db::Job job)
      : work_(std::move(work)), database_(database), job_(std::move(job)) {}

  JobRun run(Goal goal) {
    const auto progress = recorded_progress(database_, job_.id);
    database_.save_state(job_.id, "goal", goal_name(goal));
    try {
      set_status("running", job_.phase);
      if (work_.file.sharing && goal != Goal::measure) train();
      if (goal == Goal::train) return finish("train", goal);
      measure();
      if (goal == Goal::measure) return finish("measure", goal);
      search();
      return finish("done", goal);
    } catch (const core::Interrupted&) {
      set_status("interrupted", job_.phase);
      throw core::Interrupted(
          "stopped in phase '" + job_.phase + "'; everything measured so far is kept",
          "go on with: " + way_on(job_, database_.path()));
    } catch (const std::exception& error) {
      job_.message = error.what();
      set_status("failed", job_.phase);
      throw;
    }
  }

  /// Measures again what was taken while the device was slow.
  Remeasured remeasure() {
    const auto suspects = database_.suspects(job_.id);
    if (suspects.empty())
      core::log_info("no timing of job '" + job_.name + "' was taken while the device was slow");
    for (const auto& objective : work_.file.objectives) {
      std::vector<Candidate> candidates;
      for (const auto& suspect : suspects)
        if (suspect.measurement.metric == objective.metric)
          candidates.push_back(
              evaluators::make_candidate(*work_.space, work_.space->parse(suspect.arch)));
      if (!candidates.empty()) remeasure(objective, candidates);
    }
    return {job_, suspects.size(), database_.suspects(job_.id).size()};
  }

 private:
  void remeasure(const ObjectiveFile& objective, const std::vector<Candidate>& candidates) {
    const auto made = objective.measuring.make(workbench(), {objective.metric});
    core::Progress progress("measure " + objective.metric + " again",
                            static_cast<std::int64_t>(candidates.size()));
    std::int64_t done = 0;
    made->evaluate(candidates, [&](std::size_t i, const Evaluator::Row& row) {
      record(candidates[i], row[0]);
      progress.update(++done);
    });
    progress.finish();
  }

  void set_status(const std::string& status, const std::string& phase) {
    job_.status = status;
    if (status == "running") job_.message.clear();
    job_.phase = phase;
    database_.update_job(job_);
  }
  JobRun finish(const std::string& phase, Goal goal) {
    set_status("finished", phase);
    return {job_, goal, phase == "done"};
  }
  void record(const Candidate& candidate, const core::Measurement& measurement) {
    database_.add_measurement(
        job_.id, database_.architecture(work_.space->hash(), candidate.arch, candidate.hash),
        measurement);
  }

  // ---- train

  void train() {
    supernet_ = work_.make_supernet();
    const auto& settings = work_.file.train;
    const std::string checkpoint = supernet_path(job_.folder);
    expect_supernet(database_, job_);
    if (supernet::training_complete(checkpoint)) {
      supernet::load_checkpoint(checkpoint, *supernet_, work_.training_identity());
      database_.save_state(job_.id, "trained", work_.training_identity());
      return;
    }
    set_status("running", "train");
    std::error_code error;
    std::filesystem::create_directories(job_.folder, error);
    if (error)
      throw core::Error("cannot make folder " + job_.folder + ": " + error.message(),
                        "set [job] folder to one you may write");
    supernet::Supernet* const members[] = {supernet_.get()};
    if (!std::filesystem::exists(checkpoint)) work_.begin_training(members, job_.folder);
    const auto trainee = supernet::supernet_trainee(*supernet_, settings, work_.file.seed);
    trainee->learn_from(work_.teacher());
    if (!std::filesystem::exists(checkpoint)) announce(*trainee);
    supernet::TrainHooks hooks;
    hooks.label = "train supernet";
    hooks.checkpoint = checkpoint;
    hooks.identity = work_.training_identity();
    hooks.report = [this](const supernet::TrainProgress& p) {
      database_.add_training_point(
          job_.id, {p.step, p.epoch, p.learning_rate, p.examples_per_second, p.metrics});
    };
    hooks.resumed = [this](std::int64_t step) {
      core::log_info("training goes on from the checkpoint at step " + std::to_string(step));
      database_.truncate_training(job_.id, step);
    };
    if (!std::filesystem::exists(checkpoint)) database_.truncate_training(job_.id, 0);
    supernet::train(*trainee, *work_.task, settings, hooks);
    database_.save_state(job_.id, "trained", work_.training_identity());
  }

  void announce(supernet::Trainee& trainee) {
    const core::Activity activity("time some steps of training");
    const auto estimate = supernet::estimate(trainee, *work_.task, work_.file.train, *work_.space);
    core::log_info("training " + core::with_commas(estimate.steps) + " steps of " +
                   std::to_string(std::llround(estimate.batches.examples)) + " examples: about " +
                   core::human_seconds(estimate.seconds) + " and " +
                   core::human_bytes(estimate.bytes) + " of memory on " + job_.device);
    if (estimate.steps > 0 && estimate.steps < kFewSteps)
      core::log_warning(core::with_commas(estimate.steps) +
                        " steps are few for weights that all networks share; " +
                        core::with_commas(supernet::kSupernetSteps) + " would be: [supernet] " +
                        as_many_as(supernet::kSupernetSteps, estimate));
    if (work_.device == "cpu" && estimate.bytes > core::available_memory())
      core::log_warning("only " + core::human_bytes(core::available_memory()) +
                        " of memory are free: a batch may be "
                        "taken in pieces; a smaller batch_size avoids that");
  }

  /// The key that makes so many steps.
  std::string as_many_as(std::int64_t steps, const supernet::TrainEstimate& estimate) const {
    if (work_.file.train.steps > 0) return "steps = " + std::to_string(steps);
    return "epochs = " + std::to_string(supernet::epochs_for(steps, estimate.batches.per_epoch));
  }

  // ---- measure

  evaluators::Workbench workbench() {
    evaluators::Workbench::Parts parts;
    parts.space = work_.space.get();
    parts.supernet = supernet_.get();
    parts.task = work_.task.get();
    parts.table = work_.table;
    if (work_.file.sharing) parts.checkpoint = work_.training_identity().substr(0, 12);
    parts.seed = work_.file.seed;
    parts.best_reference = [this](const std::string& fidelity) {
      double best = std::numeric_limits<double>::infinity();
      for (const auto& timed : database_.measurements(job_.id, "latency_reference_ms"))
        if (timed.measurement.ok() && timed.measurement.fidelity == fidelity)
          best = std::min(best, timed.measurement.value);
      return best;
    };
    parts.reference = [this](const auto& candidate, const auto& measurement) {
      record(candidate, measurement);
    };
    return evaluators::Workbench(std::move(parts));
  }

  std::shared_ptr<Evaluator> cached(const evaluators::Measuring& measuring,
                                    const std::vector<std::string>& metrics) {
    return std::make_shared<evaluators::Cached>(measuring.make(workbench(), metrics), database_,
                                                job_.id, work_.space->hash());
  }

  /// One for all objectives that are measured in the same way, so that they are measured at once.
  std::shared_ptr<Evaluator> evaluator(const ObjectiveFile& objective) {
    const auto key = std::pair(objective.measuring.evaluator, objective.measuring.keys);
    auto& made = evaluators_[key];
    if (made) return made;
    std::vector<std::string> metrics;
    for (const auto& other : work_.file.objectives)
      if (std::pair(other.measuring.evaluator, other.measuring.keys) == key)
        metrics.push_back(other.metric);
    return made = cached(objective.measuring, metrics);
  }

  /// Of networks that are searched: how large they are is always recorded.
  std::vector<std::shared_ptr<Evaluator>> extra_evaluators() {
    evaluators::JobFacts facts;
    facts.table = work_.file.table;
    const auto known = evaluators::known_metrics(facts);
    std::map<std::string, std::vector<std::string>> wanted;  // by evaluator
    for (const std::string metric : {"params", "flops"}) {
      const auto same = [&](const auto& objective) { return objective.metric == metric; };
      if (std::any_of(work_.file.objectives.begin(), work_.file.objectives.end(), same)) continue;
      const auto& [evaluator, info] = known.at(metric);
      if (info.known) wanted[evaluator].push_back(metric);
    }
    std::vector<std::shared_ptr<Evaluator>> result;
    for (const auto& [evaluator, metrics] : wanted) {
      core::Section defaults = core::Config::from_text("").root();
      result.push_back(cached(evaluators::read_measuring(evaluator, defaults, facts), metrics));
    }
    return result;
  }

  void measure() {
    for (const auto& objective : work_.file.objectives)
      if (objective.predicted) measure_for_predictor(objective);
  }

  void measure_for_predictor(const ObjectiveFile& objective) {
    set_status("running", "measure");
    const auto measured = evaluator(objective);
    const std::size_t column = measured->column(objective.metric);
    const auto genotypes = sample_architectures(work_, static_cast<std::size_t>(objective.samples));
    const predictors::FeatureExtractor features(*work_.space);
    std::vector<predictors::Features> rows;
    std::vector<double> targets;
    core::Progress progress("measure " + objective.metric,
                            static_cast<std::int64_t>(genotypes.size()));
    for (const auto& genotype : genotypes) {
      const Candidate candidate = evaluators::make_candidate(*work_.space, genotype);
      const auto result = measured->evaluate({&candidate, 1})[0][column];
      if (result.ok()) {
        rows.push_back(features(genotype));
        targets.push_back(result.value);
      }
      progress.update(static_cast<std::int64_t>(&genotype - genotypes.data()) + 1);
    }
    progress.finish();
    if (measures_all(work_, genotypes.size())) {
      core::log_info("all " + std::to_string(genotypes.size()) +
                     " networks of the space were measured: no predictor needed");
      return;
    }
    if (rows.size() < 10)
      throw core::Error("only " + std::to_string(rows.size()) + " of " +
                            std::to_string(genotypes.size()) + " networks could be timed",
                        "mosaic query --sql \"SELECT DISTINCT message FROM measurements WHERE "
                        "status = 'failed'\" says why");
    fit(objective, features, rows, targets);
  }

  void fit(const ObjectiveFile& objective, const predictors::FeatureExtractor& features,
           const std::vector<predictors::Features>& rows, const std::vector<double>& targets) {
    const core::Activity activity("fit the predictor of " + objective.metric);
    const auto scores =
        predictors::cross_validate(objective.predictor, rows, targets, 5, work_.file.seed);
    char line[200];
    std::snprintf(line, sizeof line,
                  "%s predictor '%s' on records it did not see (5-fold, %zu records): MAPE %.1f%%, "
                  "Kendall tau %.3f, "
                  "Spearman %.3f, 90%% intervals cover %.0f%%",
                  objective.metric.c_str(), objective.predictor.c_str(), rows.size(), scores.mape,
                  scores.kendall, scores.spearman, 100 * scores.coverage);
    core::log_info(line);
    const nlohmann::json kept = {{"predictor", objective.predictor},
                                 {"records", rows.size()},
                                 {"mape", scores.mape},
                                 {"rmse", scores.rmse},
                                 {"kendall", scores.kendall},
                                 {"spearman", scores.spearman},
                                 {"coverage", scores.coverage}};
    database_.save_state(job_.id, "predictor " + objective.metric, kept.dump());
    std::shared_ptr<predictors::Predictor> predictor =
        predictors::make_predictor(objective.predictor);
    predictor->fit(rows, targets, work_.file.seed);
    std::filesystem::create_directories(job_.folder);
    predictors::save_predictor(*predictor, objective.predictor, features.names(),
                               job_.folder + "/" + objective.metric + ".predictor.json");
    predictors_[objective.metric] = predictor;
  }

  // ---- search

  std::vector<search::SearchObjective> search_objectives() {
    std::vector<search::SearchObjective> result;
    for (const auto& objective : work_.file.objectives) {
      search::SearchObjective made;
      made.metric = objective.metric;
      made.maximise = objective.maximise;
      made.optimise = objective.optimise;
      made.evaluator = evaluator(objective);
      if (objective.predicted && predictors_.count(objective.metric)) {
        made.predictor = objective.predictor;
        made.predict = [predictor = predictors_.at(objective.metric),
                        features = predictors::FeatureExtractor(*work_.space)](
                           std::span<const Candidate> candidates) {
          std::vector<predictors::Features> rows;
          for (const auto& candidate : candidates) rows.push_back(features(candidate.genotype));
          return predictor->predict(rows);
        };
      }
      result.push_back(std::move(made));
    }
    return result;
  }

  void search() {
    set_status("running", "search");
    const auto objectives = search_objectives();
    const auto extra = extra_evaluators();
    announce_search();
    auto settings = work_.file.search;
    settings.start = start_networks(database_, job_, work_);
    const auto outcome = search::run_search(*work_.space, objectives, extra, settings,
                                            work_.file.seed, database_, job_);
    core::log_info("search: " + std::to_string(outcome.evaluations) + " networks in " +
                   std::to_string(outcome.generations) + " generations, hypervolume " +
                   core::format_double(std::round(outcome.hypervolume * 1e4) / 1e4) +
                   ", stopped by " + outcome.stopped_by);
    set_status("running", "remeasure");
    const auto measured = search::remeasure_front(*work_.space, objectives, database_, job_);
    if (measured > 0)
      core::log_info("front: " + std::to_string(measured) +
                     " networks measured until the measured front was stable");
  }

  /// How long the search will take, from one evaluation of the largest network that is not
  /// recorded.
  void announce_search() {
    const double seconds = evaluation_seconds(
        work_, [this] { return workbench(); }, false, false);
    const auto done = database_.evaluations(job_.id).size();
    const auto& candidates = work_.file.search.candidates;
    const double most = std::min(
        static_cast<double>(work_.file.search.evaluations),
        candidates ? static_cast<double>(candidates->size()) : work_.space->size().architectures);
    const double left = most - static_cast<double>(done);
    core::log_info(
        "searching " + core::with_commas(static_cast<long long>(most)) +
        (candidates ? " of the " + core::with_commas(std::ssize(candidates->networks())) +
                          " networks that " + work_.table->csv().origin + " has all values of"
                    : " networks") +
        (seconds > 0 ? ": at most about " + core::human_seconds(seconds * std::max(0.0, left))
                     : ""));
  }

  Workplace work_;
  db::Database& database_;
  db::Job job_;
  std::unique_ptr<supernet::Supernet> supernet_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Evaluator>>
      evaluators_;  ///< by name and keys
  std::map<std::string, std::shared_ptr<predictors::Predictor>> predictors_;
};

void say_done(const db::Job& job, const std::string& db) {
  auto config = core::Config::from_text(job.config, job.config_path, former_keys());
  const auto settings = search::SearchSettings::read(config.root().section("search"));
  core::log_info("job '" + job.name + "' is finished: mosaic front " + job_option(job.name) +
                 " --db " + core::quoted(db));
  core::log_info(
      "to search on: " +
      job_command("resume", job.name, db,
                  "--set search.evaluations=" + std::to_string(2 * settings.evaluations)) +
      "; to run it again give it another name");
}

}  // namespace

JobRun run_job(const RunOptions& options, Goal goal) {
  JobFile file = JobFile::from_file(options.job_file, options.set);
  const core::Activity activity("job '" + file.name + "'");
  if (goal == Goal::run || goal == Goal::search) expect_objective(file);
  if (goal == Goal::train && !file.sharing)
    throw core::UsageError(
        options.job_file + " has no [supernet]: there is nothing to train",
        "take the job further with: mosaic search " + core::quoted(options.job_file));
  if (goal == Goal::measure && std::none_of(file.objectives.begin(), file.objectives.end(),
                                            [](const auto& o) { return o.predicted; }))
    throw core::UsageError(
        options.job_file +
            " has no metric that is timed and predicted: there is nothing to measure",
        "take the job further with: mosaic search " + core::quoted(options.job_file));
  auto opened = opened_before(options.db, file);
  // What a table tells costs nothing to get again: its searches need not wait for the disk.
  db::Database database(options.db,
                        {.survive_power_failure = file.table == nullptr, .libraries = libraries()});
  const auto known =
      begun_job(database, file,
                "give the changed job another name (start_job = \"" + file.name +
                    "\" in its [search] begins from this one's front), or go on as it began: " +
                    job_command("resume", file.name, options.db));
  if (known && is_done(*known)) {
    say_done(*known, options.db);
    return {*known, goal};
  }
  Workplace work = known    ? reopen(begun_file(database, *known), *known)
                   : opened ? std::move(*opened)
                            : open_new(file);
  db::Job job = known ? *known : new_job(work, options.db);
  job.folder = existing_folder(job, work.file, options.db);
  if (!known) {
    // What can be wrong with a search is found before there is a job.
    const bool searches = goal == Goal::search || goal == Goal::run;
    const auto start = searches ? found_networks(database, work) : given_networks(work);
    if (searches) {
      auto settings = work.file.search;
      for (const auto& arch : start) settings.start.push_back(work.space->parse(arch));
      search::check_search(*work.space, settings, job.objectives.size());
    }
    database.create_job(job);
    keep_begun(database, job, work.file);
    if (searches) keep_start(database, job, start);
  }
  keep_file(database, job, file);
  core::log_info("job '" + job.name + "'" + (known ? " goes on in phase '" + job.phase + "'" : "") +
                 ": space " + job.space + " (" +
                 core::human_count(work.space->size().architectures) + " networks)" +
                 (job.task.empty() ? "" : ", task " + job.task) + ", " + job.device +
                 ", database " + options.db);
  if (work.task && !known)
    if (const auto data = work.task->summary(); !data.empty())
      core::log_info("task " + job.task + ": " + data);
  return Pipeline(std::move(work), database, std::move(job)).run(goal);
}

namespace {

db::Database existing_database(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw core::UsageError("there is no database " + path,
                           "give the one that the job was begun with: --db FILE");
  return db::Database(path, {.libraries = libraries()});
}

}  // namespace

Remeasured remeasure_job(const std::string& db, const std::optional<std::string>& name) {
  db::Database database = existing_database(db);
  const db::Job job = named_job(database, name);
  const core::Activity activity("job '" + job.name + "'");
  Workplace work = reopen(begun_file(database, job), job);
  try {
    return Pipeline(std::move(work), database, job).remeasure();
  } catch (const core::Interrupted&) {
    throw core::Interrupted("stopped; everything measured so far is kept",
                            "the same command goes on with what is left");
  }
}

JobRun resume_job(const std::string& db, const std::optional<std::string>& name,
                  const std::vector<std::string>& set) {
  db::Database database = existing_database(db);
  settle_killed_jobs(database);
  db::Job job = named_job(database, name);
  const core::Activity activity("job '" + job.name + "'");
  if (!set.empty()) {
    const auto file = JobFile::from_text(job.config, job.config_path, set);
    if (file.name != job.name)
      throw core::UsageError("--set cannot give job '" + job.name + "' another name",
                             "mosaic jobs --rename does");
    job = with_file(database, job, file,
                    "a job goes on as it began: only limits of its search may be raised");
  }
  if (is_done(job)) {
    say_done(job, db);
    return {job};
  }
  if (job.phase == "rank")
    return {job, Goal::run, false, resume_rank(database, begun_file(database, job), job)};
  if (job.status == "finished") {
    core::log_info("job '" + job.name + "' has finished its step '" + job.phase +
                   "'; take it further with: mosaic run " + job.config_path + " --db " + db);
    return {job};
  }
  if (file_changed(database, job))
    core::log_warning(job.config_path + " changed since job '" + job.name +
                      "' began: going on as it began");
  const JobFile file = begun_file(database, job);
  database.survive_power_failure(file.table == nullptr);
  core::log_info("job '" + job.name + "' goes on in phase '" + job.phase + "'");
  job.folder = existing_folder(job, file, db);
  Workplace work = reopen(file, job);
  const Goal goal = goal_of(database.state(job.id, "goal").value_or("run"));
  return Pipeline(std::move(work), database, job).run(goal);
}

}  // namespace mosaic::jobs
