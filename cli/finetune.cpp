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
                 "sgd or adamw (default: adamw for networks with attention, else sgd)")
      ->check(one_of({"sgd", "adamw"}));
  app.add_option("--learning-rate", options->learning_rate,
                 "at the start; cosine to 0 (default: 0.02 of sgd, 0.0003 of adamw)")
      ->check(number(1e-9, 100));
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
