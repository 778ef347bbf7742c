/// How networks are trained. Free of torch.
#pragma once

#include <cstdint>
#include <string>

#include "mosaic/core/settings.hpp"

namespace mosaic::supernet {

/// The training keys of [supernet] (or of `mosaic finetune`).
struct TrainSettings {
  std::int64_t epochs = 4;
  std::int64_t batch_size = 128;
  std::string optimizer = "sgd";  ///< or "adamw"
  double learning_rate = 0.1;     ///< at batch_size; cosine to 0
  double momentum = 0.9;          ///< sgd, Nesterov
  double weight_decay = 5e-4;     ///< convolutions and linear layers only
  double warmup = 0.05;           ///< share of the steps with linearly rising rate
  double label_smoothing = 0.0;
  double clip = 5.0;               ///< largest global gradient norm; 0: off
  std::string precision = "auto";  ///< "float32", "bfloat16" (GPU); auto: bfloat16 on the GPU
  bool replay = true;  ///< GPU: record the kernels of passes that come again, and replay them
  /// GPU: time cuDNN's algorithms and take the fastest. Results may then differ from run to run.
  bool autotune = false;
  std::string sampler = "uniform";
  double checkpoint_minutes = 2;  ///< time between checkpoints (one at each epoch's end too)

  void visit(core::Visitor& v);
  /// Reads its keys of the section. The default rate of adamw is another one.
  static TrainSettings read(core::Section section);
};

}  // namespace mosaic::supernet
