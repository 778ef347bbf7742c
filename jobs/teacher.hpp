/// A network that others learn from.
#pragma once

#include <memory>
#include <string>

#include "mosaic/supernet/networks/subnet.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::jobs {

struct Teacher {
  std::shared_ptr<supernet::Subnet> network;
  std::string hash;  ///< of its architecture, weights and statistics, wherever it lies
};

/// Loads an extracted network for those that train on a task. Throws core::UsageError where there
/// is none, or where its inputs or outputs are not those of the task: shapes, vocabulary, classes.
Teacher load_teacher(const std::string& folder, const tasks::Task& task, const std::string& device);

}  // namespace mosaic::jobs
