#include "mosaic/jobs/plan.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "begin.hpp"
#include "evaluation_seconds.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/db/writer.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/training/trainee.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "rank_records.hpp"
#include "samples.hpp"
#include "start.hpp"

namespace mosaic::jobs {

double evaluation_seconds(const Workplace& work,
                          const std::function<evaluators::Workbench()>& workbench, bool predicted,
                          bool timed) {
  const core::Activity activity("time an evaluation of the largest network");
  const auto largest = evaluators::make_candidate(*work.space, work.space->largest());
  double seconds = 0;
  std::set<std::pair<std::string, std::string>> seen;  // evaluators and keys
  for (const auto& objective : work.file.objectives) {
    const auto& [evaluator, keys] =
        std::pair(objective.measuring.evaluator, objective.measuring.keys);
    if (objective.predicted != predicted || !seen.emplace(evaluator, keys).second) continue;
    std::vector<std::string> metrics;
    for (const auto& other : work.file.objectives)
      if (other.measuring.evaluator == evaluator && other.measuring.keys == keys)
        metrics.push_back(other.metric);
    const auto made = objective.measuring.make(workbench(), metrics);
    const auto& infos = made->metrics();
    if (std::any_of(infos.begin(), infos.end(),
                    [&](const auto& info) { return info.exact || (info.timed && !timed); }))
      continue;
    const core::Stopwatch watch;
    made->evaluate({&largest, 1});
    seconds += watch.seconds();
  }
  return seconds;
}

namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& path) { return fs::absolute(path).string(); }

/// The nearest folder that is there, at or above a path.
fs::path nearest_folder(const std::string& path) {
  fs::path folder = absolute(path);
  while (!fs::is_directory(folder) && folder != folder.parent_path()) folder = folder.parent_path();
  return folder;
}

/// "12 more": of what there is still to do, where something is done.
std::string counted(double left, double all) {
  return core::with_commas(std::llround(left)) + (left < all ? " more" : "");
}

class Plan {
 public:
  /// `ranking`: of a ranking, not of a search.
  Plan(JobFile file, std::string db, bool ranking) : db_(std::move(db)), ranking_(ranking) {
    check_database();
    if (fs::exists(db_)) {
      reader_.emplace(db_);
      known_ = reader_->find_job(file.name);
    }
    anew_ = known_ && begins_anew(*reader_, *known_, file);
    if (anew_)
      known_.reset();
    else if (known_)
      known_ = with_file(*reader_, *known_, file, "give the changed job another name");
    work_.emplace(known_ ? reopen(begun_file(*reader_, *known_), *known_)
                         : open_new(std::move(file)));
    job_ = known_ ? *known_ : new_job(*work_, db_);
    job_.folder = existing_folder(job_, work_->file, db_);
    add("job", "'" + job_.name + "' " + how_it_stands());
    add("device", job_.device + ", " + std::to_string(supernet::threads()) + " threads");
    add("space",
        job_.space + ", " + core::human_count(work_->space->size().architectures) + " networks");
    if (work_->task) add("data", data());
    if (work_->table)
      add("table", work_->table->csv().origin + ", " +
                       core::with_commas(std::ssize(work_->file.search.candidates->networks())) +
                       " networks with all values");
  }

  /// A ranking is done when its statistics are kept.
  bool done() const {
    return ranking_ ? known_ && reader_->state(known_->id, "rank") : is_done(job_);
  }
  const db::Job& job() const { return job_; }
  const db::Reader* database() const { return reader_ ? &*reader_ : nullptr; }
  const Workplace& work() const { return *work_; }

  void add(const std::string& part, const std::string& text) { lines_.push_back({part, text}); }

  /// The start of its search, which must be possible.
  void check_search() {
    auto settings = work_->file.search;
    const auto& start = work_->file.start;
    std::vector<std::string> archs;
    if (known_)
      archs = begun_networks(*reader_, *known_, *work_);
    else if (reader_)
      archs = found_networks(*reader_, *work_);
    else if (start.job.empty())
      archs = given_networks(*work_);
    else if (!start.db.empty())
      archs = found_networks(db::Reader(start.db), *work_);
    else
      throw core::UsageError(start.where_job + ": there is no database " + db_,
                             "give the database of start_job: start_db = \"FILE\"");
    for (const auto& arch : archs) settings.start.push_back(work_->space->parse(arch));
    search::check_search(*work_->space, settings, job_.objectives.size());
  }

