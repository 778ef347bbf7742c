// mosaic finetune: an extracted network, trained further.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "mosaic/jobs/extract.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

struct Options {
  jobs::FinetuneOptions finetune;
  // Training keys that are often given.
  std::optional<std::int64_t> epochs, batch_size;
  std::optional<double> learning_rate, distill;
  std::optional<std::string> optimizer, teacher;
};

jobs::FinetuneOptions read(const Options& options) {
  auto result = options.finetune;
  const auto set = [&](const std::string& key, const auto& value) {
    if (value) result.set.push_back(key + "=" + nlohmann::json(*value).dump());
  };
  set("epochs", options.epochs);
  set("batch_size", options.batch_size);
  set("learning_rate", options.learning_rate);
  set("distill", options.distill);
  set("optimizer", options.optimizer);
  set("teacher", options.teacher);
  return result;
}

void setup(App& app) {
  auto options = std::make_shared<Options>();
  auto& finetune = options->finetune;
  app.add_option("DIR", finetune.folder, "folder of an extracted network")->required();
  app.add_option("--out", finetune.out, "folder to write")->required();
  app.add_option("--epochs", options->epochs,
                 "passes over the training split (default: 2, more where the data are few)")
      ->check(whole_number(1, 100'000));
  app.add_option("--batch-size", options->batch_size,
                 "examples a step (default: 128, fewer where the data are few)")
      ->check(whole_number(2, 1 << 20));
  app.add_option("--optimizer", options->optimizer,
                 "sgd, adamw or adam (default: adamw for networks with attention, else sgd)")
      ->check(one_of({"sgd", "adamw", "adam"}));
  app.add_option("--learning-rate", options->learning_rate,
                 "at the start; cosine to 0 (default: 0.02 of sgd, 0.0003 of adamw and adam)")
      ->check(number(1e-9, 100));
  const auto teacher =
      app.add_option("--teacher", options->teacher, "folder of an extracted network to learn from");
  app.add_option("--distill", options->distill, "share of the teacher in the loss (default 0.5)")
      ->check(number(1e-9, 1))
      ->needs(teacher);
  app.add_option("--set", finetune.set,
                 "KEY=VALUE of any training key of [supernet], such as label_smoothing=0.1 or "
                 "ema=0.999; may be repeated")
      ->one_at_a_time();
  app.add_option("--anew", finetune.anew,
                 "train it alone: begin with weights that this seed draws, not with its own")
      ->check(whole_number(0, 1'000'000'000));
  app.add_option("--path", finetune.path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", finetune.device, "auto, cpu or cuda")
      ->capture_default_str()
      ->check(one_of({"auto", "cpu", "cuda"}));
  app.callback([options] {
    const auto found = jobs::finetune_subnet(read(*options));
    std::printf("validation %s %s -> %s; written to %s\n", found.metric.c_str(),
                value_text(found.before, found.unit).c_str(),
                value_text(found.after, found.unit).c_str(), options->finetune.out.c_str());
  });
}

const core::Registered kEntry{commands(), "finetune", "train an extracted network further", setup};

}  // namespace
}  // namespace mosaic::cli
