// mosaic tasks: the tasks, or one of them.
#include <iostream>

#include "command.hpp"
#include "mosaic/core/config.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/tasks/task.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  tasks::TaskSettings task;
  std::vector<std::string> set;
  OutputOptions output;
};

std::string text_of(const core::Setting& setting) {
  return core::text_of({setting}).substr(setting.key.size() + 3);  // without ", key="
}

/// What its data are; where they are not in their usual place, why.
std::string data_of(const tasks::TaskSettings& settings) {
  try {
    const auto task = tasks::make_task(settings);
    const auto summary = task->summary();
    return spaces::to_string(task->shape()) + (summary.empty() ? "" : "\n  " + summary);
  } catch (const core::Error& error) {
    if (!settings.path.empty()) throw;
    return error.what();
  }
}

void describe(const tasks::TaskSettings& settings) {
  const auto& type = tasks::tasks().at(settings.name);
  std::cout << settings.name << ": " << tasks::tasks().summary(settings.name) << "\n";
  if (!type.explanation.empty()) std::cout << type.explanation << "\n";
  const auto data = data_of(settings);
  std::cout << "data: " << data << "\n\n";
  db::Table table{{"key of [task]", "default", "what it is"}, {}};
  const auto meanings = tasks::TaskSettings::meanings();
  for (const auto& setting : core::listed(tasks::TaskSettings()))
    if (setting.key != "name" && type.reads(setting.key))
      table.rows.push_back({text_cell(setting.key), text_cell(text_of(setting)),
                            text_cell(meanings.at(setting.key))});
  for (const auto& metric : type.metrics)
    std::cout << "metric: " << metric.name << (metric.unit.empty() ? "" : " (" + metric.unit + ")")
              << "\n";
  print_table(table, {});
}

/// With the keys of [task] that were given.
tasks::TaskSettings settings_of(const Options& options) {
  const auto& task = options.task;
  std::vector<std::string> assignments{"task.name=" + task.name};
  if (!task.path.empty()) assignments.push_back("task.path=" + task.path);
  if (task.image_size != tasks::TaskSettings().image_size)
    assignments.push_back("task.image_size=" + std::to_string(task.image_size));
  for (const auto& one : options.set) assignments.push_back("task." + one);
  auto config = core::Config::from_text("[task]\n", "--set", {}, assignments);
  auto settings = tasks::TaskSettings::read(config.root().section("task"), 1);
  config.finish();
  return settings;
}

void setup(App& app) {
  auto options = std::make_shared<Options>();
  options->task.name.clear();
  app.add_option("NAME", options->task.name, "a task to explain; without it they are listed");
  app.add_option("--path", options->task.path, "data to look at, as [task] path names them");
  app.add_option("--image-size", options->task.image_size, "as [task] image_size")
      ->capture_default_str()
      ->check(whole_number(1, 4096));
  app.add_option("--set", options->set, "KEY=VALUE of [task], such as source=en; may be repeated");
  add_output_options(app, options->output);
  app.footer("Example: mosaic tasks image-folder --path pictures");
  app.callback([options] {
    if (!options->task.name.empty()) return describe(settings_of(*options));
    db::Table table{{"name", "what it is"}, {}};
    for (const auto& name : tasks::tasks().names())
      table.rows.push_back({text_cell(name), text_cell(tasks::tasks().summary(name))});
    print_table(table, options->output);
  });
}

const core::Registered kEntry{commands(), "tasks", "list the tasks, or explain one",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
