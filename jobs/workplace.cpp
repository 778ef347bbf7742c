#include "mosaic/jobs/workplace.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "job_lines.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/plugin.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/search/search.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/training/sampler.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "teacher.hpp"

namespace mosaic::jobs {

std::string libraries() {
  const auto plugins = core::describe_plugins();
  return "libtorch " + supernet::torch_version() + ", pagmo " + search::pagmo_version() +
         (plugins.empty() ? "" : ", " + plugins);
}

namespace {

void follow_data(JobFile& file, const tasks::Task& task) {
  const auto examples = task.size(tasks::Split::train);
  if (file.batch_size_by_data) file.train.batch_size = supernet::batch_size_for(examples);
  if (file.epochs_by_data)
    file.train.epochs =
        supernet::epochs_for(supernet::kSupernetSteps,
                             supernet::batches_of(task, file.train).per_epoch, file.train.epochs);
  file.epochs_by_data = file.batch_size_by_data = false;
}

/// Makes the space; what is wrong with an option is reported at its line.
spaces::Space space_of(const JobFile& file, const spaces::TaskShape& shape) {
  try {
    return spaces::Space::make(file.space, shape, file.space_options);
  } catch (const core::UsageError& error) {
    std::string key = "name";
    for (const auto& [option, value] : file.space_options)
      if (error.message().find("option '" + option + "'") != std::string::npos) key = option;
    at_key(file, "space", key, [] { throw; });
    throw;
  }
}

/// Can networks of the space, whatever their last layers are, learn the relations of a teacher, if
/// they are to?
void check_relations(const JobFile& file, const spaces::Space& space,
                     const spaces::Graph& teacher) {
  const auto& train = file.train;
  if (train.distill_relations == 0) return;
  at_key(file, "supernet", train.relation_heads > 0 ? "relation_heads" : "distill_relations", [&] {
    constexpr int kDrawn = 100;
    std::vector<spaces::Genotype> some{space.smallest(), space.largest()};
    core::Stream stream(file.seed, "networks to check");
    for (int i = 0; i < kDrawn; ++i) some.push_back(space.random(stream));
    for (const auto& genotype : some)
      supernet::check_relations(space.bind(genotype), teacher, train.relation_heads);
  });
}

/// Finds out who teaches, if the supernet is to learn from someone.
void settle_teacher(JobFile& file, const spaces::Space& space, const tasks::Task& task,
                    const std::string& device) {
  const auto& train = file.train;
  if (!train.distills()) return;
  if (train.teacher.empty()) {
    at_key(file, "supernet", train.distill > 0 ? "distill" : "distill_relations", [&] {
      if (!supernet::make_sampler(train.sampler, space)->largest_first())
        throw core::UsageError("the steps of sampler = \"" + train.sampler +
                                   "\" have no largest network, from which the others learn",
                               "use sampler = \"sandwich(random=2)\", or give a teacher");
    });
    check_relations(file, space, space.bind(space.largest()));
  } else if (file.teacher_hash.empty()) {
    Teacher teacher;
    at_key(file, "supernet", "teacher",
           [&] { teacher = load_teacher(train.teacher, task, device); });
    check_relations(file, space, teacher.network->graph());
    file.teacher_hash = teacher.hash;
  }
}

/// Looks at the weights that a supernet is to begin with.
void settle_beginning(JobFile& file, const tasks::Task& task) {
  if (file.begin_with.empty() || !file.begin_hash.empty()) return;
  at_key(file, "supernet", "begin_with", [&] {
    const auto path = supernet_path(file.begin_with);
    if (!std::filesystem::exists(path))
      throw core::UsageError(
          file.begin_with + " holds no supernet.safetensors",
          "name the folder of a job whose supernet was trained (results-files/JOB)");
    if (!supernet::training_complete(path))
      throw core::UsageError("the supernet in " + file.begin_with + " is not trained to the end",
                             "finish that job first: mosaic resume");
    // The same numbers must mean the same words.
    for (const auto& [name, content] : task.files()) {
      const auto there = file.begin_with + "/" + name;
      if (!std::filesystem::exists(there))
        throw core::UsageError("there is no " + name + " beside the supernet in " +
                                   file.begin_with + ": an earlier version of Mosaic trained it",
                               "copy the " + name + " of a network that was extracted from it to " +
                                   there + ", or train it again");
      if (core::read_file(there) != content)
        throw core::UsageError(
            "the supernet in " + file.begin_with + " was trained with another " + name,
            "set [task] tokenizer = \"" + there + "\"");
    }
    file.begin_hash = supernet::checkpoint_content(path);
  });
}

/// Is there what truths are to be judged by?
void expect_truth_metric(const JobFile& file, const tasks::Task& task) {
  if (!file.rank || file.rank->truth_metric.empty()) return;
  const auto names = core::mapped(tasks::all_metrics(task), &tasks::MetricType::name);
  if (std::find(names.begin(), names.end(), file.rank->truth_metric) != names.end()) return;
  at_key(file, "rank.truth", "metric", [&] {
    throw core::UsageError("the task has no metric '" + file.rank->truth_metric + "'",
                           "name one of " + core::join(names));
  });
}

}  // namespace

Workplace Workplace::open(JobFile file, std::optional<int> threads, const std::string& device) {
  Workplace work{std::move(file), {}, {}, nullptr, nullptr, nullptr};
  work.device = supernet::resolve_device(device.empty() ? work.file.device : device);
  work.trained_device = work.device;
  supernet::set_threads(threads.value_or(static_cast<int>(work.file.threads)));
  spaces::TaskShape shape;
  if (work.file.task) {
    const core::Activity load("load the data of " + work.file.task->name);
    at_key(work.file, "task", "", [&] { work.task = tasks::make_task(*work.file.task); });
    shape = work.task->shape();
    work.task->to(work.device);
    follow_data(work.file, *work.task);
  }
  work.space = std::make_unique<spaces::Space>(space_of(work.file, shape));
  if (const auto& sharing = work.file.sharing) {  // what the space does not have is refused now
    at_key(work.file, "supernet", "routed",
           [&] { (void)supernet::routed_slots(work.space->graph(), sharing->routed); });
    (void)supernet::sharing_kinds().at(sharing->kind)(work.space->graph(), 0, *sharing,
                                                      work.file.seed);
    const auto check_batches = [&](const std::string& section, const auto& settings) {
      if (settings.batch_tokens > 0)
        at_key(work.file, section, "batch_tokens", [&] {
          (void)supernet::batches_of(*work.task, settings);
          if (supernet::make_sampler(settings.sampler, *work.space)->learns())
            throw core::UsageError(
                "sampler = \"" + settings.sampler + "\" chooses the examples of a batch itself",
                "use batch_size with this sampler");
        });
    };
    check_batches("supernet", work.file.train);
    if (work.file.rank) check_batches("rank.truth", work.file.rank->truth);
    settle_teacher(work.file, *work.space, *work.task, work.device);
    settle_beginning(work.file, *work.task);
    expect_truth_metric(work.file, *work.task);
  }
  const auto scored = [](const auto& objective) {
    return objective.measuring.evaluator == "inherited";
  };
  const auto& objectives = work.file.objectives;
  if (work.task && work.file.sharing && work.task->size(tasks::Split::validation) == 0 &&
      std::any_of(objectives.begin(), objectives.end(), scored))
    throw core::UsageError(
        "task '" + work.task->name() +
            "' keeps no validation examples, by which networks are scored",
        "set [task] validation to the share of the training examples to keep, such as 0.1");
  if (const auto* csv = work.file.table.get()) {
    std::vector<std::string> columns;
    for (const auto& objective : work.file.objectives)
      if (objective.measuring.evaluator == "table") columns.push_back(objective.metric);
    work.table = std::make_shared<evaluators::Table>(*csv, *work.space, columns);
    work.file.search.candidates = std::make_shared<search::Candidates>(work.table->complete());
  }
  return work;
}

namespace {

constexpr const char* kBegun = "begun with";

}  // namespace

JobFile begun_file(const db::Reader& database, const db::Job& job) {
  JobFile file = JobFile::from_text(job.config, job.config_path);
  // The vocabulary may be that of another job, which is gone since: this one keeps its own.
  if (file.task && !file.task->tokenizer.empty() &&
      !std::filesystem::exists(file.task->tokenizer)) {
    const auto own = existing_folder(job, file, database.path()) + "/" + tasks::kTokenizerFile;
    if (std::filesystem::exists(own)) file.task->tokenizer = own;
  }
  const auto kept = database.state(job.id, kBegun);
  if (!kept) return file;  // begun by a version whose defaults were the same for all data
  const auto begun = nlohmann::json::parse(*kept);
  begun.at("epochs").get_to(file.train.epochs);
  begun.at("batch_size").get_to(file.train.batch_size);
  file.teacher_hash = begun.value("teacher", "");
  file.begin_hash = begun.value("begin_with", "");
  return file;
}

void keep_begun(db::Database& database, const db::Job& job, const JobFile& file) {
  if (!file.sharing) return;
  nlohmann::json begun = {{"epochs", file.train.epochs}, {"batch_size", file.train.batch_size}};
  if (!file.teacher_hash.empty()) begun["teacher"] = file.teacher_hash;
  if (!file.begin_hash.empty()) begun["begin_with"] = file.begin_hash;
  database.save_state(job.id, kBegun, begun.dump());
}

std::string Workplace::data_checksum() const {
  if (task) return task->checksum();
  return table ? table->checksum() : "";
}

std::string Workplace::training_identity() const {
  core::Hasher hasher;
  hasher.add(space->hash()).add(task ? task->checksum() : "");
  file.sharing->add_first(hasher);
  core::add_first(hasher, file.train);
  file.sharing->add_changed(hasher);
  if (file.task) core::add_first(hasher, *file.task);
  hasher.add(static_cast<std::int64_t>(file.seed)).add(trained_device);
  if (trained_device == "cpu") hasher.add(supernet::threads());
  core::add_changed(hasher, file.train);
  if (file.task) core::add_changed(hasher, *file.task);
  if (!file.teacher_hash.empty()) hasher.add("teacher").add(file.teacher_hash);
  if (!file.begin_hash.empty()) hasher.add("begin with").add(file.begin_hash);
  return hasher.hex();
}

void Workplace::begin_training(std::span<supernet::Supernet* const> supernets,
                               const std::string& folder) const {
  if (task)
    for (const auto& [name, content] : task->files())
      core::write_file_atomic(folder + "/" + name, content);
  if (file.begin_with.empty()) return;
  const auto path = supernet_path(file.begin_with);
  if (!std::filesystem::exists(path) || supernet::checkpoint_content(path) != file.begin_hash)
    throw core::Error(path + " is not what it was when the job began",
                      "restore that file, or begin a new job");
  supernet::Begun begun;
  for (auto* one : supernets) begun = supernet::begin_with(path, *one);
  const auto share = std::to_string(std::lround(100 * begun.share)) + "% of the weights";
  core::log_info("training begins with " + core::with_commas(begun.tensors) + " tensors of " +
                 path + ", " + share);
  if (begun.share < 0.5)
    core::log_warning("only " + share + " are begun with: " + begun.why +
                      "; the others are drawn at random");
}

std::shared_ptr<const supernet::Subnet> Workplace::teacher() const {
  if (file.train.teacher.empty()) return nullptr;
  auto found = load_teacher(file.train.teacher, *task, device);
  if (found.hash != file.teacher_hash)
    throw core::Error(
        "the teacher in " + file.train.teacher + " is not the network that the job began with",
        "restore that network, or begin a new job");
  return std::move(found.network);
}

std::unique_ptr<supernet::Supernet> Workplace::make_supernet() const {
  auto made = std::make_unique<supernet::Supernet>(*space, *file.sharing, file.seed);
  made->to(device);
  return made;
}

std::string job_folder(const JobFile& file, const std::string& db) {
  if (!file.folder.empty()) return file.folder;
  std::filesystem::path base(db);
  base.replace_extension();
  return base.string() + "-files/" + file.name;
}

std::string existing_folder(const db::Job& job, const JobFile& file, const std::string& db) {
  const auto filled = [](const std::string& folder) {
    std::error_code ignored;
    return std::filesystem::exists(folder, ignored) && !std::filesystem::is_empty(folder, ignored);
  };
  const auto beside = std::filesystem::absolute(job_folder(file, db)).string();
  return !filled(job.folder) && filled(beside) ? beside : job.folder;
}

std::string supernet_path(const std::string& folder) { return folder + "/supernet.safetensors"; }

}  // namespace mosaic::jobs
