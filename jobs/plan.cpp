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

class Plan {
 public:
  Plan(JobFile file, std::string db) : db_(std::move(db)) {
    check_database();
    if (fs::exists(db_)) {
      reader_.emplace(db_);
      known_ = reader_->find_job(file.name);
    }
    if (known_) known_ = with_file(*reader_, *known_, file, "give the changed job another name");
    work_.emplace(known_ ? reopen(file, *known_) : Workplace::open(std::move(file)));
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

  bool done() const { return is_done(job_); }
  const Workplace& work() const { return *work_; }

  void add(const std::string& part, const std::string& text) { lines_.push_back({part, text}); }

  /// The start of its search, which must be possible.
  void check_search() {
    auto settings = work_->file.search;
    const auto& start = work_->file.start;
    std::vector<std::string> archs;
    if (reader_)
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
    if (supernet::training_complete(supernet_path(job_.folder)))
      return add("training", "done: " + supernet_path(job_.folder));
    const auto trainee =
        supernet::supernet_trainee(*supernet_, work_->file.train, work_->file.seed);
    add_training("training", *trainee, work_->file.train, 1);
  }

  /// `times`: so many trainings, one after the other.
  void add_training(const std::string& part, supernet::Trainee& trainee,
                    const supernet::TrainSettings& settings, double times) {
    const core::Activity activity("time some steps of training");
    const auto found = supernet::estimate(trainee, *work_->task, settings, *work_->space);
    seconds_ += found.seconds * times;
    disk_ += found.disk;
    const bool tight = work_->device == "cpu" && found.bytes > core::available_memory();
    add(part,
        (times > 1 ? core::with_commas(std::llround(times)) + " times " : "") +
            core::with_commas(found.steps) + " steps of " + std::to_string(found.batch_size) +
            " examples: " +
            (std::isnan(found.seconds) ? "a batch does not fit in memory, and is taken in pieces"
                                       : "about " + core::human_seconds(found.seconds * times)));
    add("memory", "about " + core::human_bytes(found.bytes) + " for " + part +
                      (work_->device == "cpu"
                           ? ", " + core::human_bytes(core::available_memory()) + " are free"
                           : "") +
                      (tight ? ": a batch may be taken in pieces" : ""));
  }

  void add_measuring() {
    std::int64_t samples = 0;
    std::vector<std::string> metrics;
    for (const auto& objective : work_->file.objectives)
      if (objective.predicted) {
        samples = std::max(samples, objective.samples);
        metrics.push_back(objective.metric);
      }
    if (metrics.empty()) return;
    const auto size = work_->space->size();
    if (size.exact) samples = std::min<std::int64_t>(samples, std::llround(size.architectures));
    const double seconds = evaluation_seconds(
                               *work_, [this] { return workbench(); }, true, true) *
                           static_cast<double>(samples);
    seconds_ += seconds;
    add("measuring", core::with_commas(samples) + " networks for " + core::join(metrics) +
                         ": at most about " + core::human_seconds(seconds));
  }

  void add_search() {
    const auto& file = work_->file;
    const double all = file.search.candidates ? static_cast<double>(file.search.candidates->size())
                                              : work_->space->size().architectures;
    const double done = known_ ? static_cast<double>(reader_->evaluation_count(known_->id)) : 0;
    const double left =
        std::max(0.0, std::min(static_cast<double>(file.search.evaluations), all) - done);
    const double seconds = evaluation_seconds(
                               *work_, [this] { return workbench(); }, false, true) *
                           left;
    seconds_ += seconds;
    add("search", core::with_commas(std::llround(left)) + (done > 0 ? " more" : "") +
                      " networks by " + file.search.algorithm +
                      (seconds > 0 ? ": at most about " + core::human_seconds(seconds) : "") +
                      (file.search.minutes > 0
                           ? ", ended after " + core::human_seconds(60 * file.search.minutes)
                           : ""));
  }

  std::vector<PlanLine> end() {
    add_disk();
    if (!std::isnan(seconds_) && seconds_ >= 1)
      add("in all", "at most about " + core::human_seconds(seconds_));
    return std::move(lines_);
  }

 private:
  std::string how_it_stands() const {
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
    parts.seed = work_->file.seed;
    return evaluators::Workbench(std::move(parts));
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
  std::optional<db::Reader> reader_;
  std::optional<db::Job> known_;
  std::optional<Workplace> work_;
  db::Job job_;
  std::unique_ptr<supernet::Supernet> supernet_;
  std::vector<PlanLine> lines_;
  double seconds_ = 0;
  double disk_ = 0;
};

}  // namespace

std::vector<PlanLine> plan_job(const RunOptions& options) {
  auto file = JobFile::from_file(options.job_file, options.set);
  expect_objective(file);
  Plan plan(std::move(file), options.db);
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
  Plan plan(std::move(file), options.db);
  const auto& work = plan.work();
  const auto& rank = *work.file.rank;
  const auto size = work.space->size();
  const double networks = rank.networks > 0
                              ? std::min(static_cast<double>(rank.networks), size.architectures)
                              : size.architectures;
  plan.add("ranked", core::human_count(networks) + " networks, by " +
                         std::to_string(rank.supernets) + " supernets");
  if (options.part != RankPart::truth) {
    std::vector<std::unique_ptr<supernet::Supernet>> supernets;
    std::vector<supernet::Supernet*> members;
    std::vector<std::int64_t> orders;
    for (std::int64_t i = 0; i < rank.supernets; ++i) {
      supernets.push_back(work.make_supernet());
      members.push_back(supernets.back().get());
      orders.push_back(i);
    }
    plan.add_training("supernets",
                      *supernet::supernet_trainee(members, work.file.train, work.file.seed, orders),
                      work.file.train, 1);
  }
  if (options.part != RankPart::scores && !rank.table) {
    auto subnet = supernet::fresh_subnet(*work.space, work.space->largest(), work.file.seed);
    subnet.to(work.device);
    plan.add_training("alone", *supernet::subnet_trainee(subnet), rank.truth,
                      networks * static_cast<double>(rank.truth_seeds));
  }
  return plan.end();
}

}  // namespace mosaic::jobs
