// Extraction of a subnet from a trained supernet, and what is done with it afterwards.
#include "models.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/supernet/safetensors.hpp"
#include "output.hpp"
#include "pipeline.hpp"
#include "session.hpp"

namespace mosaic::cli {
namespace {

using nlohmann::json;

std::string task_text(const tasks::TaskSettings& task) {
  return json({{"name", task.name},
               {"path", task.path},
               {"seed", task.seed},
               {"validation", task.validation},
               {"limit", task.limit},
               {"augment", task.augment},
               {"image_size", task.image_size}})
      .dump();
}

/// The task a subnet was made for, with the same split.
std::unique_ptr<tasks::Task> open_task(const supernet::SubnetInfo& info, const std::string& path) {
  if (info.task.empty())
    throw core::Error("the network was not made for a task", "it has no data to be evaluated on");
  tasks::TaskSettings settings;
  const json kept = json::parse(info.task_settings);
  settings.name = kept.at("name");
  settings.path = path.empty() ? kept.at("path").get<std::string>() : path;
  settings.seed = kept.at("seed");
  settings.validation = kept.at("validation");
  settings.limit = kept.at("limit");
  settings.augment = kept.at("augment");
  settings.image_size = kept.at("image_size");
  auto task = tasks::tasks().at(settings.name)(settings);
  const auto expected = json::parse(info.provenance).at("data_checksum").get<std::string>();
  if (task->checksum() != expected)
    throw core::Error(
        "the data of task '" + settings.name + "' is not what the network was made with",
        "its splits would mix training and test images: give the folder of the same data with "
        "--path");
  return task;
}

tasks::Split split_of(const std::string& name) {
  for (const auto split : {tasks::Split::train, tasks::Split::validation, tasks::Split::test})
    if (tasks::to_string(split) == name) return split;
  throw core::UsageError("unknown split '" + name + "'", "use train, validation or test");
}

bool within(const db::Network& network, const std::vector<Bound>& bounds) {
  return std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) {
    const auto found = network.metrics.find(bound.metric);
    return found != network.metrics.end() &&
           (bound.upper ? found->second.value <= bound.value : found->second.value >= bound.value);
  });
}

/// The network that has the best measured value of `metric` within all bounds.
db::Network pick(const db::Database& database, const db::Job& job, const ExtractOptions& options,
                 bool maximise, const std::string& metric) {
  const auto networks = database.networks(job.id);
  const db::Network* best = nullptr;
  for (const auto& network : networks) {
    if (!network.metrics.count(metric) || !within(network, options.bounds)) continue;
    const double value = network.metrics.at(metric).value;
    if (!best || (maximise ? value > best->metrics.at(metric).value
                           : value < best->metrics.at(metric).value))
      best = &network;
  }
  if (best) return *best;
  std::string rule;
  for (const auto& bound : options.bounds)
    rule += (rule.empty() ? "" : " and ") + bound.metric + (bound.upper ? " <= " : " >= ") +
            core::format_double(bound.value);
  throw core::Error("no network of job '" + job.name + "' with a measured " + metric + " meets " +
                        (rule.empty() ? "no bounds at all" : rule),
                    "loosen the bounds; mosaic front --job " + job.name + " --db " + options.db +
                        " shows what there is");
}

supernet::NormStats calibrated(const supernet::Supernet& net,
                               const evaluators::Candidate& candidate, const tasks::Task& task,
                               std::int64_t images) {
  const auto weights = net.weights(candidate.genotype, candidate.graph);
  return supernet::calibrate(
      [&](const at::Tensor& inputs, supernet::NormStats* stats) {
        return supernet::execute(candidate.graph, "forward", {&inputs, 1}, weights,
                                 supernet::NormMode::calibrate, stats)[0];
      },
      task, images);
}

/// Of the weights before, and of how they are trained.
std::string finetune_identity(const supernet::Subnet& subnet,
                              const supernet::TrainSettings& settings) {
  core::Hasher hasher;
  hasher.add(subnet.info().hash).add(settings.epochs).add(settings.batch_size);
  hasher.add(core::format_double(settings.learning_rate)).add(subnet.device());
  for (const auto& [name, weight] : subnet.weights())
    hasher.add(name).add(core::format_double(weight.to(at::kDouble).sum().item<double>()));
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

}  // namespace

