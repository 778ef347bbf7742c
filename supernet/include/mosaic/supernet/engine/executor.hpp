/// The eager engine, which runs compiled programs: of supernets (mixed weights) and of extracted
/// subnets (their own), one or several side by side.
#pragma once

#include <cstdint>
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
#include "mosaic/tasks/batch.hpp"

namespace at {
struct Generator;
}

namespace mosaic::supernet {

using tasks::NamedTensors;

/// Inputs of an entry point, by the names that they have there; of a single one the tensor alone
/// will do.
class Inputs {
 public:
  Inputs(at::Tensor only);       // NOLINT(google-explicit-constructor)
  Inputs(NamedTensors by_name);  // NOLINT(google-explicit-constructor)
  /// In the order of these nodes; others are left out. Throws core::Error where one is missing.
  std::vector<at::Tensor> of(std::span<const spaces::GraphNode> nodes) const;

 private:
  NamedTensors tensors_;  ///< an only one has no name
};

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
  /// Trainees: run programs that give Outputs::attentions.
  bool attention = false;
  /// Products are made in bfloat16: trainees give the weights that are factors so.
  bool bfloat16 = false;
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
  /// Lengths that the inputs of the entry point have; kernels with inputs ask those.
  const spaces::Symbols& symbols;

  /// The tensor of a weight by role; undefined where the node has none.
  at::Tensor weight(const std::string& role) const;
};

/// Kernel of an op whose specification lives in spaces/ops/. One file each in engine/ops/.
using OpKernel = std::function<at::Tensor(const OpCall&)>;
/// `const core::Registered kEntry{op_kernels(), "relu", "at::relu", ...};`
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
  /// What the last self-attention of the networks that have it alike reads: all of one length.
  struct Attention {
    at::Tensor queries;       ///< [networks that have it, batch, length, heads * size]
    at::Tensor keys, values;  ///< [networks that have it, batch, length, kv_heads * size]
    at::Tensor mask;          ///< [networks that have it, batch, length], 0 where a position
                              ///< does not count; undefined: all do
    std::int64_t heads = 1, kv_heads = 1;
    bool causal = false;
    std::vector<int> networks;  ///< of each row
  };
  std::vector<at::Tensor> values;     ///< in the entry point's order
  NamedTensors states;                ///< after this call
  std::vector<Loss> losses;           ///< of programs for training
  std::vector<Attention> attentions;  ///< of programs that keep them
};

/// The eager engine: runs the steps one by one, and frees values after their last use. `inputs`:
/// of the entry point, each [networks, batch, ...node shape]; `weights`: parallel to
/// program.weights(), [networks of it, ...active]; `states`: by name, what the former call gave;
/// absent: zeros. Throws core::Error for an input whose shape the program does not take.
Outputs run(const Program& program, const Inputs& inputs, std::span<const at::Tensor> weights,
            const Mode& mode, const NamedTensors& states = {});

/// Gives the tensor behind a weight reference, of shape `ref.active`.
using WeightSource = std::function<at::Tensor(const spaces::WeightRef& ref)>;

/// One network, compiled here and now, not for training: inputs and outputs are [batch, ...]. For
/// entry points without states.
std::vector<at::Tensor> execute(const spaces::Graph& graph, const std::string& entry,
                                const Inputs& inputs, const WeightSource& weights, NormMode mode,
                                NormStats* stats);
/// The same of a program of one network, for those who run it often.
std::vector<at::Tensor> execute(const Program& program, const Inputs& inputs,
                                const WeightSource& weights, NormMode mode, NormStats* stats);

/// The same with everything that such a program gives, with the network leading: [1, batch, ...].
Outputs run_alone(const Program& program, const Inputs& inputs, const WeightSource& weights,
                  NormMode mode, NormStats* stats);

/// Random inputs of the entry point's shapes and types, at these lengths (for timing and tests):
/// normal, or below the input's range.
NamedTensors random_inputs(const spaces::Graph& graph, const std::string& entry, std::int64_t batch,
                           std::uint64_t seed, const std::string& device,
                           const spaces::Symbols& symbols = {});

}  // namespace mosaic::supernet
