/// Real images for tests of training.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet::test {

/// Some hundred images of Fashion-MNIST. Null, with a warning, where the data is not installed.
inline std::unique_ptr<tasks::Task> small_task(std::int64_t limit = 360,
                                               const std::string& device = "cpu") {
  tasks::TaskSettings settings;
  settings.limit = limit;
  try {
    auto task = tasks::tasks().at("fashion-mnist")(settings);
    task->to(device);
    return task;
  } catch (const core::Error& error) {
    WARN("skipped: " << error.what());
    return nullptr;
  }
}

}  // namespace mosaic::supernet::test
