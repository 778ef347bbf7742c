#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "begin.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/evaluators/evaluator.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/ranking.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "mosaic/spaces/merge.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "rank_job.hpp"
#include "rank_records.hpp"
#include "recorded_progress.hpp"

namespace mosaic::jobs {
namespace {

using evaluators::Candidate;

/// Weights of every node that exists, dead ones too: what a plain parameter count sees.
double parameters_with_dead_ones(const spaces::Space& space, const spaces::Genotype& genotype) {
  std::map<int, double> of_slot;
  for (const auto& node : space.graph().nodes) {
    if (node.condition.at(genotype) == 0) continue;
    for (const auto& use : node.weights) {
      double count = 1;
      for (const auto& extent : use.extents) count *= static_cast<double>(extent.at(genotype));
      of_slot[use.slot] = std::max(of_slot[use.slot], count);
    }
  }
  return std::accumulate(of_slot.begin(), of_slot.end(), 0.0,
                         [](double sum, const auto& entry) { return sum + entry.second; });
}

class Ranking {
 public:
  Ranking(Workplace& work, db::Database& database, db::Job& job)
      : work_(work),
        rank_(*work.file.rank),
        database_(database),
        job_(job),
        records_(work, &database, job) {
    std::filesystem::create_directories(job.folder);
  }

  std::optional<RankResult> run(RankPart part) {
    const auto progress = recorded_progress(database_, job_.id);
    if (part == RankPart::truth && !rank_.table) {
      train_missing();
      return std::nullopt;
    }
    score_missing();
    if (part != RankPart::all) return std::nullopt;
    RankResult result = scored(records_.candidates());
    result.sharing = sharing();
    if (!records_.best().empty())
      result.best = std::make_shared<RankResult>(scored(records_.best()));
    const core::Activity activity("compute statistics of the ranking");
    summarise(result);
    return result;
  }

 private:
  /// Scores, baselines and truth of some networks.
  RankResult scored(const std::vector<Candidate>& candidates) {
    RankResult result;
    result.job = job_.name;
    result.space = job_.space;
    result.task = job_.task;
    result.seeds = records_.seeds();
    result.scores = inherited(candidates);
    add_baselines(candidates, result.scores);
    rank_.table ? table_truth(candidates, result) : trained_truth(result);
    const auto named = [&](const std::string& name) {
      return std::find_if(result.scores.begin(), result.scores.end(),
                          [&](const auto& score) { return score.name == name; });
    };
    const auto loss =
        result.scores.begin() + static_cast<std::ptrdiff_t>(records_.metrics().size()) - 1;
    result.scores.insert(loss + 1, mean_rank(*loss, *named("FLOPs")));
    return result;
  }

  /// Where the supernets' sharing ended, as training recorded it.
  std::vector<std::vector<supernet::SharingEnd>> sharing() const {
    std::vector<std::vector<supernet::SharingEnd>> result;
    const auto recorded = database_.state(job_.id, "structures");
    if (!recorded) return result;
    for (const auto& of_seed : nlohmann::json::parse(*recorded))  // earlier versions kept no ends
      result.push_back(sharing_ends(of_seed.value("ends", nlohmann::json::array())));
    return result;
  }

  /// What each supernet makes of a network.
  void record(const Candidate& candidate, const std::vector<supernet::Score>& scores) {
    database_.transaction([&] {
      for (std::size_t s = 0; s < records_.seeds().size(); ++s)
        for (const auto& metric : records_.metrics())
          record(candidate, metric.name, metric.unit, scores[s].at(metric.name),
                 records_.inherited_fidelity(records_.seeds()[s], metric), records_.seeds()[s]);
    });
  }

  void record(const Candidate& candidate, const std::string& metric, const std::string& unit,
              const tasks::Estimate& found, const std::string& fidelity, std::uint64_t seed) {
    core::Measurement measurement;
    measurement.metric = metric;
    measurement.value = found.value;
    measurement.unit = unit;
    measurement.standard_error = found.error;
    measurement.fidelity = fidelity;
    measurement.seed = seed;
    measurement.device = supernet::describe_device(work_.device);
    const auto row = database_.architecture(work_.space->hash(), candidate.arch, candidate.hash);
    database_.add_measurement(job_.id, row, measurement);
  }