  void add_training() {
    supernet_ = work_->make_supernet();
    const auto checkpoint = supernet_path(job_.folder);
    if (known_) expect_supernet(*reader_, job_);
    if (supernet::training_complete(checkpoint)) {
      supernet::load_checkpoint(checkpoint, *supernet_, work_->training_identity());
      return add("training", "done: " + checkpoint);
    }
    const auto trainee =
        supernet::supernet_trainee(*supernet_, work_->file.train, work_->file.seed);
    trainee->learn_from(work_->teacher());
    add_training("training", *trainee, *work_->task, work_->file.train, 1,
                 supernet::trained_steps(checkpoint, work_->training_identity()));
  }

  /// `times`: so many trainings, one after the other. `done`: steps of the first.
  void add_training(const std::string& part, supernet::Trainee& trainee, const tasks::Task& task,
                    const supernet::TrainSettings& settings, std::size_t times,
                    std::int64_t done = 0) {
    const core::Activity activity("time some steps of training");
    const auto found = supernet::estimate(trainee, task, settings, *work_->space);
    const auto all = static_cast<double>(found.steps);
    const auto left = std::max(0.0, all - static_cast<double>(done));
    const double seconds = found.seconds * (all > 0 ? left / all : 0) * static_cast<double>(times);
    seconds_ += seconds;
    disk_ += found.disk;
    const bool tight = work_->device == "cpu" && found.bytes > core::available_memory();
    add(part,
        (times > 1 ? core::with_commas(static_cast<std::int64_t>(times)) + " times " : "") +
            counted(left, all) + " steps of " +
            std::to_string(std::llround(found.batches.examples)) + " examples: " +
            (std::isnan(found.seconds) ? "a batch does not fit in memory, and is taken in pieces"
                                       : "about " + core::human_seconds(seconds)));
    add("memory", "about " + core::human_bytes(found.bytes) + " for " + part +
                      (work_->device == "cpu"
                           ? ", " + core::human_bytes(core::available_memory()) + " are free"
                           : "") +
                      (tight ? ": a batch may be taken in pieces" : ""));
  }

  void add_measuring() {
    std::set<std::string> all, left;  // networks, by hash
    std::vector<std::string> metrics;
    for (const auto& objective : work_->file.objectives) {
      if (!objective.predicted) continue;
      metrics.push_back(objective.metric);
      const auto fidelity = fidelity_of(objective);
      const auto samples =
          sample_architectures(*work_, static_cast<std::size_t>(objective.samples));
      if (!measures_all(*work_, samples.size())) predicted_.push_back(objective.metric);
      for (const auto& genotype : samples) {
        const auto hash = evaluators::make_candidate(*work_->space, genotype).hash;
        all.insert(hash);
        if (!known_ || !reader_->find_measurement(known_->id, work_->space->hash(), hash,
                                                  objective.metric, fidelity))
          left.insert(hash);
      }
    }
    if (metrics.empty()) return;
    if (!left.empty() || !predicted_.empty())
      measuring_seconds_ = evaluation_seconds(
          *work_, [this] { return workbench(); }, true, true);
    if (left.empty())
      return add("measuring", "done: " + core::with_commas(std::ssize(all)) + " networks for " +
                                  core::join(metrics));
    add_timed("measuring",
              counted(static_cast<double>(left.size()), static_cast<double>(all.size())) +
                  " networks for " + core::join(metrics),
              measuring_seconds_ * static_cast<double>(left.size()));
  }

