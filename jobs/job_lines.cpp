#include "job_lines.hpp"

#include <algorithm>

namespace mosaic::jobs {
namespace {

void refuse(const core::Section& section, const std::string& key, const std::string& message,
            const std::string& advice) {
  if (section.has(key)) section.fail(key, message, advice);
}

void check_task(const core::Section& section, const tasks::TaskSettings& task) {
  const auto& type = tasks::tasks().at(task.name);
  std::vector<std::string> known, others;
  for (const auto& setting : core::listed(task))
    (type.reads(setting.key) ? known : others).push_back(setting.key);
  for (const auto& key : others)
    refuse(section, key, "the task " + task.name + " does not read " + key,
           "remove it; known: " + core::join(known));
}

void check_sharing(const core::Section& section, const supernet::SharingSettings& sharing) {
  for (const auto* unmixed : {"plain", "partition", "balanced", "grown"})
    if (sharing.kind == unmixed)
      refuse(section, "hidden", "only mixtures have this key",
             "remove it, or use sharing = \"layer-wise\" or \"neuron-wise\"");
  if (sharing.kind == "partition" && sharing.split_at.empty())
    for (const auto* key : {"split_repeats", "restart"})
      refuse(section, key, "a split that holds from the start divides nothing in training",
             "remove it, or say when to divide: split_at = [0.15]");
}

void check_optimizer(const core::Section& section, const std::string& optimizer) {
  const bool sgd = optimizer == "sgd";
  const auto unread = sgd ? std::vector{"beta1", "beta2"} : std::vector{"momentum"};
  for (const auto* key : unread)
    refuse(section, key, "optimizer = \"" + optimizer + "\" does not read it",
           sgd ? "remove it, or use optimizer = \"adamw\" or \"adam\""
               : "remove it, or use optimizer = \"sgd\"");
}

void check_objective(const core::Section& section, const ObjectiveFile& objective,
                     const JobFile& file) {
  if (!objective.predicted)
    refuse(section, "samples", "without a predictor every network is measured",
           "remove it, or choose a predictor");
  if (!file.task || objective.measuring.evaluator != "latency") return;
  const auto& metrics = tasks::tasks().at(file.task->name).metrics;
  if (std::none_of(metrics.begin(), metrics.end(), [](const auto& m) { return m.of_written; }))
    refuse(section, "beam", "networks of the task " + file.task->name + " write nothing",
           "remove it");
}

}  // namespace

core::Section root_of(const JobFile& file) {
  return core::Config::from_text(file.text, file.path, former_keys()).root();
}

void refuse_idle_keys(const JobFile& file) {
  auto root = root_of(file);
  if (file.task) check_task(root.section("task"), *file.task);
  if (file.sharing) {
    const auto section = root.section("supernet");
    check_sharing(section, *file.sharing);
    check_optimizer(section, file.train.optimizer);
  }
  const auto objectives = root.sections("objective");
  for (std::size_t i = 0; i < objectives.size(); ++i)
    check_objective(objectives[i], file.objectives.at(i), file);
  if (file.rank && !file.rank->table)
    check_optimizer(root.section("rank").section("truth"), file.rank->truth.optimizer);
}

}  // namespace mosaic::jobs