void extract_subnet(const ExtractOptions& options) {
  torch::NoGradGuard guard;
  if (!std::filesystem::exists(options.db))
    throw core::UsageError("there is no database " + options.db,
                           "give the one of the job: --db FILE");
  if (std::filesystem::exists(options.out + "/config.json"))
    throw core::UsageError(options.out + " holds a network already", "choose another --out");
  db::Database database(options.db);
  const db::Job job = database.job(options.job);
  const JobFile file = JobFile::from_text(job.config, job.config_path);
  if (!file.router)
    throw core::Error("job '" + job.name + "' has no supernet to extract from",
                      "run a job with a [supernet] section");
  const std::string metric = options.best.empty() ? job.objectives[0].metric : options.best;
  bool maximise = evaluators::evaluators().at(metric).maximise;
  for (const auto& objective : job.objectives)
    if (objective.metric == metric) maximise = objective.maximise;

  // The network may be extracted on another machine than the one that trained it.
  Workplace work = Workplace::open(file, job.threads, "auto");
  work.trained_device = job.device.substr(0, job.device.find(':'));
  spaces::Genotype genotype;
  if (!options.arch.empty()) {
    const auto known = database.network(job.id, options.arch);
    genotype = work.space->parse(known ? known->arch : options.arch);
  } else {
    genotype = work.space->parse(pick(database, job, options, maximise, metric).arch);
  }
  const auto candidate = evaluators::make_candidate(*work.space, genotype);
  const auto net = work.make_supernet();
  const std::string checkpoint = supernet_path(existing_folder(job, file, options.db));
  if (!supernet::training_complete(checkpoint))
    throw core::Error("the supernet of job '" + job.name + "' is not trained to the end",
                      "go on with: mosaic resume " + job.name + " --db " + options.db);
  supernet::load_checkpoint(checkpoint, *net, work.training_identity());

  std::int64_t calibration = evaluators::MeasureSettings().calibration;
  for (const auto& objective : file.objectives)
    if (evaluators::evaluators().at(objective.metric).needs_supernet)
      calibration = objective.measure.calibration;
  supernet::NormStats stats = calibrated(*net, candidate, *work.task, calibration);
  supernet::Subnet subnet = net->extract(genotype, stats);
  auto& info = subnet.info();
  info.job = job.name;
  info.task = job.task;
  info.task_settings = task_text(*file.task);
  info.class_names = work.task->class_names();
  const auto normalisation = work.task->normalisation();
  info.mean = normalisation.mean;
  info.deviation = normalisation.standard_deviation;
  info.passes = "extract, calibrate(" + std::to_string(calibration) + " images)";
  info.checkpoint = work.training_identity();
  info.provenance = provenance(job);
  subnet.save(options.out);

  // What was written is read back, and must compute what the supernet computes.
  supernet::Subnet written = supernet::Subnet::load(options.out);
  written.to(work.device);
  const auto batch = work.task->batch(tasks::Split::validation, 0, 256);
  const at::Tensor expected =
      net->forward(candidate.graph, genotype, batch.inputs, supernet::NormMode::stored, &stats);
  const at::Tensor found = written.forward(batch.inputs);
  const double difference =
      (expected - found).abs().max().item<double>() / expected.abs().max().item<double>();
  if (!(difference <= 1e-4))
    throw core::Error(
        "the extracted network differs from the supernet by " + core::format_double(difference),
        "this is a bug: please report it with the job file");

  std::cout << "extracted " << candidate.arch << "\n";
  if (const auto known = database.network(job.id, candidate.hash))
    print_networks({*known}, job, {}, false);
  std::cout << "it computes what the supernet computes (largest relative difference "
            << core::format_double(difference) << ")\nwritten to " << options.out
            << ": model.safetensors, config.json\n"
            << "test it once: mosaic eval " << options.out << " --split test\n";
}

