// Calibration and evaluation of one architecture.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"

namespace mosaic::supernet {

NormStats calibrate(const std::function<at::Tensor(const at::Tensor&, NormStats*)>& forward,
                    const tasks::Task& task, std::int64_t images) {
  at::NoGradGuard guard;
  constexpr std::int64_t kBatch = 256;
  const std::int64_t size = task.size(tasks::Split::train), wanted = std::min(images, size);
  NormStats stats;
  if (wanted < 1) return stats;
  const std::int64_t batch = std::min(kBatch, wanted);
  // A last piece much smaller than the rest would count as much as a whole batch.
  const std::int64_t batches = std::min((wanted + batch / 2) / batch, size / batch);
  for (std::int64_t index = 0; index < batches; ++index)
    forward(task.training_batch(0, index, batch).inputs, &stats);
  return stats;
}

Score evaluate(const std::function<at::Tensor(const at::Tensor&)>& forward, const tasks::Task& task,
               tasks::Split split, std::int64_t images, std::int64_t batch_size) {
  at::NoGradGuard guard;
  const std::int64_t size = task.size(split);
  const std::int64_t count = images > 0 ? std::min(images, size) : size;
  if (count == 0)
    throw core::Error("task '" + task.name() + "' has no " + tasks::to_string(split) + " images",
                      "give the task a folder with that split, or another share for validation");
  Score score;
  at::Tensor loss;
  at::Tensor correct;
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    const auto batch = task.batch(split, begin, std::min(batch_size, count - begin));
    const at::Tensor logits = forward(batch.inputs).to(at::kFloat);
    const at::Tensor batch_loss = task.loss(logits, batch.targets, 0.0) * batch.targets.size(0);
    const at::Tensor batch_correct = task.correct(logits, batch.targets);
    loss = loss.defined() ? loss + batch_loss : batch_loss;
    correct = correct.defined() ? correct + batch_correct : batch_correct;
  }
  score.images = count;
  score.accuracy = 100 * correct.item<double>() / static_cast<double>(count);
  score.loss = loss.item<double>() / static_cast<double>(count);
  return score;
}

}  // namespace mosaic::supernet
