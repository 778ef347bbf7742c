#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/core/plugin.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/table.hpp"
#include "mosaic/jobs/job_file.hpp"
#include "mosaic/jobs/selection.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::jobs {
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

std::vector<std::string> names_of(const std::map<std::string, evaluators::KnownMetric>& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, known] : metrics) names.push_back(name);
  return names;
}

ObjectiveFile read_objective(core::Section section, const evaluators::JobFacts& facts) {
  const auto metrics = evaluators::known_metrics(facts);
  ObjectiveFile objective;
  const auto named = section.string("metric", "");
  if (facts.table && !metrics.contains(named) && evaluators::known_metrics({}).contains(named))
    section.fail("metric", facts.table->origin + " has no column '" + named + "'",
                 "a job over a table looks numbers up and measures nothing; there is: " +
                     core::join(names_of(metrics)));
  objective.metric = required_choice(section, "metric", names_of(metrics));
  const auto& [evaluator, info] = metrics.at(objective.metric);
  const std::vector<std::string> goals = {"max", "min", "none"};
  const auto goal = info.maximise ? section.one_of("goal", *info.maximise ? "max" : "min", goals)
                                  : required_choice(section, "goal", goals);
  objective.maximise = goal == "max";
  objective.optimise = goal != "none";
  objective.measuring = evaluators::read_measuring(evaluator, section, facts);
  if (info.timed) {
    objective.samples = section.integer("samples", objective.samples, 10, 1000000);
    objective.predictor = section.string("predictor", "ridge");
    objective.predicted = objective.predictor != "none";
    if (objective.predicted)
      checked(section, "predictor", [&] { predictors::make_predictor(objective.predictor); });
  }
  return objective;
}

std::shared_ptr<const core::CsvTable> read_table(core::Section section, const std::string& path) {
  required_choice(section, "type", {"table"});
  const auto file = find_beside(section.required_string("file"), path);
  std::shared_ptr<const core::CsvTable> table;
  checked(section, "file", [&] {
    try {
      table = std::make_shared<core::CsvTable>(core::read_csv(file));
      table->column("arch");
    } catch (const core::Error& error) {
      throw core::UsageError(error.message(), error.advice());
    }
  });
  return table;
}

/// "latency_ms <= 5".
db::Constraint read_constraint(const std::string& text) {
  for (const auto* relation : {"<=", ">="}) {
    const auto at = text.find(relation);
    if (at == std::string::npos) continue;
    db::Constraint constraint;
    constraint.metric = std::string(core::trim(text.substr(0, at)));
    constraint.upper = relation[0] == '<';
    const auto bound = core::parse_number(core::trim(text.substr(at + 2)));
    if (!bound || constraint.metric.empty()) break;
    constraint.bound = *bound;
    return constraint;
  }
  throw core::UsageError("'" + text + "' is no constraint",
                         "write a metric, <= or >=, and a number: \"latency_ms <= 5\"");
}

/// Metrics that constraints are about and no [[objective]] names are measured as they are by
/// default.
void read_constraints(core::Section section, const evaluators::JobFacts& facts, JobFile& job) {
  const auto metrics = evaluators::known_metrics(facts);
  for (const auto& text : section.strings("constraints", {}))
    checked(section, "constraints", [&] {
      const auto constraint = read_constraint(text);
      job.constraints.push_back(constraint);
      const auto same = [&](const auto& o) { return o.metric == constraint.metric; };
      if (std::any_of(job.objectives.begin(), job.objectives.end(), same)) return;
      if (!metrics.contains(constraint.metric)) {
        const auto nearest = core::nearest_name(constraint.metric, names_of(metrics));
        throw core::UsageError("unknown metric '" + constraint.metric + "' in '" + text + "'",
                               (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") +
                                   "known: " + core::join(names_of(metrics)));
      }
      const auto& [evaluator, info] = metrics.at(constraint.metric);
      if (info.timed)
        throw core::UsageError(
            "a constraint on " + constraint.metric + " needs to know how it is measured",
            "add an [[objective]] with metric = \"" + constraint.metric +
                "\" (goal = \"none\" where it is not to be optimised)");
      ObjectiveFile measured;
      measured.metric = constraint.metric;
      measured.optimise = false;
      core::Section defaults = core::Config::from_text("").root();
      measured.measuring = evaluators::read_measuring(evaluator, defaults, facts);
      job.objectives.push_back(measured);
    });
  if (const auto two = contradiction(job.constraints))
    section.fail("constraints",
                 "no " + two->first.metric + " is at least " +
                     core::format_double(two->first.bound) + " and at most " +
                     core::format_double(two->second.bound),
                 "exchange the bounds, or leave one out");
}

StartFile read_start(core::Section section) {
  StartFile start;
  start.archs = section.strings("start", {});
  start.where = section.where("start");
  start.job = section.string("start_job", "");
  start.where_job = section.where("start_job");
  start.db = section.string("start_db", "");
  if (!start.db.empty() && start.job.empty())
    section.fail("start_db", "start_db is the database of start_job, which is missing",
                 "give start_job, the name of the job to begin from");
  return start;
}

}  // namespace

