#include "rank_records.hpp"

#include <algorithm>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"

namespace mosaic::jobs {
namespace {

std::string settings_text(const supernet::TrainSettings& s) {
  return "epochs=" + std::to_string(s.epochs) + ", batch=" + std::to_string(s.batch_size) + ", " +
         s.optimizer + ", rate=" + core::format_double(s.learning_rate) +
         ", decay=" + core::format_double(s.weight_decay) +
         ", clip=" + core::format_double(s.clip) +
         ", smoothing=" + core::format_double(s.label_smoothing) +
         ", warmup=" + core::format_double(s.warmup) + ", " + s.precision;
}

/// What decides a network's training beside settings_text(), where it is not what it is by default:
/// truths that were recorded before it was told apart stay those of the defaults.
std::string further_settings(const supernet::TrainSettings& s, const tasks::TaskSettings& task) {
  std::string text;
  const auto add = [&](const std::string& what) { text += ", " + what; };
  if (s.optimizer == "sgd" && s.momentum != supernet::TrainSettings().momentum)
    add("momentum=" + core::format_double(s.momentum));
  const tasks::TaskSettings standard;
  if (!task.augment) add("not augmented");
  if (task.seed != standard.seed) add("data of seed " + std::to_string(task.seed));
  if (task.limit != standard.limit) add("limit=" + std::to_string(task.limit));
  if (task.validation != standard.validation)
    add("validation=" + core::format_double(task.validation));
  return text + core::changed_text(s) + core::changed_text(task);
}

}  // namespace

RankRecords::RankRecords(const Workplace& work, const db::Reader* database, const db::Job& job)
    : work_(work),
      rank_(*work.file.rank),
      database_(database),
      job_(job),
      metrics_(tasks::all_metrics(*work.task)) {
  // What networks write takes many passes: it is computed where the truth is judged by it.
  std::erase_if(metrics_, [&](const auto& metric) {
    return metric.of_written && metric.name != rank_.truth_metric;
  });
  // One that the task does not have was refused when the job was opened.
  for (std::size_t i = 0; i < metrics_.size(); ++i)
    if (metrics_[i].name == rank_.truth_metric) truth_ = i;
  for (auto& genotype : networks())
    candidates_.push_back(evaluators::make_candidate(*work.space, genotype));
  if (rank_.table && rank_.best > 0) best_ = best_of_table();
  for (std::int64_t i = 0; i < rank_.supernets; ++i)
    seeds_.push_back(work.file.seed + static_cast<std::uint64_t>(i));
  core::Hasher hasher;
  hasher.add(work.training_identity()).add("joint").add(rank_.supernets);
  supernets_identity_ = hasher.hex();
  if (database_ != nullptr) like_truths_ = jobs_of_like_truths();
}

/// The networks of best truth in the table; where truths tie, in its order. Rows that cannot be
/// read are reported by table_truth().
std::vector<evaluators::Candidate> RankRecords::best_of_table() const {
  const auto& csv = *rank_.table;
  const auto arch = csv.column("arch"), column = csv.column(rank_.column);
  std::vector<std::pair<double, std::size_t>> rows;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    try {
      rows.emplace_back(csv.number(row, column), row);
    } catch (const core::Error&) {
      continue;
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::set<std::string> seen;
  std::vector<Candidate> result;
  for (const auto& [value, row] : rows) {
    if (result.size() == static_cast<std::size_t>(rank_.best)) break;
    try {
      auto candidate =
          evaluators::make_candidate(*work_.space, work_.space->parse(csv.rows[row][arch]));
      if (seen.insert(candidate.arch).second) result.push_back(std::move(candidate));
    } catch (const core::UsageError&) {
      continue;
    }
  }
  return result;
}

std::vector<spaces::Genotype> RankRecords::networks() const {
  const auto& space = *work_.space;
  constexpr std::size_t kMost = 20'000;
  const auto wanted = static_cast<std::size_t>(rank_.networks);
  auto all = space.enumerate(kMost);
  if (all && (wanted == 0 || wanted >= all->size())) return *all;
  if (wanted == 0)
    throw core::UsageError("the space holds more than " + std::to_string(kMost) +
                               " networks: too many to rank them all",
                           "set [rank] networks to the number to draw, such as 100");
  core::Stream stream(work_.file.seed, "ranked networks");
  std::set<spaces::Genotype> seen;
  std::vector<spaces::Genotype> result;
  for (std::size_t tries = 0; result.size() < wanted && tries < 100 * wanted; ++tries)
    if (auto genotype = space.random(stream); seen.insert(genotype).second)
      result.push_back(std::move(genotype));
  return result;
}

std::optional<core::Measurement> RankRecords::recorded(const Candidate& candidate,
                                                       const std::string& metric,
                                                       const std::string& fidelity) const {
  if (database_ == nullptr) return std::nullopt;
  const auto& hash = work_.space->hash();
  auto found = database_->find_measurement(job_.id, hash, candidate.hash, metric, fidelity);
  if (!found)
    found = database_->find_measurement(std::nullopt, hash, candidate.hash, metric, fidelity);
  return found && found->ok() ? found : std::nullopt;
}

supernet::Scoring RankRecords::how_to_score(tasks::Split split, std::int64_t examples) const {
  return {split, examples, rank_.calibration, rank_.precision,
          core::mapped(metrics_, &tasks::MetricType::name)};
}

std::string RankRecords::scoring_text() const {
  return ", calibrated on augmented " + std::to_string(rank_.calibration) +
         supernet::precision_text(rank_.precision);
}

std::string RankRecords::written_text(const tasks::MetricType& metric) const {
  return metric.of_written ? work_.task->writing().value().text() : std::string();
}

std::string RankRecords::inherited_fidelity(std::uint64_t seed,
                                            const tasks::MetricType& metric) const {
  const auto all = work_.task->size(tasks::Split::validation);
  const auto examples = rank_.examples > 0 ? std::min(rank_.examples, all) : all;
  return "inherited, checkpoint=" + supernets_identity_.substr(0, 12) +
         ", seed=" + std::to_string(seed) + ", validation images=" + std::to_string(examples) +
         scoring_text() + written_text(metric);
}

bool RankRecords::is_scored(const Candidate& candidate) const {
  return std::all_of(seeds_.begin(), seeds_.end(), [&](auto seed) {
    return std::all_of(metrics_.begin(), metrics_.end(), [&](const auto& metric) {
      return recorded(candidate, metric.name, inherited_fidelity(seed, metric));
    });
  });
}

std::vector<evaluators::Candidate> RankRecords::unscored() const {
  std::vector<Candidate> result;
  std::set<std::string> known;  // one of the best may be among the candidates
  for (const auto* candidates : {&candidates_, &best_})
    for (const auto& candidate : *candidates)
      if (known.insert(candidate.hash).second && !is_scored(candidate)) result.push_back(candidate);
  return result;
}

/// As earlier versions wrote it.
std::string RankRecords::former_alone_fidelity(std::uint64_t seed) const {
  return "stand-alone, " + settings_text(rank_.truth) + ", seed=" + std::to_string(seed) +
         ", split=" + tasks::to_string(rank_.truth_split) +
         ", data=" + work_.task->checksum().substr(0, 12) + ", trained on " +
         std::to_string(work_.task->size(tasks::Split::train) +
                        (rank_.all_examples ? work_.task->size(tasks::Split::validation) : 0)) +
         scoring_text();
}

std::string RankRecords::alone_fidelity(std::uint64_t seed, const tasks::MetricType& metric) const {
  // Earlier versions trained and scored by two vocabularies.
  const bool learned = rank_.all_examples && !work_.task->files().empty();
  return former_alone_fidelity(seed) + further_settings(rank_.truth, *work_.file.task) +
         (learned ? ", one vocabulary" : "") + written_text(metric);
}

/// Jobs whose truths are trained with the same further settings, this one first: earlier versions
/// did not write those down with a truth, but the job's own file has them.
std::vector<std::int64_t> RankRecords::jobs_of_like_truths() const {
  std::vector<std::int64_t> result{job_.id};
  const auto wanted = further_settings(rank_.truth, *work_.file.task);
  for (const auto& job : database_->jobs()) {
    if (job.id == job_.id || job.space_hash != job_.space_hash) continue;
    try {
      const auto file = JobFile::from_text(job.config, job.config_path);
      if (file.rank && file.task && further_settings(file.rank->truth, *file.task) == wanted)
        result.push_back(job.id);
    } catch (const core::Error&) {  // of another version: nothing is known of its settings
    }
  }
  return result;
}

std::optional<core::Measurement> RankRecords::truth(const Candidate& candidate,
                                                    std::uint64_t seed) const {
  std::vector<std::string> fidelities{alone_fidelity(seed, truth_metric())};
  if (work_.task->files().empty()) fidelities.push_back(former_alone_fidelity(seed));
  for (const auto job : like_truths_)
    for (const auto& fidelity : fidelities)
      if (auto found = database_->find_measurement(job, work_.space->hash(), candidate.hash,
                                                   alone(truth_metric()), fidelity);
          found && found->ok())
        return found;
  return std::nullopt;
}

std::vector<std::uint64_t> RankRecords::truth_seeds() const {
  std::vector<std::uint64_t> result;
  for (std::int64_t i = 0; i < rank_.truth_seeds; ++i)
    result.push_back(work_.file.seed + static_cast<std::uint64_t>(i));
  return result;
}

std::vector<RankRecords::Alone> RankRecords::untrained() const {
  std::vector<Alone> result;
  for (std::size_t i = 0; i < candidates_.size(); ++i)
    for (const auto seed : truth_seeds())
      if (!truth(candidates_[i], seed)) result.push_back({i, seed});
  return result;
}

std::string supernets_path(const std::string& folder) { return folder + "/supernets.safetensors"; }

std::unique_ptr<tasks::Task> alone_task(const Workplace& work) {
  if (!work.file.rank->all_examples) return nullptr;
  tasks::TaskSettings settings = *work.file.task;
  settings.validation = 0;
  settings.hold_out = false;
  settings.files = work.task->files();  // they are scored on the job's task
  auto task = tasks::make_task(settings);
  task->to(work.device);
  return task;
}

}  // namespace mosaic::jobs
