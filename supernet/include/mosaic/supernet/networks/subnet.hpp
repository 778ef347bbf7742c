/// A stand-alone network: what Mosaic hands over.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/spaces/task_shape.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// Where a subnet comes from and what it eats.
struct SubnetInfo {
  std::string space;
  std::map<std::string, std::string> space_options;
  std::string arch;  ///< text form
  std::string hash;
  std::string job;
  std::string task;           ///< name
  std::string task_settings;  ///< of the task (path, split, seed) as JSON text
  spaces::TaskShape shape;
  std::string preprocessing = "{}";  ///< Task::preprocessing() as JSON text
  std::string passes;      ///< what was done to it after training: "extract, calibrate(512)"
  std::string checkpoint;  ///< hash of the supernet's checkpoint
  std::string provenance;  ///< version, revision, seed, device as JSON text
};

/// Makes the slots of a graph its own: each as large as what the graph's nodes read of it together
/// (nodes that share one may read more or less of it).
void own_slots(spaces::Graph& graph);

/// Graph, weights (of each slot what own_slots() leaves) and normalisation statistics.
class Subnet {
 public:
  Subnet(spaces::Graph graph, std::map<std::string, at::Tensor> weights, NormStats stats,
         SubnetInfo info = {});

  at::Tensor forward(const Inputs& inputs, NormMode mode = NormMode::stored,
                     NormStats* stats = nullptr) const;
  /// The same with what its last self-attention reads (Outputs::attentions); [1, batch, ...].
  /// Throws core::UsageError where there is none.
  Outputs with_attention(const Inputs& inputs) const;
  void to(const std::string& device);
  const std::string& device() const { return device_; }

  const spaces::Graph& graph() const { return graph_; }
  const std::map<std::string, at::Tensor>& weights() const { return weights_; }
  /// What a node of the graph reads of them: a view of its active part.
  at::Tensor weight(const spaces::WeightRef& ref) const;
  const NormStats& stats() const { return stats_; }
  NormStats& stats() { return stats_; }
  SubnetInfo& info() { return info_; }
  const SubnetInfo& info() const { return info_; }

  /// Of format 2; format 1, of image classifiers, is read as well. Writes DIR/model.safetensors
  /// (slots by name, statistics as "<node>.running_mean" and
  /// ".running_var") and DIR/config.json (the graph and SubnetInfo), each atomically, the config
  /// last.
  void save(const std::string& folder) const;
  /// Throws core::Error for a missing folder, a truncated or foreign file, or weights that do not
  /// fit the graph.
  static Subnet load(const std::string& folder);

 private:
  spaces::Graph graph_;
  /// Compiled at the first call: compiling is no part of what a call costs.
  mutable std::shared_ptr<const Program> program_, with_attention_;
  std::map<std::string, at::Tensor> weights_;
  NormStats stats_;
  SubnetInfo info_;
  std::string device_ = "cpu";
};

/// The network with linear maps that follow each other as one (spaces::merged()), and how many
/// pairs those were. Products are taken in float64.
struct MergedSubnet {
  Subnet subnet;
  std::size_t pairs = 0;
};
MergedSubnet merged(const Subnet& subnet);

/// A graph with freshly drawn weights and unit statistics: enough to time it.
Subnet random_subnet(const spaces::Graph& graph, std::uint64_t seed);

}  // namespace mosaic::supernet
