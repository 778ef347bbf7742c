// Extraction of a subnet from a trained supernet, and what is done with it afterwards.
#include "mosaic/jobs/extract.hpp"
#include "mosaic/jobs/job_state.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/activity.hpp"
#include "mosaic/core/config.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/engine/program.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "teacher.hpp"

namespace mosaic::jobs {
namespace {

using nlohmann::json;

std::string task_text(tasks::TaskSettings task) {
  for (auto* path : {&task.path, &task.tokenizer})
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  auto kept = core::settings_json(core::listed(task));
  kept["seed"] = task.seed;
  return kept.dump(-1, ' ', false,
                   json::error_handler_t::replace);  // a path may be in another encoding
}

/// Data that a job or a network names must be there; the folder may be another one now.
void expect_data(const std::string& path) {
  if (path.empty() || std::filesystem::exists(path)) return;
  throw core::Error(
      "the data are not in '" + path + "': there is no " + std::filesystem::absolute(path).string(),
      "name the folder or file that they are in now with --path");
}

/// Stores a network, and what it needs of its task where it is deployed.
void save(const supernet::Subnet& subnet, const tasks::Task& task, const std::string& folder) {
  for (const auto& [name, content] : task.files()) {
    std::filesystem::create_directories(folder);
    core::write_file_atomic((std::filesystem::path(folder) / name).string(), content);
  }
  subnet.save(folder);
}

/// The task that the subnet of a folder was made for, with the same split.
std::unique_ptr<tasks::Task> open_task(const supernet::SubnetInfo& info, const std::string& folder,
                                       const std::string& path) {
  if (info.task.empty())
    throw core::Error("the network was not made for a task", "it has no data to be evaluated on");
  tasks::TaskSettings settings;
  const json kept = json::parse(info.task_settings);
  core::read_json(kept, settings);
  settings.seed = kept.at("seed");
  if (!path.empty()) settings.path = path;
  if (const auto own = std::filesystem::path(folder) / tasks::kTokenizerFile;
      std::filesystem::exists(own))
    settings.tokenizer = own.string();
  expect_data(settings.path);
  auto task = tasks::make_task(settings);
  const auto expected = json::parse(info.provenance).at("data_checksum").get<std::string>();
  if (task->checksum() != expected)
    throw core::Error(
        "the data of task '" + settings.name + "' is not what the network was made with",
        "its splits would mix training and test examples: give the folder of the same data with "
        "--path");
  return task;
}

tasks::Split split_of(const std::string& name) {
  for (const auto split : {tasks::Split::train, tasks::Split::validation, tasks::Split::test})
    if (tasks::to_string(split) == name) return split;
  throw core::UsageError("unknown split '" + name + "'", "use train, validation or test");
}

supernet::NormStats calibrated(const supernet::Supernet& net,
                               const evaluators::Candidate& candidate, const tasks::Task& task,
                               std::int64_t examples) {
  const auto weights = net.weights(candidate.genotype, candidate.graph);
  return supernet::calibrate(
      [&](const tasks::NamedTensors& inputs, supernet::NormStats* stats) {
        supernet::execute(candidate.graph, "forward", inputs, weights,
                          supernet::NormMode::calibrate, stats);
      },
      candidate.graph, task, examples);
}

/// Keys that trainings of jobs always have in their identity, where fine-tuning does not have their
/// defaults.
core::SettingsList further(const supernet::TrainSettings& settings) {
  const std::set<std::string> told{"epochs", "batch_size", "learning_rate", "optimizer"};
  const auto all = core::listed(settings), usual = core::listed(supernet::TrainSettings());
  core::SettingsList result;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].identity == core::Identity::first && all[i].value != usual[i].value &&
        !told.contains(all[i].key))
      result.push_back(all[i]);
  return result;
}

/// Of the weights before, and of how they are trained.
std::string finetune_identity(const supernet::Subnet& subnet,
                              const supernet::TrainSettings& settings,
                              const std::string& teacher_hash) {
  core::Hasher hasher;
  hasher.add(subnet.info().hash).add(settings.epochs).add(settings.batch_size);
  hasher.add(core::format_double(settings.learning_rate)).add(subnet.device());
  if (settings.optimizer != "sgd") hasher.add(settings.optimizer);
  for (const auto& [name, weight] : subnet.weights())
    hasher.add(name).add(core::format_double(weight.to(at::kDouble).sum().item<double>()));
  core::add_all(hasher, further(settings));
  core::add_changed(hasher, settings);
  if (!teacher_hash.empty()) hasher.add("teacher").add(teacher_hash);
  return hasher.hex();
}