  // ---- supernets

  void score_missing() {
    const auto missing = records_.unscored();
    if (!missing.empty()) train_and_score(missing);
  }

  std::vector<RankedScore> inherited(const std::vector<Candidate>& candidates) const {
    std::vector<RankedScore> result;
    for (const auto& metric : records_.metrics()) {
      const auto& title = metric.title.empty() ? metric.name : metric.title;
      RankedScore score{"inherited " + title, metric.unit,
                        "validation " + metric.name + " with inherited weights"};
      score.higher_is_better = metric.maximise;
      score.same_scale =
          metric.name == records_.truth_metric().name;  // the truth is that metric alone
      for (const auto seed : records_.seeds()) {
        auto& values = score.values.emplace_back();
        for (const auto& candidate : candidates)
          values.push_back(
              records_.recorded(candidate, metric.name, records_.inherited_fidelity(seed, metric))
                  ->value);
      }
      result.push_back(std::move(score));
    }
    return result;
  }

  void train_and_score(const std::vector<Candidate>& missing) {
    std::vector<std::unique_ptr<supernet::Supernet>> supernets;
    std::vector<supernet::Supernet*> members;
    std::vector<std::int64_t> orders;
    for (const auto seed : records_.seeds()) {
      supernets.push_back(
          std::make_unique<supernet::Supernet>(*work_.space, *work_.file.sharing, seed));
      supernets.back()->to(work_.device);
      members.push_back(supernets.back().get());
      orders.push_back(static_cast<std::int64_t>(orders.size()));
    }
    if (!std::filesystem::exists(supernets_path(job_.folder)))
      work_.begin_training(members, job_.folder);
    const auto trainee =
        supernet::supernet_trainee(members, work_.file.train, work_.file.seed, orders);
    trainee->learn_from(work_.teacher());
    supernet::TrainHooks hooks;
    hooks.label = std::to_string(members.size()) + " supernets";
    hooks.checkpoint = supernets_path(job_.folder);
    hooks.identity = records_.supernets_identity();
    hooks.report = [this](const supernet::TrainProgress& p) {
      database_.add_training_point(
          job_.id, {p.step, p.epoch, p.learning_rate, p.examples_per_second, p.metrics});
    };
    hooks.resumed = [this](std::int64_t step) { database_.truncate_training(job_.id, step); };
    if (!std::filesystem::exists(hooks.checkpoint)) database_.truncate_training(job_.id, 0);
    supernet::train(*trainee, *work_.task, work_.file.train, hooks);

    auto structures = nlohmann::json::array();  // where sharing ended, if training decided that
    for (const auto* member : members)
      structures.push_back(
          {{"seed", member->seed()},
           {"structure", member->sharing_settings().split},
           {"ends", sharing_json(member->sharing().sharing_ends(work_.space->graph()))},
           {"parameters", member->parameter_bytes() / 4}});
    database_.save_state(job_.id, "structures", structures.dump());

    core::Progress progress("score", static_cast<std::int64_t>(missing.size()));
    supernet::Scorer scorer(members, *work_.task,
                            records_.how_to_score(tasks::Split::validation, rank_.examples));
    scorer(core::mapped(missing, &Candidate::genotype),
           [&](std::size_t i, const supernet::Scored& scored) {
             if (scored.error) std::rethrow_exception(scored.error);
             record(missing[i], scored.scores);
             progress.update(static_cast<std::int64_t>(i) + 1);
           });
    progress.finish();
  }

  // ---- baselines