void RankFile::visit(core::Visitor& v) {
  v("networks", networks, {0, 1'000'000});
  v("supernets", supernets, {1, 1000});
  v("together", together, {0, 10'000});
  v("examples", examples, {0, 1 << 30});
  v("calibration", calibration, {2, 1 << 30});
  v("precision", precision, {"float32", "tf32", "bfloat16"});
}

namespace {

/// [rank] and [rank.truth].
RankFile read_rank(core::Section section, const std::string& path) {
  RankFile rank;
  core::read(section, rank);
  core::Section truth = section.section("truth");
  if (truth.has("file")) {
    const auto file = find_beside(truth.required_string("file"), path);
    rank.column = truth.required_string("column");
    rank.best = truth.integer("best", rank.best, 0, 1'000'000);
    checked(truth, "file", [&] {
      try {
        rank.table = std::make_shared<core::CsvTable>(core::read_csv(file));
        rank.table->column("arch");
      } catch (const core::Error& error) {
        throw core::UsageError(error.message(), error.advice());
      }
    });
    checked(truth, "column", [&] { rank.table->column(rank.column); });
    return rank;
  }
  rank.truth_seeds = truth.integer("seeds", rank.truth_seeds, 1, 1000);
  const auto split = truth.one_of("split", "test", {"test", "validation"});
  rank.truth_split = split == "test" ? tasks::Split::test : tasks::Split::validation;
  rank.truth_metric = truth.string("metric", rank.truth_metric);
  rank.all_examples = truth.flag("all_examples", split == "test");
  if (rank.all_examples && split == "validation")
    truth.fail("all_examples",
               "networks trained on the validation examples cannot be judged by them",
               "set split = \"test\", or all_examples = false");
  rank.truth = supernet::TrainSettings::read(truth);
  for (const auto* key : {"teacher", "distill", "distill_relations"})
    if (truth.has(key))
      truth.fail(key, "networks that are trained alone learn from the task", "remove the key");
  return rank;
}

std::filesystem::path base_name(const std::string& path) {
  return std::filesystem::path(path).filename();
}

/// Is there one of this file name among some?
template <class Names>
bool names_file(const Names& names, const std::string& file) {
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return base_name(name) == base_name(file); });
}

/// [job] plugins with those that were loaded from outside (--plugin), as text to be set; empty:
/// nothing is missing. So a job keeps them.
std::string with_loaded_plugins(core::Section root) {
  auto names = root.section("job").strings("plugins", {});
  const auto written = names;
  for (const auto& plugin : core::plugins())
    if (!names_file(written, plugin.path)) names.push_back(plugin.path);
  return names == written ? "" : "job.plugins=" + nlohmann::json(names).dump();
}

/// Says so where a table that must be there is misspelt.
void expect_table(const core::Config& config, core::Section& root, const std::string& name) {
  if (root.has(name)) return;
  std::vector<std::string> tables;
  for (const auto& value : config.changes_since(core::Config::from_text("")))
    tables.push_back(value.key.substr(0, value.key.find_first_of(".[")));
  if (const auto nearest = core::nearest_name(name, tables); !nearest.empty())
    root.fail(nearest, "no job file has such a table", "did you mean [" + name + "]?");
}

JobFile read(core::Config config, const std::string& path, bool fresh) {
  JobFile job;
  job.path = path;
  job.text = config.text();
  job.hash = config.hash();
  core::Section root = config.root();
  for (const auto* table : {"job", "space"}) expect_table(config, root, table);

  core::Section head = root.section("job");
  job.name = head.required_string("name");
  if (fresh) checked(head, "name", [&] { check_name(job.name); });
  load_plugins(root, path);
  job.seed = static_cast<std::uint64_t>(head.integer("seed", 1, 0));
  job.device = head.one_of("device", job.device, {"auto", "cpu", "cuda"});
  job.threads = head.integer("threads", 0, 0, 1024);
  job.folder = head.string("folder", "");

  core::Section space = root.section("space");
  job.space = required_choice(space, "name", spaces::space_types().names());
  for (const auto& [key, value] : space.scalars_except({"name"})) job.space_options[key] = value;

  if (root.has("task")) job.task = read_task(root, job.seed, path);
  bool gpu = true;  // may there be one?
  if (root.has("supernet")) {
    core::Section section = root.section("supernet");
    job.sharing = supernet::SharingSettings::read(section);
    job.train = supernet::TrainSettings::read(section);
    job.train.teacher = find_beside(job.train.teacher, path);
    job.begin_with = find_beside(section.string("begin_with", ""), path);
    job.epochs_by_data = fresh && !section.has("epochs") && job.train.steps == 0;
    job.batch_size_by_data = fresh && !section.has("batch_size");
    checked(section, "sampler",
            [&] { supernet::samplers().at(core::parse_call(job.train.sampler).name); });
    gpu = !fresh || job.device == "cuda" || supernet::resolve_device(job.device) != "cpu";
    if (job.train.precision == "bfloat16" && !gpu)
      section.fail("precision", "bfloat16 needs a GPU", "use \"auto\" or \"float32\"");
    if (!job.task)
      root.fail("supernet", "a supernet needs data to be trained on", "add a [task] section");
  }

  evaluators::JobFacts facts{.task = job.task ? &tasks::tasks().at(job.task->name) : nullptr,
                             .supernet = job.sharing.has_value(),
                             .fresh = fresh,
                             .gpu = gpu};
  if (root.has("evaluator")) {
    facts.table = job.table = read_table(root.section("evaluator"), path);
    if (job.sharing)
      root.fail("evaluator", "a job has a table or a supernet behind it, not both",
                "remove [evaluator] or [supernet]");
  }
  for (const auto& section : root.sections("objective"))
    job.objectives.push_back(read_objective(section, facts));
  if (root.has("rank")) {
    if (!job.task || !job.sharing)
      root.fail("rank", "a ranking needs a supernet and data",
                "add a [task] and a [supernet] section");
    core::Section section = root.section("rank");
    job.rank = read_rank(section, path);
    if (job.rank->precision == "bfloat16" && !gpu)
      section.fail("precision", "bfloat16 needs a GPU", "use \"float32\"");
  }
  if (!job.rank && std::none_of(job.objectives.begin(), job.objectives.end(),
                                [](const auto& objective) { return objective.optimise; }))
    root.fail("", "the job has no objective",
              "add at least one [[objective]] with a metric, one of: " +
                  core::join(names_of(evaluators::known_metrics(facts))));
  for (const auto& objective : job.objectives) {
    if (std::count_if(job.objectives.begin(), job.objectives.end(),
                      [&](const auto& other) { return other.metric == objective.metric; }) > 1)
      root.fail("objective", "metric '" + objective.metric + "' is an objective twice",
                "remove one of them");
  }
  job.search = search::SearchSettings::read(root.section("search"));
  read_constraints(root.section("search"), facts, job);
  job.start = read_start(root.section("search"));
  config.finish();
  return job;
}

}  // namespace