std::string provenance(const db::Job& job) {
  return json({{"job", job.name},
               {"seed", job.seed},
               {"device", job.device},
               {"mosaic", job.version},
               {"revision", job.revision},
               {"libraries", job.libraries},
               {"data_checksum", job.data_checksum},
               {"config_hash", job.config_hash}})
      .dump();
}

/// Throws where the supernet is not there, or not trained to the end.
void expect_supernet(const db::Reader& database, const db::Job& job, const JobFile& file,
                     const std::string& checkpoint) {
  if (!std::filesystem::exists(checkpoint) && database.state(job.id, "trained")) {
    const std::string beside =
        std::filesystem::absolute(job_folder(file, database.path())).string();
    throw core::Error("the supernet of job '" + job.name +
                          "' was trained, and its file is not there: neither " +
                          supernet_path(job.folder) +
                          (beside == job.folder ? "" : " nor " + supernet_path(beside)) + " exists",
                      "copy the folder of the job too: " + job.folder +
                          " of the machine that trained it, as " + beside);
  }
  if (!supernet::training_complete(checkpoint))
    throw core::Error("the supernet of job '" + job.name + "' is not trained to the end",
                      "go on with: " + way_on(job, database.path()));
}

}  // namespace

Extracted extract_subnet(const ExtractOptions& options) {
  at::NoGradGuard guard;
  if (!std::filesystem::exists(options.db))
    throw core::UsageError("there is no database " + options.db,
                           "give the one of the job: --db FILE");
  if (std::filesystem::exists(options.out + "/config.json"))
    throw core::UsageError(options.out + " holds a network already", "choose another --out");
  const db::Reader database(options.db);
  const db::Job job = named_job(database, options.job);
  JobFile file = begun_file(database, job);
  if (!file.sharing)
    throw core::Error("job '" + job.name + "' has no supernet to extract from",
                      "run a job with a [supernet] section");
  const std::string arch = options.arch.empty()
                               ? choose(database, job, options.selection).front().arch
                               : arch_of(database, job, options.arch);

  // The network may be extracted on another machine than the one that trained it.
  if (!options.path.empty()) file.task->path = options.path;
  expect_data(file.task->path);
  Workplace work = Workplace::open(file, job.threads, "auto");
  if (work.data_checksum() != job.data_checksum)
    throw core::Error("the data of task '" + job.task + "' are not those that job '" + job.name +
                          "' was trained on",
                      "restore them, or name the folder of the same data with --path");
  work.trained_device = job.device.substr(0, job.device.find(':'));
  const core::Activity activity("extract and check the network");
  const auto genotype = arch == "largest"    ? work.space->largest()
                        : arch == "smallest" ? work.space->smallest()
                                             : work.space->parse(arch);
  const auto candidate = evaluators::make_candidate(*work.space, genotype);
  const auto net = work.make_supernet();
  const std::string checkpoint = supernet_path(existing_folder(job, file, options.db));
  expect_supernet(database, job, file, checkpoint);
  supernet::load_checkpoint(checkpoint, *net, work.training_identity());

  std::int64_t calibration = 512;
  for (const auto& objective : file.objectives)  // as its figures were taken
    calibration = json::parse(objective.measuring.keys).value("calibration", calibration);
  supernet::NormStats stats = calibrated(*net, candidate, *work.task, calibration);
  auto [subnet, pairs] = supernet::merged(net->extract(genotype, stats));
  subnet.to(work.device);
  auto& info = subnet.info();
  info.job = job.name;
  info.task = job.task;
  info.task_settings = task_text(*file.task);
  info.preprocessing = work.task->preprocessing().dump();
  info.passes = "extract, calibrate(" + std::to_string(calibration) + " examples)";
  if (pairs > 0) info.passes += ", merge(" + std::to_string(pairs) + " pairs of linear maps)";
  info.checkpoint = work.training_identity();
  info.provenance = provenance(job);
  save(subnet, *work.task, options.out);

  // What was written is read back, and must compute what the supernet computes.
  supernet::Subnet written = supernet::Subnet::load(options.out);
  written.to(work.device);
  const auto batch = work.task->batch({.split = tasks::Split::validation, .count = 256});
  const at::Tensor expected =
      net->forward(candidate.graph, genotype, batch.inputs, supernet::NormMode::stored, &stats);
  const at::Tensor found = written.forward(batch.inputs);
  const double difference =
      (expected - found).abs().max().item<double>() / expected.abs().max().item<double>();
  if (!(difference <= 1e-4))
    throw core::Error(
        "the extracted network differs from the supernet by " + core::format_double(difference),
        "this is a bug: please report it with the job file");
  return {job, candidate.arch, database.network(job.id, candidate.hash), difference};
}

