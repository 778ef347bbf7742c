// mosaic finetune: an extracted network, trained further.
#include <cstdio>

#include "command.hpp"
#include "mosaic/jobs/extract.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<jobs::FinetuneOptions>();
  app.add_option("DIR", options->folder, "folder of an extracted network")->required();
  app.add_option("--out", options->out, "folder to write")->required();
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
  app.add_option("--ema", options->ema,
                 "end with a moving average of the weights of this decay, such as 0.999")
      ->check(number(0, 0.999999));
  const auto teacher =
      app.add_option("--teacher", options->teacher, "folder of an extracted network to learn from");
  app.add_option("--distill", options->distill,
                 "share of the teacher's answers in the loss (default: 0.5, or 0 with "
                 "--distill-relations)")
      ->check(number(1e-9, 1))
      ->needs(teacher);
  app.add_option("--distill-temperature", options->distill_temperature,
                 "of both networks' probabilities")
      ->capture_default_str()
      ->check(number(0.01, 100))
      ->needs(teacher);
  const auto relations =
      app.add_option("--distill-relations", options->distill_relations,
                     "share in the loss of what the teacher's last self-attention relates")
          ->check(number(1e-9, 1))
          ->needs(teacher);
  app.add_option("--relation-heads", options->relation_heads,
                 "in which relations are compared (default: of the teacher's, as many as divide "
                 "both networks' features)")
      ->check(whole_number(1, 1024))
      ->needs(relations);
  app.add_option("--relation-loss", options->relation_loss,
                 "mse of products, or kl of their softmax")
      ->capture_default_str()
      ->check(one_of({"mse", "kl"}))
      ->needs(relations);
  app.add_option("--path", options->path,
                 "where the data lies, if elsewhere than when the network was made");
  app.add_option("--device", options->device, "auto, cpu or cuda")
      ->capture_default_str()
      ->check(one_of({"auto", "cpu", "cuda"}));
  app.callback([options] {
    const auto found = jobs::finetune_subnet(*options);
    std::printf("validation %s %s -> %s; written to %s\n", found.metric.c_str(),
                value_text(found.before, found.unit).c_str(),
                value_text(found.after, found.unit).c_str(), options->out.c_str());
  });
}

const core::Registered kEntry{commands(), "finetune", "train an extracted network further", setup};

}  // namespace
}  // namespace mosaic::cli
