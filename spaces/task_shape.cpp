#include "mosaic/spaces/task_shape.hpp"

#include <algorithm>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::spaces {

std::string to_string(const std::vector<Dim>& shape) {
  std::vector<std::string> parts;
  for (const auto& dim : shape) {
    std::vector<std::string> factors;
    if (dim.factor != 1 || dim.symbols.empty()) factors.push_back(std::to_string(dim.factor));
    factors.insert(factors.end(), dim.symbols.begin(), dim.symbols.end());
    parts.push_back(core::join(factors, "*"));
  }
  return core::join(parts, "x");
}

std::string text_of(const Symbols& symbols) {
  std::string text;
  for (const auto& [symbol, length] : symbols) text += ", " + symbol + "=" + std::to_string(length);
  return text;
}

std::string to_string(const TaskShape& task) {
  std::vector<std::string> inputs;
  for (const auto& port : task.inputs) inputs.push_back(port.name + " " + to_string(port.shape));
  return core::join(inputs) + " -> " + to_string(task.output);
}

TaskShape image_task(const std::vector<std::int64_t>& channels_height_width, std::int64_t classes) {
  Port image{.name = "image", .shape = {}};
  for (const auto size : channels_height_width) image.shape.push_back({size, {}});
  return {.inputs = {std::move(image)}, .output = {{classes, {}}}, .typical = {}};
}

ImageShape image_shape(const TaskShape& task) {
  if (task.inputs.empty()) return image_shape(image_task());
  const auto fixed = [](const std::vector<Dim>& shape) {
    return std::all_of(shape.begin(), shape.end(),
                       [](const Dim& dim) { return dim.symbols.empty(); });
  };
  const Port& port = task.inputs[0];
  if (task.inputs.size() != 1 || port.name != "image" || port.type != DataType::float32 ||
      port.shape.size() != 3 || task.output.size() != 1 || !fixed(port.shape) ||
      !fixed(task.output))
    throw core::UsageError(
        "it takes images [channels, height, width] and gives a logit a class, and the task has " +
            to_string(task),
        "choose a space for this task (mosaic spaces lists them)");
  return {port.shape[0].factor, port.shape[1].factor, port.shape[2].factor, task.output[0].factor};
}

}  // namespace mosaic::spaces