  void add_baselines(const std::vector<Candidate>& candidates,
                     std::vector<RankedScore>& scores) const {
    RankedScore parameters{"parameters", "count", "weights of all ops that the network names"};
    RankedScore effective{"effective parameters", "count", "weights that reach the output"};
    RankedScore flops{"FLOPs", "count", "multiply-accumulates of one example"};
    for (auto* score : {&parameters, &effective, &flops}) score->values.emplace_back();
    for (const auto& candidate : candidates) {
      parameters.values[0].push_back(parameters_with_dead_ones(*work_.space, candidate.genotype));
      const auto deployed = spaces::merged(candidate.graph);
      effective.values[0].push_back(spaces::count_parameters(deployed));
      flops.values[0].push_back(spaces::count_flops(deployed, work_.space->symbols()));
    }
    for (auto* score : {&parameters, &effective, &flops}) scores.push_back(*score);
  }

  // ---- truth

  void table_truth(const std::vector<Candidate>& candidates, RankResult& result) const {
    const evaluators::Table table(*rank_.table, *work_.space, {rank_.column});
    const auto column = rank_.table->column(rank_.column);
    result.truth = "column " + rank_.column + " of " + rank_.table->origin;
    std::vector<bool> known;
    for (const auto& candidate : candidates) {
      const auto value = table.look_up(candidate, column);
      known.push_back(value.ok());
      if (value.ok()) result.networks.push_back({candidate.arch, value.value});
    }
    if (result.networks.size() < 2)
      throw core::Error(rank_.table->origin + " knows fewer than two of the networks to rank",
                        "give a table of this space, or let networks be trained alone");
    const auto missing = candidates.size() - result.networks.size();
    if (missing == 0) return;
    core::log_warning(rank_.table->origin + " lacks " + std::to_string(missing) + " of " +
                      std::to_string(candidates.size()) + " networks: they are left out");
    for (auto& score : result.scores)
      for (auto& values : score.values) {
        std::vector<double> kept;
        for (std::size_t i = 0; i < values.size(); ++i)
          if (known[i]) kept.push_back(values[i]);
        values = std::move(kept);
      }
  }

  /// The task that networks are trained alone on.
  const tasks::Task& training_task() {
    if (!alone_task_) alone_task_ = alone_task(work_);
    return alone_task_ ? *alone_task_ : *work_.task;
  }

  void train_missing() {
    const auto missing = records_.untrained();
    const auto at_once = static_cast<std::size_t>(
        rank_.together > 0 ? rank_.together : (work_.device == "cpu" ? 1 : 36));
    for (std::size_t begin = 0; begin < missing.size(); begin += at_once)
      train_alone(std::span(missing).subspan(begin, std::min(at_once, missing.size() - begin)),
                  missing.size() - begin);
  }

  void trained_truth(RankResult& result) {
    train_missing();
    result.truth_unit = records_.truth_metric().unit;
    result.truth_higher_is_better = records_.truth_metric().maximise;
    result.truth = tasks::to_string(rank_.truth_split) + " " + records_.truth_metric().name +
                   " after " +
                   (rank_.truth.steps > 0 ? std::to_string(rank_.truth.steps) + " steps"
                                          : std::to_string(rank_.truth.epochs) + " epochs") +
                   " alone, " + std::to_string(rank_.truth_seeds) + " seeds";
    for (const auto& candidate : records_.candidates()) {
      std::vector<double> values;
      for (const auto seed : records_.truth_seeds())
        values.push_back(records_.truth(candidate, seed)->value);
      RankedNetwork network{candidate.arch, core::mean(values)};
      if (values.size() > 1) network.truth_deviation = core::deviation(values);
      result.networks.push_back(network);
    }
  }