Evaluated eval_subnet(const EvalOptions& options) {
  supernet::set_threads(0);
  supernet::Subnet subnet = supernet::Subnet::load(options.folder);
  const std::string device = supernet::resolve_device(options.device);
  const auto task = open_task(subnet.info(), options.folder, options.path);
  task->to(device);
  subnet.to(device);
  const core::Stopwatch watch;
  const auto split = split_of(options.split);
  // Of training examples a task keeps no answers to hold what was written against.
  const auto score = supernet::evaluate(subnet, *task, split, split != tasks::Split::train);
  if (!options.outputs.empty()) {
    at::NoGradGuard guard;
    const auto inputs = task->batch({.split = split_of(options.split), .count = 8}).inputs;
    supernet::TensorFile file{{inputs.begin(), inputs.end()}, {}};
    file.tensors["y"] = subnet.forward(inputs);
    supernet::save_tensors(options.outputs, file);
  }
  Evaluated result{subnet.info().arch, task->name(), subnet.info().passes, {}};
  std::set<std::string> written;
  for (const auto& metric : tasks::all_metrics(*task)) {
    const auto found = score.find(metric.name);
    if (found == score.end()) continue;
    const auto& [value, error, examples] = found->second;
    result.figures.push_back({metric.name, metric.unit, value, error, examples});
    if (metric.of_written) written.insert(metric.name);
  }
  if (!options.db.empty()) {
    db::Database database(options.db, {.libraries = libraries()});
    const db::Job job = database.job(subnet.info().job);
    for (const auto& figure : result.figures) {
      core::Measurement measured;
      measured.metric = options.split + "_" + figure.metric;
      measured.value = figure.value;
      measured.unit = figure.unit;
      measured.standard_error = figure.error;
      measured.fidelity = "stand-alone: " + subnet.info().passes;
      if (written.contains(figure.metric)) measured.fidelity += task->writing().value().text();
      measured.seconds = watch.seconds();
      measured.device = supernet::describe_device(device);
      database.add_measurement(
          job.id, database.architecture(job.space_hash, subnet.info().arch, subnet.info().hash),
          measured);
    }
  }
  return result;
}

namespace {

/// Defaults of fine-tuning where nothing is set.
supernet::TrainSettings finetune_settings(const std::vector<std::string>& set,
                                          const spaces::Graph& graph, const tasks::Task& task) {
  std::vector<std::string> assignments;
  for (const auto& one : set)
    assignments.push_back(one.starts_with("supernet.") ? one : "supernet." + one);
  auto config = core::Config::from_text("[supernet]\n", "--set", {}, assignments);
  auto section = config.root().section("supernet");
  auto settings = supernet::TrainSettings::read(section);
  config.finish();
  if (section.has("sampler"))
    throw core::UsageError("sampler draws networks, and here there is one", "leave it out");
  if (settings.distills() && settings.teacher.empty())
    throw core::UsageError("there is nobody to learn from",
                           "name the folder of an extracted network: --teacher DIR");
  const bool attends = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                   [](const auto& node) { return supernet::is_attention(node); });
  if (!section.has("optimizer")) settings.optimizer = attends ? "adamw" : "sgd";
  if (!section.has("learning_rate"))
    settings.learning_rate = settings.optimizer == "sgd" ? 0.02 : 3e-4;
  if (!section.has("batch_size"))
    settings.batch_size = supernet::batch_size_for(task.size(tasks::Split::train));
  if (!section.has("epochs") && settings.steps == 0)
    settings.epochs = supernet::epochs_for(supernet::kSubnetSteps,
                                           supernet::batches_of(task, settings).per_epoch, 2);
  return settings;
}