  void add_search() {
    const auto& file = work_->file;
    const double all = file.search.candidates ? static_cast<double>(file.search.candidates->size())
                                              : work_->space->size().architectures;
    const double most = std::min(static_cast<double>(file.search.evaluations), all);
    const double done = known_ ? static_cast<double>(reader_->evaluation_count(known_->id)) : 0;
    const double left = std::max(0.0, most - done);
    const double seconds = evaluation_seconds(
                               *work_, [this] { return workbench(); }, false, true) *
                           left;
    add_timed("search", counted(left, most) + " networks by " + file.search.algorithm, seconds,
              file.search.minutes > 0
                  ? ", ended after " + core::human_seconds(60 * file.search.minutes)
                  : "");
    if (!predicted_.empty())
      add_timed("re-measuring",
                "what the front owes to predictions of " + core::join(predicted_) + ", " +
                    core::with_commas(std::llround(most)) + " networks at most",
                measuring_seconds_ * most);
  }

  /// What takes no more than so long.
  void add_timed(const std::string& part, const std::string& text, double seconds,
                 const std::string& more = "") {
    seconds_ += seconds;
    add(part, text + (seconds > 0 ? ": at most about " + core::human_seconds(seconds) : "") + more);
  }

  std::vector<PlanLine> end() {
    add_disk();
    if (!std::isnan(seconds_) && seconds_ >= 1)
      add("in all", "at most about " + core::human_seconds(seconds_) +
                        (predicted_.empty() ? "" : ", and fitting the predictors"));
    return std::move(lines_);
  }

 private:
  std::string how_it_stands() const {
    if (anew_)
      return "begins anew in " + db_ + ": its file was changed before it came to its first step";
    if (!known_) return "begins in " + db_ + (reader_ ? "" : ", a new database");
    if (done()) return "is finished in " + db_ + ": there is nothing to do";
    const auto writer = db::writer_of(db_);
    return std::string(job_.status == "running" && writer
                           ? "is running in process " + std::to_string(*writer)
                           : "goes on") +
           " in " + db_ + ", phase '" + job_.phase + "'";
  }

  std::string data() const {
    const auto count = [&](tasks::Split split) {
      return core::with_commas(work_->task->size(split));
    };
    return work_->task->name() + ", " + count(tasks::Split::train) + " examples to train on, " +
           count(tasks::Split::validation) + " to validate, " + count(tasks::Split::test) +
           " to test";
  }

  void check_database() const {
    const auto folder = fs::path(absolute(db_)).parent_path();
    if (!fs::is_directory(folder))
      throw core::UsageError("cannot make " + db_ + ": there is no folder " + folder.string(),
                             "make it, or choose another place with --db");
    if (::access(fs::exists(db_) ? db_.c_str() : folder.c_str(), W_OK) != 0)
      throw core::UsageError("cannot write to " + db_, "choose another place with --db");
  }

  evaluators::Workbench workbench() const {
    evaluators::Workbench::Parts parts;
    parts.space = work_->space.get();
    parts.supernet = supernet_.get();
    parts.task = work_->task.get();
    parts.table = work_->table;
    if (work_->file.sharing) parts.checkpoint = work_->training_identity().substr(0, 12);
    parts.seed = work_->file.seed;
    return evaluators::Workbench(std::move(parts));
  }

  /// How a metric is measured, as its measurements are noted.
  std::string fidelity_of(const ObjectiveFile& objective) const {
    const auto made = objective.measuring.make(workbench(), {objective.metric});
    return made->metrics()[made->column(objective.metric)].fidelity;
  }

  void add_disk() {
    if (disk_ == 0) return;
    const auto folder = nearest_folder(job_.folder);
    if (::access(folder.c_str(), W_OK) != 0)
      throw core::UsageError("cannot write to " + folder.string(),
                             "set [job] folder to one you may write");
    const auto free = static_cast<double>(fs::space(folder).available);
    add("disk", "about " + core::human_bytes(disk_) + " in " + job_.folder + ", " +
                    core::human_bytes(free) + " are free" + (free < disk_ ? ": TOO LITTLE" : ""));
  }

  core::Activity activity_{"check the job"};
  std::string db_;
  bool ranking_;
  std::optional<db::Reader> reader_;
  std::optional<db::Job> known_;
  bool anew_ = false;  ///< the database has it, but it begins again
  std::optional<Workplace> work_;
  db::Job job_;
  std::unique_ptr<supernet::Supernet> supernet_;
  std::vector<PlanLine> lines_;
  std::vector<std::string> predicted_;  ///< metrics that a predictor stands for in the search
  double measuring_seconds_ = 0;        ///< of a network, in the metrics that are predicted
  double seconds_ = 0;
  double disk_ = 0;
};