  /// Trains some networks at the same time and scores them.
  void train_alone(std::span<const RankRecords::Alone> chunk, std::size_t left) {
    std::vector<supernet::Subnet> subnets;
    std::vector<std::int64_t> orders;
    core::Hasher hasher;
    for (const auto& [network, seed] : chunk) {
      subnets.push_back(
          supernet::fresh_subnet(*work_.space, records_.candidates()[network].genotype, seed));
      subnets.back().to(work_.device);
      orders.push_back(static_cast<std::int64_t>(seed - work_.file.seed));
      hasher.add(records_.candidates()[network].hash)
          .add(records_.alone_fidelity(seed, records_.truth_metric()));
    }
    const auto members = core::mapped(subnets, [](auto& subnet) { return &subnet; });
    supernet::TrainHooks hooks;
    hooks.identity = hasher.hex();
    hooks.checkpoint = job_.folder + "/alone-" + hooks.identity.substr(0, 12) + ".safetensors";
    hooks.label =
        std::to_string(chunk.size()) + " of " + std::to_string(left) + " networks left, alone";
    double rate = 0;
    hooks.report = [&](const supernet::TrainProgress& p) { rate = p.examples_per_second; };
    supernet::train(*supernet::subnet_trainee(members, orders), training_task(), rank_.truth,
                    hooks);
    if (rate > 0 && chunk.size() > 1)
      core::log_info("trained " + std::to_string(chunk.size()) + " networks at the same time: " +
                     core::with_commas(static_cast<long long>(rate)) +
                     " examples/s summed over them");
    const auto scores =
        supernet::score_subnets(members, *work_.task, records_.how_to_score(rank_.truth_split, 0));
    database_.transaction([&] {
      for (std::size_t i = 0; i < chunk.size(); ++i)
        for (const auto& metric : records_.metrics())
          record(records_.candidates()[chunk[i].network], RankRecords::alone(metric), metric.unit,
                 scores[i].at(metric.name), records_.alone_fidelity(chunk[i].seed, metric),
                 chunk[i].seed);
    });
    std::filesystem::remove(hooks.checkpoint);
    core::check_interrupt();
  }

  Workplace& work_;
  const RankFile& rank_;
  db::Database& database_;
  db::Job& job_;
  const RankRecords records_;
  std::unique_ptr<tasks::Task> alone_task_;
};

}  // namespace

namespace {

constexpr const char* kPart = "part";  // of the work that was asked for last: a state of the job

std::optional<RankResult> rank(Workplace work, db::Database& database, db::Job job, RankPart part) {
  job.folder = existing_folder(job, work.file, database.path());
  job.status = "running";
  job.phase = "rank";
  job.message.clear();
  database.update_job(job);
  database.save_state(job.id, kPart, std::to_string(static_cast<int>(part)));
  try {
    auto result = Ranking(work, database, job).run(part);
    job.status = "finished";
    if (result) database.save_state(job.id, "rank", to_json(*result).dump());
    database.update_job(job);
    return result;
  } catch (const core::Interrupted&) {
    job.status = "interrupted";
    database.update_job(job);
    throw core::Interrupted("stopped; everything scored so far is kept",
                            "go on with: " + way_on(job, database.path()));
  } catch (const std::exception& error) {
    job.status = "failed";
    job.message = error.what();
    database.update_job(job);
    throw;
  }
}

}  // namespace

std::optional<RankResult> run_rank(const RankOptions& options) {
  const JobFile file = JobFile::from_file(options.job_file, options.set);
  const core::Activity activity("job '" + file.name + "'");
  expect_ranking(file);
  auto opened = opened_before(options.db, file);
  db::Database database(options.db, {.libraries = libraries()});
  const auto known = begun_job(
      database, file,
      "give the changed job another name; what it shares with the earlier one is not done "
      "again");
  Workplace work = known    ? reopen(begun_file(database, *known), *known)
                   : opened ? std::move(*opened)
                            : open_new(file);
  db::Job job = known ? *known : new_job(work, options.db);
  if (!known) {
    database.create_job(job);
    keep_begun(database, job, work.file);
  }
  keep_file(database, job, file);
  return rank(std::move(work), database, std::move(job), options.part);
}

std::shared_ptr<const RankResult> resume_rank(db::Database& database, const JobFile& file,
                                              const db::Job& job) {
  const auto part = core::parse_integer(database.state(job.id, kPart).value_or("0")).value_or(0);
  auto result = rank(reopen(file, job), database, job, static_cast<RankPart>(part));
  return result ? std::make_shared<const RankResult>(std::move(*result)) : nullptr;
}

}  // namespace mosaic::jobs