// Jobs that have begun keep the name that they have.
void check_name(const std::string& name) {
  constexpr std::size_t kLongest = 200;  // bytes; file systems end at 255
  std::string why;
  if (core::trim(name).empty()) why = "it is empty";
  if (name == "." || name == "..") why = "'" + name + "' is a folder already";
  if (name.find('/') != std::string::npos) why = "it has a '/'";
  if (core::printable(name) != name) why = "it has a control character";
  if (name.size() > kLongest)
    why = "it has " + std::to_string(name.size()) + " bytes, more than " + std::to_string(kLongest);
  if (!why.empty())
    throw core::UsageError("the name of a job becomes the name of a folder, and " + why,
                           "use letters, digits, '-' and '_'");
}

const core::FormerKeys& former_keys() {
  static const core::FormerKeys keys{
      {"supernet.sharing", "router"},       {"supernet.copies", "experts"},
      {"supernet.hidden", "router_hidden"}, {"objective.examples", "images"},
      {"rank.examples", "images"},          {"rank.truth.all_examples", "all_images"}};
  return keys;
}

std::string find_beside(const std::string& name, const std::string& job_path) {
  if (name.empty() || std::filesystem::exists(name)) return name;
  const auto beside = std::filesystem::path(job_path).parent_path() / name;
  return std::filesystem::exists(beside) ? beside.string() : name;
}

void load_plugins(core::Section root, const std::string& job_path) {
  core::Section head = root.section("job");
  for (const auto& name : head.strings("plugins", {})) {
    const auto file = find_beside(name, job_path);
    const auto loaded = core::mapped(core::plugins(), &core::Plugin::path);
    if (!std::filesystem::exists(file) && names_file(loaded, file)) continue;
    checked(head, "plugins", [&] { core::load_plugin(file); });
  }
}

tasks::TaskSettings read_task(core::Section root, std::uint64_t seed, const std::string& job_path) {
  auto settings = tasks::TaskSettings::read(root.section("task"), seed);
  settings.path = find_beside(settings.path, job_path);
  settings.tokenizer = find_beside(settings.tokenizer, job_path);
  return settings;
}

JobFile JobFile::from_file(const std::string& path, const std::vector<std::string>& given) {
  auto config = core::Config::from_file(path, former_keys());
  auto set = given;
  if (auto text = with_loaded_plugins(config.root()); !text.empty()) set.push_back(std::move(text));
  auto job = read(core::Config::from_text(config.text(), path, former_keys(), set), path, true);
  job.file_hash = config.hash();
  return job;
}
JobFile JobFile::from_text(const std::string& text, const std::string& path,
                           const std::vector<std::string>& set) {
  return read(core::Config::from_text(text, path, former_keys(), set), path, false);
}

}  // namespace mosaic::jobs
