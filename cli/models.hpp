/// Stand-alone networks: eval and finetune. Free of torch.
#pragma once

#include <cstdint>
#include <string>

namespace mosaic::cli {

struct EvalOptions {
  std::string folder;
  std::string split = "test";
  std::string path;  ///< of the data, where it lies elsewhere than when the network was made
  std::string device = "auto";
  std::string db;       ///< database to note the result in; empty: none
  std::string outputs;  ///< safetensors file for the first inputs "x" and what the network makes of
                        ///< them "y"; empty: none
  bool json = false;
};
void eval_subnet(const EvalOptions& options);

struct FinetuneOptions {
  std::string folder;
  std::string out;
  std::string path;
  std::string device = "auto";
  std::int64_t epochs = 2;
  std::int64_t batch_size = 128;
  double learning_rate = 0.02;
};
void finetune_subnet(const FinetuneOptions& options);

}  // namespace mosaic::cli
