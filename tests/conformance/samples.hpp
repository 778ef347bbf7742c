/// Small real instances of registered things, shared by the conformance tests.
#pragma once

#include <map>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::conformance {

/// Options that make a space small enough to train in a test. A space without an entry is used as
/// it is. Without a task it is made for one that it serves.
inline spaces::Space small_space(const std::string& name, const spaces::TaskShape& task = {}) {
  static const std::map<std::string, std::map<std::string, std::string>> options = {
      {"resnet-elastic", {{"width", "8"}, {"blocks", "2"}}},
      {"resnet-pooling", {{"width", "4"}, {"layers", "5"}, {"poolings", "2"}}},
      {"mobilenetv3", {{"width_percent", "10"}, {"blocks", "3"}}},
      {"resnet50", {{"width_percent", "20"}, {"more_blocks", "1"}}},
      {"vit", {{"patch", "7"}, {"layers", "5"}}},
      {"bert", {{"layers", "3"}}},
      {"gpt", {{"layers", "3"}}},
      {"hat-translation", {{"encoder_layers", "2"}, {"decoder_layers", "2"}}},
      {"nasbench201", {{"channels", "4"}, {"cells", "1"}}}};
  const auto found = options.find(name);
  const auto made = [&](const spaces::TaskShape& shape) {
    return spaces::Space::make(
        name, shape, found == options.end() ? std::map<std::string, std::string>{} : found->second);
  };
  if (!task.inputs.empty()) return made(task);
  for (const auto& shape : {spaces::image_task({1, 28, 28}, 10), spaces::translation_task(50, 6, 5),
                            spaces::language_task(50, 6)}) {
    try {
      return made(shape);
    } catch (const core::UsageError&) {  // it serves another kind
    }
  }
  return made(spaces::text_task(50, 3, 6));
}

/// A Vision Transformer as AutoFormer's are: with relative positions, and a class token.
inline spaces::Space space_with_relative_positions() {
  return spaces::Space::make(
      "vit", spaces::image_task({1, 28, 14}, 10),
      {{"patch", "7"}, {"layers", "4"}, {"relative_positions", "2"}, {"class_token", "1"}});
}

}  // namespace mosaic::conformance