/// The same network, never trained.
supernet::Subnet drawn_anew(const supernet::Subnet& network, std::int64_t seed) {
  const auto& info = network.info();
  const auto space = spaces::Space::make(info.space, info.shape, info.space_options);
  auto subnet =
      supernet::fresh_subnet(space, space.parse(info.arch), static_cast<std::uint64_t>(seed));
  if (spaces::to_json(supernet::merged(subnet).subnet.graph()) != spaces::to_json(network.graph()))
    throw core::Error("space " + info.space +
                          " makes another network of this architecture than when it was extracted",
                      "--anew wants the version of Mosaic, and of its plugins, that extracted it");
  subnet.info() = info;
  subnet.info().passes = "drawn anew(seed " + std::to_string(seed) + ")";
  return subnet;
}

}  // namespace

Finetuned finetune_subnet(const FinetuneOptions& options) {
  if (std::filesystem::exists(options.out + "/config.json") && options.out != options.folder)
    throw core::UsageError(options.out + " holds a network already", "choose another --out");
  supernet::set_threads(0);
  supernet::Subnet subnet = supernet::Subnet::load(options.folder);
  if (options.anew) subnet = drawn_anew(subnet, *options.anew);
  const std::string device = supernet::resolve_device(options.device);
  const auto task = open_task(subnet.info(), options.folder, options.path);
  task->to(device);
  subnet.to(device);
  const auto validate = [&] {
    return supernet::evaluate(subnet, *task, tasks::Split::validation, /*written=*/false);
  };
  const auto calibrate = [&] {
    subnet.stats() = supernet::calibrate(
        [&](const auto& inputs, supernet::NormStats* stats) {
          subnet.forward(inputs, supernet::NormMode::calibrate, stats);
        },
        subnet.graph(), *task, 2048);
  };
  if (options.anew) calibrate();
  const auto before = validate();
  const auto settings = finetune_settings(options.set, subnet.graph(), *task);
  Teacher teacher;
  if (!settings.teacher.empty()) teacher = load_teacher(settings.teacher, *task, device);
  if (settings.distill_relations > 0 && teacher.network)
    supernet::check_relations(subnet.graph(), teacher.network->graph(), settings.relation_heads);
  const auto batches = supernet::batches_of(*task, settings);
  core::log_info(
      "training" +
      (settings.steps > 0 ? std::string() : " " + std::to_string(settings.epochs) + " epochs,") +
      " " +
      core::with_commas(settings.steps > 0 ? settings.steps : batches.per_epoch * settings.epochs) +
      " steps of " + std::to_string(std::llround(batches.examples)) + " examples, " +
      settings.optimizer + " at " + core::format_double(settings.learning_rate));
  supernet::TrainHooks hooks;
  hooks.label = "finetune";
  hooks.identity = finetune_identity(subnet, settings, teacher.hash);
  hooks.checkpoint = options.out + "/finetune-" + hooks.identity.substr(0, 12) + ".safetensors";
  hooks.resumed = [](std::int64_t step) {
    core::log_info("fine-tuning goes on from the checkpoint at step " + std::to_string(step));
  };
  std::filesystem::create_directories(options.out);
  supernet::Subnet* const members[] = {&subnet};
  const auto trainee = supernet::subnet_trainee(members, {options.anew.value_or(0)});
  trainee->learn_from(teacher.network);
  try {
    supernet::train(*trainee, *task, settings, hooks);
  } catch (const core::Interrupted&) {
    throw core::Interrupted("stopped while fine-tuning",
                            "the same command goes on from the checkpoint in " + options.out);
  }
  if (options.anew) subnet = supernet::merged(subnet).subnet;
  calibrate();
  const auto after = validate();
  if (const double loss = after.at("loss").value; !std::isfinite(loss))
    throw core::Error("after fine-tuning, the loss on validation examples is " +
                          core::format_double(loss) + ", not a finite number",
                      "lower learning_rate (now " + core::format_double(settings.learning_rate) +
                          "); no network was written");
  subnet.info().passes += ", finetune(" +
                          (settings.steps > 0 ? std::to_string(settings.steps) + " steps"
                                              : std::to_string(settings.epochs) + " epochs") +
                          core::text_of(further(settings)) + core::changed_text(settings) +
                          (teacher.network ? ", with a teacher" : "") +
                          "), calibrate(2048 examples)";
  save(subnet, *task, options.out);
  std::filesystem::remove(hooks.checkpoint);
  const auto leading = task->metrics().at(0);
  return {leading.name, leading.unit, before.at(leading.name).value, after.at(leading.name).value};
}

}  // namespace mosaic::jobs
