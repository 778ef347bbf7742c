/// Real images for tests of training.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
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

/// A trainee whose passes of more than `most` images end as if memory had run out; `seen` is given
/// the logits of the others.
inline Trainee of_little_memory(Trainee trainee, std::int64_t most,
                                const std::function<void(const at::Tensor& logits)>& seen) {
  trainee.passes = [passes = trainee.passes, most, seen](std::int64_t step) {
    auto result = passes(step);
    for (auto& pass : result)
      pass.forward = [forward = pass.forward, most, seen](const at::Tensor& inputs) {
        if (inputs.size(0) > most) throw std::bad_alloc();
        at::Tensor logits = forward(inputs);
        seen(logits);
        return logits;
      };
    return result;
  };
  return trainee;
}

}  // namespace mosaic::supernet::test
