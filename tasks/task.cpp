#include "mosaic/tasks/task.hpp"

namespace mosaic::tasks {

std::string to_string(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      break;
  }
  return "test";
}

void TaskSettings::visit(core::Visitor& v) {
  using core::kFirst, core::kNotIdentity;
  v("name", name, core::OneOf(tasks().names()), kNotIdentity);  // the checksum of the data tells
  v("path", path, {}, kNotIdentity);
  v("validation", validation, {0, 0.9}, kFirst);
  v("limit", limit, {0}, kFirst);
  v("augment", augment, kFirst);
  v("image_size", image_size, {1, 4096}, kNotIdentity);  // of the images that the checksum is of
}

TaskSettings TaskSettings::read(core::Section section, std::uint64_t seed) {
  TaskSettings settings;
  settings.seed = seed;
  core::read(section, settings);
  return settings;
}

core::Registry<TaskFactory>& tasks() {
  static core::Registry<TaskFactory> registry("task");
  return registry;
}

}  // namespace mosaic::tasks
