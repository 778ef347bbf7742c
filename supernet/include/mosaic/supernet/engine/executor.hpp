/// The eager engine, which runs compiled programs: of supernets (mixed weights) and of extracted
/// subnets (their own), one or several side by side.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/registry.hpp"
#include "mosaic/spaces/graph.hpp"
#include "mosaic/supernet/engine/program.hpp"

namespace at {
struct Generator;
}

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

/// How a program is run.
struct Mode {
  NormMode norm = NormMode::batch;
  NormStats* stats = nullptr;  ///< of the modes calibrate and stored
  bool training = false;       ///< ops that behave otherwise in training do so
  /// Where ops that draw (dropout, noise) draw from, on the networks' device; null: they must not.
  at::Generator* random = nullptr;
};

/// What an op kernel sees. Networks lead in every tensor, one network too: [networks, batch, ...];
/// how they lie in memory is up to the kernels (images: engine/channels.hpp).
struct OpCall {
  const spaces::GraphNode& node;
  std::span<const at::Tensor> inputs;   ///< [networks, batch, ...shape of the node read]
  std::span<const at::Tensor> weights;  ///< [networks, ...active], parallel to node.weights
  const Mode& mode;
  /// What a kernel without inputs makes its result like: an input of the entry point.
  const at::Tensor& entry_input;
  std::int64_t networks = 1;
  const spaces::Symbols& symbols;  ///< lengths that the inputs of the entry point have

  /// The tensor of a weight by role; undefined where the node has none.
  at::Tensor weight(const std::string& role) const;
};

/// Kernel of an op whose specification lives in spaces/ops/. One file each in engine/ops/.
using OpKernel = std::function<at::Tensor(const OpCall&)>;
/// `const core::Registered kEntry{op_kernels(), "relu", "at::relu", OpKernel(...)};`
core::Registry<OpKernel>& op_kernels();

/// What a program gives. Networks lead.
struct Outputs {
  /// A scalar (or one an example) that training adds to the loss of the networks that have it.
  struct Loss {
    std::string name;
    double weight = 1;
    at::Tensor value;           ///< [networks that have it, batch, ...]
    std::vector<int> networks;  ///< of each row
  };
  std::vector<at::Tensor> values;                          ///< in the entry point's order
  std::vector<std::pair<std::string, at::Tensor>> states;  ///< after this call
  std::vector<Loss> losses;                                ///< of programs for training
};

/// The eager engine: runs the steps one by one, and frees values after their last use. `inputs`:
/// of the entry point, [networks, batch, ...node shape]; `weights`: parallel to program.weights(),
/// [networks of it, ...active]; `states`: by name, what the former call gave; absent: zeros. Throws
/// core::Error for an input whose shape the program does not take.
Outputs run(const Program& program, std::span<const at::Tensor> inputs,
            std::span<const at::Tensor> weights, const Mode& mode,
            const std::vector<std::pair<std::string, at::Tensor>>& states = {});

/// Gives the tensor behind a weight reference, of shape `ref.active`.
using WeightSource = std::function<at::Tensor(const spaces::WeightRef& ref)>;

/// One network, compiled here and now, not for training: inputs and outputs are [batch, ...]. For
/// entry points without states.
std::vector<at::Tensor> execute(const spaces::Graph& graph, const std::string& entry,
                                std::span<const at::Tensor> inputs, const WeightSource& weights,
                                NormMode mode, NormStats* stats);

/// A random input of the entry point's shapes (for timing and tests).
std::vector<at::Tensor> random_inputs(const spaces::Graph& graph, const std::string& entry,
                                      std::int64_t batch, std::uint64_t seed,
                                      const std::string& device);

}  // namespace mosaic::supernet
