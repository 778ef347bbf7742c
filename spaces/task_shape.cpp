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
  return core::join(inputs) + " -> " + to_string(task.output) +
         (task.causal ? " of the next position" : "");
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
    throw UnfitTask(
        "it takes images [channels, height, width] and gives a logit a class, and the task has " +
        to_string(task));
  return {port.shape[0].factor, port.shape[1].factor, port.shape[2].factor, task.output[0].factor};
}

TaskShape text_task(std::int64_t vocabulary, std::int64_t classes, std::int64_t length) {
  return {.inputs = {{"tokens", {{1, {"length"}}}, DataType::int64, vocabulary}},
          .output = {{classes, {}}},
          .typical = {{"length", length}}};
}

TaskShape language_task(std::int64_t vocabulary, std::int64_t length, bool causal) {
  TaskShape task = text_task(vocabulary, vocabulary, length);
  task.causal = causal;
  task.output.insert(task.output.begin(), {1, {"length"}});
  return task;
}

TokenShape token_shape(const TaskShape& task) {
  if (task.inputs.empty()) return token_shape(text_task());
  const Port& port = task.inputs[0];
  const bool tokens = task.inputs.size() == 1 && port.name == "tokens" &&
                      port.type == DataType::int64 && port.range > 0 && port.shape.size() == 1 &&
                      port.shape[0].symbols.size() == 1;
  const bool every = task.output.size() == 2 && tokens && task.output[0] == port.shape[0];
  if (!tokens || !(every || task.output.size() == 1) || !task.output.back().symbols.empty())
    throw UnfitTask(
        "it takes tokens, and gives a logit a class, of the text or of each position, and the task "
        "has " +
        to_string(task));
  return {port, task.output.back().factor, every};
}

TaskShape translation_task(std::int64_t vocabulary, std::int64_t source_length,
                           std::int64_t target_length) {
  const auto port = [&](const char* name, const char* length) {
    return Port{name, {{1, {length}}}, DataType::int64, vocabulary};
  };
  return {.inputs = {port("source", "source_length"), port("target", "target_length")},
          .output = {{1, {"target_length"}}, {vocabulary, {}}},
          .typical = {{"source_length", source_length}, {"target_length", target_length}},
          .causal = true,
          .written = "target"};
}

TranslationShape translation_shape(const TaskShape& task) {
  if (task.inputs.empty()) return translation_shape(translation_task());
  const auto tokens = [](const Port& port) {
    return port.type == DataType::int64 && port.range > 0 && port.shape.size() == 1 &&
           port.shape[0].symbols.size() == 1;
  };
  const auto& inputs = task.inputs;
  if (inputs.size() != 2 || !tokens(inputs[0]) || !tokens(inputs[1]) ||
      task.written != inputs[1].name || inputs[0].range != inputs[1].range ||
      task.output.size() != 2 || task.output[0] != inputs[1].shape[0] ||
      task.output[1] != Dim{inputs[1].range, {}})
    throw UnfitTask(
        "it takes tokens of a source and of a target, of one vocabulary, and gives a logit for "
        "each "
        "that may come next, and the task has " +
        to_string(task));
  return {inputs[0], inputs[1], inputs[1].range};
}

}  // namespace mosaic::spaces
