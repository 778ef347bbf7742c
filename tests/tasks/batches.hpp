/// Short forms of what tests ask image tasks for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "images/image_classification.hpp"

namespace mosaic::tasks::testing {

inline const at::Tensor& image(const Batch& batch) { return tensor(batch.inputs, "image"); }
inline const at::Tensor& label(const Batch& batch) { return tensor(batch.targets, "class"); }

inline Batch stored(const Task& task, Split split, std::int64_t begin, std::int64_t count) {
  return task.batch({.split = split, .begin = begin, .count = count});
}
inline Batch training(const Task& task, std::int64_t epoch, std::int64_t index, std::int64_t size) {
  return task.batch({.begin = index * size, .count = size, .epoch = epoch});
}

inline Normalisation normalisation(const Task& task) {
  const auto image = task.preprocessing().at("image");
  return {image.at("mean").get<std::vector<double>>(),
          image.at("deviation").get<std::vector<double>>()};
}
inline std::vector<std::string> class_names(const Task& task) {
  return task.preprocessing().at("output").at("class_names").get<std::vector<std::string>>();
}

}  // namespace mosaic::tasks::testing
