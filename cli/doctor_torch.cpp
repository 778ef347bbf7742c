// What this machine has, and what is missing.
#include <ATen/ATen.h>

#include <filesystem>
#include <iostream>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/search/search.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "mosaic/tasks/task.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

std::string task_state(const std::string& name) {
  tasks::TaskSettings settings;
  settings.name = name;
  settings.limit = 16;
  try {
    const auto task = tasks::make_task(settings);
    return "ready: " + std::to_string(task->size(tasks::Split::test)) + " test examples, " +
           spaces::to_string(task->shape());
  } catch (const core::Error& error) {
    return error.message();
  }
}

void setup(App& app) {
  app.callback([] {
    supernet::set_threads(0);
    db::Table table{{"what", "found"}, {}};
    const auto row = [&](const std::string& what, const std::string& found) {
      table.rows.push_back({text_cell(what), text_cell(found)});
    };
    row("Mosaic", core::version() + " (" + core::revision() + ")");
    row("LibTorch", supernet::torch_version());
    row("pagmo", search::pagmo_version());
    row("CPU", core::cpu_name() + ", " + std::to_string(core::usable_cores()) + " usable cores");
    row("memory", core::human_bytes(core::available_memory()) + " free");
    row("GPU", supernet::gpu_state());
    const auto space = std::filesystem::space(".");
    row("disk", core::human_bytes(static_cast<double>(space.available)) + " free in this folder");
    for (const auto& name : tasks::tasks().names()) row("task " + name, task_state(name));
    print_table(table, {});
  });
}

const core::Registered kEntry{commands(), "doctor", "what this machine has, and what is missing",
                              setup};

}  // namespace
}  // namespace mosaic::cli
