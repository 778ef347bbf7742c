#include <algorithm>

#include "job_file.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/sampler.hpp"

namespace mosaic::cli {
namespace {

/// A key that has no default: one of `choices`.
std::string required_choice(core::Section& section, const std::string& key,
                            const std::vector<std::string>& choices) {
  if (!section.has(key))
    section.fail("", "the key '" + key + "' is missing", "give one of: " + core::join(choices));
  return section.one_of(key, "", choices);
}

/// Runs a check of a key's value; what is wrong is reported at the key's line.
template <class Check>
void checked(const core::Section& section, const std::string& key, Check check) {
  try {
    check();
  } catch (const core::UsageError& error) {
    section.fail(key, error.message(), error.advice());
  }
}

/// `fresh`: the job begins on this machine, so its devices must be there. (A job's own copy may be
/// read elsewhere, to extract from its supernet.)
ObjectiveFile read_objective(core::Section section, bool fresh) {
  ObjectiveFile objective;
  objective.metric = required_choice(section, "metric", evaluators::evaluators().names());
  const auto& type = evaluators::evaluators().at(objective.metric);
  objective.maximise =
      section.one_of("goal", type.maximise ? "max" : "min", {"max", "min"}) == "max";
  auto& m = objective.measure;
  if (type.timed) {
    m.device = section.one_of("device", m.device, {"cpu", "cuda"});
    m.batch = section.integer("batch", m.batch, 1, 65536);
    m.threads = section.integer("threads", m.threads, 1, 1024);
    m.warmup = section.integer("warmup", m.warmup, 0, 10000);
    m.repeats = section.integer("repeats", m.repeats, 5, 100000);
    m.reference_every = section.integer("reference_every", m.reference_every, 1, 100000);
    objective.samples = section.integer("samples", objective.samples, 10, 1000000);
    objective.predictor = section.string("predictor", "ridge");
    objective.predicted = objective.predictor != "none";
    if (fresh) checked(section, "device", [&] { supernet::resolve_device(m.device); });
    if (objective.predicted)
      checked(section, "predictor", [&] { predictors::make_predictor(objective.predictor); });
  }
  if (type.needs_supernet) {
    m.images = section.integer("images", m.images, 0, 1 << 30);
    m.calibration = section.integer("calibration", m.calibration, 2, 1 << 30);
  }
  return objective;
}

JobFile read(core::Config config, const std::string& path, bool fresh) {
  JobFile job;
  job.path = path;
  job.text = config.text();
  job.hash = config.hash();
  core::Section root = config.root();

  core::Section head = root.section("job");
  job.name = head.required_string("name");
  if (job.name.empty() || job.name.find('/') != std::string::npos)
    head.fail("name", "the name of a job is not empty and has no '/'",
              "use letters, digits, '-' and '_'");
  job.seed = static_cast<std::uint64_t>(head.integer("seed", 1, 0));
  job.device = head.one_of("device", job.device, {"auto", "cpu", "cuda"});
  job.threads = head.integer("threads", 0, 0, 1024);
  job.folder = head.string("folder", "");

  core::Section space = root.section("space");
  job.space = required_choice(space, "name", spaces::space_types().names());
  for (const auto& [key, value] : space.scalars_except({"name"})) job.space_options[key] = value;

  if (root.has("task")) job.task = tasks::TaskSettings::read(root.section("task"), job.seed);
  if (root.has("supernet")) {
    core::Section section = root.section("supernet");
    supernet::RouterSettings router;
    router.kind = section.one_of("router", router.kind, supernet::routers().names());
    router.experts = section.integer("experts", router.kind == "plain" ? 1 : router.experts, 1, 64);
    router.hidden = section.integer("router_hidden", router.hidden, 1, 65536);
    if (router.kind == "plain" && router.experts != 1)
      section.fail("experts", "the plain router has one expert",
                   "remove the key, or choose another router");
    job.router = router;
    job.train = supernet::TrainSettings::read(section);
    checked(section, "sampler",
            [&] { supernet::samplers().at(core::parse_call(job.train.sampler).name); });
    if (fresh && job.train.precision == "bfloat16" && supernet::resolve_device(job.device) == "cpu")
      section.fail("precision", "bfloat16 needs a GPU", "use \"auto\" or \"float32\"");
    if (!job.task)
      root.fail("supernet", "a supernet needs data to be trained on", "add a [task] section");
  }

  for (const auto& section : root.sections("objective"))
    job.objectives.push_back(read_objective(section, fresh));
  if (job.objectives.empty())
    root.fail("", "the job has no objective",
              "add at least one [[objective]] with a metric, one of: " +
                  core::join(evaluators::evaluators().names()));
  for (const auto& objective : job.objectives) {
    if (evaluators::evaluators().at(objective.metric).needs_supernet && (!job.router || !job.task))
      root.fail("objective", "metric '" + objective.metric + "' needs a trained supernet",
                "add a [task] and a [supernet] section");
    if (std::count_if(job.objectives.begin(), job.objectives.end(),
                      [&](const auto& other) { return other.metric == objective.metric; }) > 1)
      root.fail("objective", "metric '" + objective.metric + "' is an objective twice",
                "remove one of them");
  }
  job.search = search::SearchSettings::read(root.section("search"));
  config.finish();
  return job;
}

}  // namespace

JobFile JobFile::from_file(const std::string& path) {
  return read(core::Config::from_file(path), path, true);
}
JobFile JobFile::from_text(const std::string& text, const std::string& path) {
  return read(core::Config::from_text(text, path), path, false);
}

}  // namespace mosaic::cli
