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

TaskSettings TaskSettings::read(core::Section section, std::uint64_t seed) {
  TaskSettings settings;
  settings.seed = seed;
  settings.name = section.one_of("name", settings.name, tasks().names());
  settings.path = section.string("path", settings.path);
  settings.validation = section.number("validation", settings.validation, 0.0, 0.9);
  settings.limit = section.integer("limit", settings.limit, 0);
  settings.augment = section.flag("augment", settings.augment);
  settings.image_size = section.integer("image_size", settings.image_size, 1, 4096);
  return settings;
}

core::Registry<TaskFactory>& tasks() {
  static core::Registry<TaskFactory> registry("task");
  return registry;
}

}  // namespace mosaic::tasks
