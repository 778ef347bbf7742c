#include "mosaic/supernet/training/settings.hpp"

#include <algorithm>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {

void TrainSettings::visit(core::Visitor& v) {
  using core::kFirst, core::kNotIdentity;
  v("epochs", epochs, {1, 100'000}, kFirst);
  v("batch_size", batch_size, {2, 1 << 20}, kFirst);
  v("optimizer", optimizer, {"sgd", "adamw", "adam"}, kFirst);
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
  v("steps", steps, {1, 1'000'000'000});
  v("batch_tokens", batch_tokens, {16, 1 << 24});
  v("warmup_steps", warmup_steps, {1, 1'000'000'000});
  v("ema", ema, {0, 0.999999});
  v("distill", distill, {0, 1});
  v("distill_temperature", distill_temperature, {0.01, 100});
  v("distill_relations", distill_relations, {0, 1});
  v("relation_heads", relation_heads, {0, 1024});
  v("relation_loss", relation_loss, {"mse", "kl"});
  v("teacher", teacher, {}, kNotIdentity);  // its content is in the identity, wherever it lies
  v("autotune", autotune, kNotIdentity);
  v("replay", replay, kNotIdentity);
  v("checkpoint_minutes", checkpoint_minutes, {0, 1e6}, kNotIdentity);
}

TrainSettings TrainSettings::read(core::Section section) {
  TrainSettings settings;
  if (section.string("optimizer", settings.optimizer) != "sgd") settings.learning_rate = 2e-3;
  if (!section.string("teacher", "").empty() && !section.has("distill_relations"))
    settings.distill = 0.5;
  core::read(section, settings);
  for (const auto& [steps, share] :
       {std::pair("steps", "epochs"), std::pair("warmup_steps", "warmup"),
        std::pair("batch_tokens", "batch_size")})
    if (section.has(steps) && section.has(share))
      section.fail(steps, std::string(steps) + " and " + share + " say the same thing twice",
                   std::string("remove ") + steps + " or " + share +
                       " (--set takes a key out of a file where nothing follows its =)");
  if (!settings.teacher.empty() && !settings.distills())
    section.fail("teacher", "with distill = 0 nothing is learned from a teacher",
                 "remove one of them");
  if (section.has("distill_temperature") && settings.distill == 0)
    section.fail("distill_temperature", "only a training with distill has this key",
                 "set distill to the share of the teacher in the loss, such as 0.5");
  for (const auto* key : {"relation_heads", "relation_loss"})
    if (section.has(key) && settings.distill_relations == 0)
      section.fail(key, "only a training with distill_relations has this key",
                   "set distill_relations to their share in the loss, such as 0.5");
  try {
    settings.check_shares();
  } catch (const core::UsageError& error) {
    section.fail("distill_relations", error.message(), error.advice());
  }
  return settings;
}

void TrainSettings::check_shares() const {
  if (distill + distill_relations <= 1 + 1e-9) return;
  throw core::UsageError("distill = " + core::format_double(distill) +
                             " and distill_relations = " + core::format_double(distill_relations) +
                             " are shares of one loss, and more than 1 together",
                         "lower one of them: what they leave of 1 is the task's own share");
}

std::int64_t batch_size_for(std::int64_t examples) {
  std::int64_t size = 128;
  while (size > 32 && examples / size < 20) size /= 2;
  return size;
}

std::int64_t epochs_for(std::int64_t steps, std::int64_t per_epoch, std::int64_t least) {
  return std::max(least, (steps + per_epoch - 1) / per_epoch);
}

}  // namespace mosaic::supernet
