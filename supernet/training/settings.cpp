#include "mosaic/supernet/training/settings.hpp"

#include <algorithm>

namespace mosaic::supernet {

void TrainSettings::visit(core::Visitor& v) {
  using core::kFirst, core::kNotIdentity;
  v("epochs", epochs, {1, 100'000}, kFirst);
  v("batch_size", batch_size, {2, 1 << 20}, kFirst);
  v("optimizer", optimizer, {"sgd", "adamw"}, kFirst);
  v("precision", precision, {"auto", "float32", "bfloat16"}, kFirst);
  v("sampler", sampler, {}, kFirst);
  v("learning_rate", learning_rate, {0, 100}, kFirst);
  v("momentum", momentum, {0, 0.9999}, kFirst);
  v("weight_decay", weight_decay, {0, 10}, kFirst);
  v("warmup", warmup, {0, 1}, kFirst);
  v("label_smoothing", label_smoothing, {0, 0.9}, kFirst);
  v("clip", clip, {0, 1e9}, kFirst);
  v("schedule", schedule, {"cosine", "inverse-sqrt", "constant"});
  v("beta1", beta1, {0, 0.9999});
  v("beta2", beta2, {0, 0.99999});
  v("autotune", autotune, kNotIdentity);
  v("replay", replay, kNotIdentity);
  v("checkpoint_minutes", checkpoint_minutes, {0, 1e6}, kNotIdentity);
}

TrainSettings TrainSettings::read(core::Section section) {
  TrainSettings settings;
  if (section.string("optimizer", settings.optimizer) == "adamw") settings.learning_rate = 2e-3;
  core::read(section, settings);
  return settings;
}

std::int64_t batch_size_for(std::int64_t examples) {
  std::int64_t size = 128;
  while (size > 32 && examples / size < 20) size /= 2;
  return size;
}

std::int64_t epochs_for(std::int64_t steps, std::int64_t examples, std::int64_t batch_size,
                        std::int64_t least) {
  const auto per_epoch = std::max<std::int64_t>(1, examples / batch_size);
  return std::max(least, (steps + per_epoch - 1) / per_epoch);
}

}  // namespace mosaic::supernet
