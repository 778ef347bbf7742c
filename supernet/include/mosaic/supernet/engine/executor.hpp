/// Runs a bound Graph: one executor for the supernet (mixed weights) and for extracted subnets
/// (their own).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/registry.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::supernet {

/// Where normalisation layers take their statistics from.
enum class NormMode {
  batch,      ///< the batch itself (training)
  calibrate,  ///< the batch itself, and record them
  stored,     ///< what calibration recorded
};

/// Normalisation statistics of one architecture, by node name. They are no weights: an
/// architecture's statistics under shared weights are its own (calibration gives them), and
/// extraction takes them along.
class NormStats {
 public:
  struct Entry {
    at::Tensor mean;      ///< float32 [channels]
    at::Tensor variance;  ///< float32 [channels], unbiased
    std::int64_t batches = 0;
  };
  /// Averages the statistics of one more batch in.
  void add(const std::string& node, const at::Tensor& mean, const at::Tensor& variance);
  void set(const std::string& node, Entry entry) { entries_[node] = std::move(entry); }
  /// Throws core::Error if the node was not calibrated.
  const Entry& at(const std::string& node) const;
  const std::map<std::string, Entry>& entries() const { return entries_; }
  void to(const std::string& device);

 private:
  std::map<std::string, Entry> entries_;
};

/// Gives the tensor behind a weight reference, of shape `ref.active`; where several networks run as
/// one (joint.hpp), of shape [networks, ...ref.active], and values have networks * channels
/// channels.
using WeightSource = std::function<at::Tensor(const spaces::WeightRef& ref)>;

/// What an op kernel sees.
struct OpCall {
  const spaces::GraphNode& node;
  std::span<const at::Tensor> inputs;
  const WeightSource& weights;
  const at::Tensor& entry_input;  ///< first input of the entry point: batch size, device
  NormMode mode;
  NormStats* stats;
  std::int64_t networks = 1;  ///< that run as one

  /// The tensor of a weight by role; undefined where the node has none.
  at::Tensor weight(const std::string& role) const;
};

/// Kernel of an op whose specification lives in spaces/ops/. One file each in supernet/ops/.
using OpKernel = std::function<at::Tensor(const OpCall&)>;
/// `const core::Registered kEntry{op_kernels(), "relu", "at::relu", OpKernel(...)};`
core::Registry<OpKernel>& op_kernels();

/// Outputs of an entry point. Inputs are [batch, ...node shape]; for several `networks` of this
/// graph that run as one, values have the channels of all. Intermediate tensors are freed after
/// their last use. Throws core::Error for an input whose shape the graph does not take.
std::vector<at::Tensor> execute(const spaces::Graph& graph, const std::string& entry,
                                std::span<const at::Tensor> inputs, const WeightSource& weights,
                                NormMode mode, NormStats* stats, std::int64_t networks = 1);

/// A random input of the entry point's shapes (for timing and tests).
std::vector<at::Tensor> random_inputs(const spaces::Graph& graph, const std::string& entry,
                                      std::int64_t batch, std::uint64_t seed,
                                      const std::string& device);

}  // namespace mosaic::supernet
