/// Networks that stand alone: extracted from a job's supernet, evaluated, trained further. Free of
/// torch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"
#include "mosaic/jobs/selection.hpp"

namespace mosaic::jobs {

struct ExtractOptions {
  std::string db = "results.db";
  std::optional<std::string> job;
  Selection selection;
  /// Text or hash of one network, "largest" or "smallest", instead of a selection.
  std::string arch;
  std::string path;  ///< of the data, where it lies elsewhere than when the job began
  std::string out;
};
struct Extracted {
  db::Job job;
  std::string arch;
  std::optional<db::Network> known;  ///< what the job measured of it
  double difference = 0;  ///< largest one of the network's outputs and the supernet's, relative
};
/// Writes a network of a job's trained supernet to a folder, reads it back, and compares what both
/// compute. Throws core::Error where they differ.
Extracted extract_subnet(const ExtractOptions& options);

struct EvalOptions {
  std::string folder;
  std::string split = "test";
  std::string path;  ///< of the data, where it lies elsewhere than when the network was made
  std::string device = "auto";
  std::string db;       ///< database to note the result in; empty: none
  std::string outputs;  ///< safetensors file for the first inputs, by name, and what the network
                        ///< makes of them, "y"; empty: none
};
struct Evaluated {
  std::string arch, task, passes;
  struct Figure {
    std::string metric, unit;
    double value = 0, error = 0;  ///< standard error
    std::int64_t examples = 0;
  };
  std::vector<Figure> figures;  ///< the task's leading metric first, the loss last
};
Evaluated eval_subnet(const EvalOptions& options);

struct FinetuneOptions {
  std::string folder;
  std::string out;
  std::string path;
  std::string device = "auto";
  /// KEY=VALUE of supernet::TrainSettings. What is not set: adamw for networks with attention, else
  /// sgd; a rate of 0.02 (sgd) or 3e-4; 128 examples a batch, fewer where the data are few; 2
  /// epochs, more where the data are few.
  std::vector<std::string> set = {};
  /// Seed that the weights are drawn with, instead of the network's own.
  std::optional<std::int64_t> anew = {};
};
struct Finetuned {
  std::string metric, unit;      ///< the task's leading one
  double before = 0, after = 0;  ///< on validation examples
};
Finetuned finetune_subnet(const FinetuneOptions& options);

}  // namespace mosaic::jobs