/// Seconds that the scoring of one network takes.
template <class Score>
double scoring_seconds(const Score& score) {
  const core::Activity activity("time the scoring of the largest network");
  const core::Stopwatch watch;
  score();
  return watch.seconds();
}

void plan_scores(Plan& plan, const RankRecords& records) {
  const auto& work = plan.work();
  const auto left = static_cast<double>(records.unscored().size());
  const auto all = static_cast<double>(records.candidates().size() + records.best().size());
  if (left == 0) return plan.add("supernets", "done: every network is scored");
  std::vector<std::unique_ptr<supernet::Supernet>> supernets;
  std::vector<supernet::Supernet*> members;
  std::vector<std::int64_t> orders;
  for (const auto seed : records.seeds()) {
    supernets.push_back(
        std::make_unique<supernet::Supernet>(*work.space, *work.file.sharing, seed));
    supernets.back()->to(work.device);
    members.push_back(supernets.back().get());
    orders.push_back(static_cast<std::int64_t>(orders.size()));
  }
  const auto path = supernets_path(plan.job().folder);
  const auto steps = supernet::trained_steps(path, records.supernets_identity());
  if (supernet::training_complete(path)) {
    plan.add("supernets", "done: " + path);
  } else {
    const auto trainee =
        supernet::supernet_trainee(members, work.file.train, work.file.seed, orders);
    trainee->learn_from(work.teacher());
    plan.add_training("supernets", *trainee, *work.task, work.file.train, 1, steps);
  }
  const auto scoring = records.how_to_score(tasks::Split::validation, work.file.rank->examples);
  plan.add_timed(
      "scoring",
      counted(left, all) + " networks by " + std::to_string(members.size()) + " supernets",
      left * scoring_seconds([&] {
        supernet::score_supernets(members, work.space->largest(), *work.task, scoring);
      }));
}

void plan_truths(Plan& plan, const RankRecords& records) {
  const auto& work = plan.work();
  const auto& rank = *work.file.rank;
  const auto left = records.untrained().size();
  if (left == 0) return plan.add("alone", "done: every network was trained");
  auto subnet = supernet::fresh_subnet(*work.space, work.space->largest(), work.file.seed);
  subnet.to(work.device);
  const auto own_task = alone_task(work);
  plan.add_training("alone", *supernet::subnet_trainee(subnet), own_task ? *own_task : *work.task,
                    rank.truth, left);
  supernet::Subnet* const member = &subnet;
  plan.add_timed("scoring alone", core::with_commas(static_cast<std::int64_t>(left)) + " networks",
                 static_cast<double>(left) * scoring_seconds([&] {
                   supernet::score_subnets({&member, 1}, *work.task,
                                           records.how_to_score(rank.truth_split, 0));
                 }));
}

}  // namespace

std::vector<PlanLine> plan_job(const RunOptions& options) {
  auto file = JobFile::from_file(options.job_file, options.set);
  expect_objective(file);
  Plan plan(std::move(file), options.db, false);
  if (plan.done()) return plan.end();
  plan.check_search();
  if (plan.work().file.sharing) plan.add_training();
  plan.add_measuring();
  plan.add_search();
  return plan.end();
}

std::vector<PlanLine> plan_rank(const RankOptions& options) {
  auto file = JobFile::from_file(options.job_file, options.set);
  expect_ranking(file);
  Plan plan(std::move(file), options.db, true);
  if (plan.done()) return plan.end();
  const auto& work = plan.work();
  const auto& rank = *work.file.rank;
  const RankRecords records(work, plan.database(), plan.job());
  plan.add("ranked", core::with_commas(std::ssize(records.candidates())) + " networks, by " +
                         std::to_string(rank.supernets) + " supernets");
  if (options.part != RankPart::truth) plan_scores(plan, records);
  if (options.part != RankPart::scores && !rank.table) plan_truths(plan, records);
  return plan.end();
}

}  // namespace mosaic::jobs
