#include "mosaic/jobs/job_space.hpp"

#include "mosaic/core/config.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/jobs/job_file.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::jobs {
namespace {

/// Shapes of the tasks that come with Mosaic: which one a job had, its space's hash tells.
const std::vector<spaces::TaskShape> kUsualShapes = {{},
                                                     spaces::image_task({1, 28, 28}, 10),
                                                     spaces::image_task({3, 32, 32}, 100),
                                                     spaces::image_task({1, 32, 32}, 10)};

}  // namespace

spaces::Space space_of_job(const db::Job& job) {
  auto root = core::Config::from_text(job.config, job.config_path, former_keys()).root();
  load_plugins(root, job.config_path);
  auto section = root.section("space");
  const auto name = section.required_string("name");
  std::map<std::string, std::string> options;
  for (const auto& [key, value] : section.scalars_except({"name"})) options[key] = value;

  for (const auto& shape : kUsualShapes) {
    try {
      auto space = spaces::Space::make(name, shape, options);
      if (space.hash() == job.space_hash) return space;
    } catch (const core::UsageError&) {
      if (!root.has("task")) throw;  // a space may refuse a shape that is not the job's
    }
  }
  if (root.has("task")) {
    const auto settings = read_task(root, job.seed, job.config_path);
    const auto task = tasks::make_task(settings);
    auto space = spaces::Space::make(name, task->shape(), options);
    if (space.hash() == job.space_hash) return space;
  }
  throw core::Error(
      "space '" + job.space + "' changed since job '" + job.name + "' began",
      "ask with the version of Mosaic that wrote it (" + job.version + ", " + job.revision + ")");
}

}  // namespace mosaic::jobs
