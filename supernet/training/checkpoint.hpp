/// Checkpoints of a training: parameters, optimiser state and step, in one safetensors file.
#pragma once

#include <optional>
#include <string>

#include "training/optimizer.hpp"

namespace mosaic::supernet {

struct CheckpointHeader {
  std::int64_t step = 0;
  std::int64_t steps = 0;   ///< of the whole training
  std::int64_t pieces = 1;  ///< in which a batch is taken because it did not fit in memory
  std::string identity;
  std::string structure = {};  ///< Trainee::structure()
};

/// Copies a tensor of a file, and says whether it fits: of one network, the leading axis of
/// networks may be missing on either side.
bool copy_stored(const at::Tensor& stored, const at::Tensor& target);

/// Throws core::Error for a damaged or foreign file.
CheckpointHeader read_header(const std::string& path);

void save_checkpoint(const std::string& path, const NamedTensors& parameters,
                     const Optimizer& optimizer, const CheckpointHeader& header);
/// Reads parameters and the optimiser's state; without one, the averages of parameters where there
/// are any. Throws core::Error for a damaged or foreign file or one of another identity.
CheckpointHeader load_checkpoint(const std::string& path, const NamedTensors& parameters,
                                 Optimizer* optimizer, const std::string& identity);

}  // namespace mosaic::supernet