void eval_subnet(const EvalOptions& options) {
  supernet::set_threads(0);
  supernet::Subnet subnet = supernet::Subnet::load(options.folder);
  const std::string device = supernet::resolve_device(options.device);
  const auto task = open_task(subnet.info(), options.path);
  task->to(device);
  subnet.to(device);
  const core::Stopwatch watch;
  const auto score =
      supernet::evaluate([&](const at::Tensor& inputs) { return subnet.forward(inputs); }, *task,
                         split_of(options.split), 0);
  const double share = score.accuracy / 100;
  const double error = 100 * std::sqrt(share * (1 - share) / static_cast<double>(score.images));
  if (!options.outputs.empty()) {
    torch::NoGradGuard guard;
    const at::Tensor inputs = task->batch(split_of(options.split), 0, 8).inputs;
    supernet::save_tensors(options.outputs, {{{"x", inputs}, {"y", subnet.forward(inputs)}}, {}});
  }
  if (!options.db.empty()) {
    db::Database database(options.db, {.libraries = libraries()});
    const db::Job job = database.job(subnet.info().job);
    core::Measurement result;
    result.metric = options.split + "_accuracy";
    result.value = score.accuracy;
    result.unit = "%";
    result.standard_error = error;
    result.fidelity = "stand-alone: " + subnet.info().passes;
    result.seconds = watch.seconds();
    result.device = supernet::describe_device(device);
    database.add_measurement(
        job.id, database.architecture(job.space_hash, subnet.info().arch, subnet.info().hash),
        result);
  }
  if (options.json) {
    std::cout << json({{"arch", subnet.info().arch},
                       {"split", options.split},
                       {"images", score.images},
                       {"accuracy", score.accuracy},
                       {"standard_error", error},
                       {"loss", score.loss},
                       {"passes", subnet.info().passes}})
                     .dump(1)
              << "\n";
    return;
  }
  std::printf("%s: accuracy %.2f%% +- %.2f (loss %.4f) on %lld %s images of %s\n",
              options.folder.c_str(), score.accuracy, error, score.loss,
              static_cast<long long>(score.images), options.split.c_str(), task->name().c_str());
}

void finetune_subnet(const FinetuneOptions& options) {
  if (std::filesystem::exists(options.out + "/config.json") && options.out != options.folder)
    throw core::UsageError(options.out + " holds a network already", "choose another --out");
  supernet::set_threads(0);
  supernet::Subnet subnet = supernet::Subnet::load(options.folder);
  const std::string device = supernet::resolve_device(options.device);
  const auto task = open_task(subnet.info(), options.path);
  task->to(device);
  subnet.to(device);
  const auto validate = [&] {
    return supernet::evaluate([&](const at::Tensor& inputs) { return subnet.forward(inputs); },
                              *task, tasks::Split::validation, 0)
        .accuracy;
  };
  const double before = validate();
  supernet::TrainSettings settings;
  settings.epochs = options.epochs;
  settings.batch_size = options.batch_size;
  settings.learning_rate = options.learning_rate;
  supernet::TrainHooks hooks;
  hooks.label = "finetune";
  hooks.checkpoint = options.out + "/finetune.safetensors";
  hooks.identity = finetune_identity(subnet, settings);
  hooks.resumed = [](std::int64_t step) {
    core::log_info("fine-tuning goes on from the checkpoint at step " + std::to_string(step));
  };
  std::filesystem::create_directories(options.out);
  try {
    supernet::train(supernet::subnet_trainee(subnet), *task, settings, hooks);
  } catch (const core::Interrupted&) {
    throw core::Interrupted("stopped while fine-tuning",
                            "the same command goes on from the checkpoint in " + options.out);
  }
  subnet.stats() = supernet::calibrate(
      [&](const at::Tensor& inputs, supernet::NormStats* stats) {
        return subnet.forward(inputs, supernet::NormMode::calibrate, stats);
      },
      *task, 2048);
  const double after = validate();
  subnet.info().passes +=
      ", finetune(" + std::to_string(options.epochs) + " epochs), calibrate(2048 images)";
  subnet.save(options.out);
  std::filesystem::remove(hooks.checkpoint);
  std::printf("validation accuracy %.2f%% -> %.2f%%; written to %s\n", before, after,
              options.out.c_str());
}

}  // namespace mosaic::cli
