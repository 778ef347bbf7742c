/// Forward passes of networks with fixed weights, block by block (engine/block_pass.hpp): on a GPU
/// a block is recorded when it comes the second time, and replayed from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/block_pass.hpp"
#include "engine/capture.hpp"
#include "scoring/measures.hpp"

namespace mosaic::supernet {

/// Networks that run as one.
struct Networks {
  Program program;
  std::vector<Block> blocks;  ///< blocks_of(program)
  WeightSources sources = {};
};

/// Statistics of all normalisation layers of networks that run as one.
struct Statistics {
  std::vector<std::string> nodes;
  std::vector<std::pair<const Buffer*, const Buffer*>> places;  ///< of means and variances
  at::Tensor all;  ///< what these hold for these networks, one behind the other
  std::int64_t batches = 0;
};

class Forward {
 public:
  Forward(const Measures& measures, const std::string& device, bool bfloat16, bool record);
  ~Forward();
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  /// What passes are given, of networks that have the same inputs; until the next call.
  Given given(const Networks& networks, const NamedTensors& inputs, const NamedTensors& targets);
  /// Averages the statistics of one more batch in.
  void calibrate(const Networks& networks, const Given& given, Statistics& statistics);
  /// What a batch measures of outputs, with these statistics. Does not wait for the device.
  Numbers measure(const Networks& networks, const Given& given, const Statistics& statistics);

  /// Blocks that are recorded.
  std::size_t recorded() const;
  /// Forgets what was recorded, where that has become much; `all`: in any case.
  void forget(bool all);

 private:
  struct Piece;
  class Pass;

  const Measures& measures_;
  std::string device_;
  bool bfloat16_, record_;
  at::Generator random_;
  Buffers buffers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Piece>> pieces_;
  /// Of all recordings: one runs after the other, and leaves nothing there.
  Recording::Pool pool_{};
};

}  // namespace mosaic::supernet
