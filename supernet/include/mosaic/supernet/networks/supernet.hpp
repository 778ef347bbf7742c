/// The mixture-of-supernets: weight bank, sharing, forward, extraction.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/config.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "mosaic/supernet/networks/subnet.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"

namespace mosaic::supernet {

/// Where a tensor comes from when what is trained changes its structure.
struct Origin {
  std::string name;  ///< of the former tensor
  /// The new one, given a way to look former ones up (weights, or an optimiser's state).
  std::function<at::Tensor(const std::function<at::Tensor(const std::string&)>& former)> take;
};
/// By name of the new tensor.
using Heritage = std::map<std::string, Origin>;

/// Slot -> stack of weight copies, float32 [m, ...full shape]; one for each part of a sharing that
/// partitions the space.
class WeightBank {
 public:
  /// Copies of a slot share a common draw and add a tenth of the variance each on their own,
  /// scaled so that their even mixture has exactly the intended variance: copies would
  /// leave the sharing without gradient, and averaging independent copies would shrink the weights
  /// by sqrt(m).
  WeightBank(const spaces::SuperGraph& graph, const Sharing& sharing, std::uint64_t seed);
  /// The copies of `parent`, as `ancestry` says.
  WeightBank(const spaces::SuperGraph& graph, const Sharing& sharing, const WeightBank& parent,
             const Ancestry& ancestry);
  const at::Tensor& copies(const std::string& slot, std::int64_t part = 0) const;
  /// Of a slot in the SuperGraph's order.
  std::size_t place(const std::string& slot) const { return index_.at(slot); }
  /// "<slot>", or "part<k>.<slot>" where there are several parts; all parts start equal.
  const NamedTensors& tensors() const { return tensors_; }
  std::string name(const std::string& slot, std::int64_t part) const;

 private:
  std::int64_t parts_;
  NamedTensors tensors_;
  std::map<std::string, std::size_t> index_;  ///< of slots
};

/// Trains as one, answers for every architecture of its space. Not copyable; the space must outlive
/// it.
class Supernet {
 public:
  Supernet(const spaces::Space& space, const SharingSettings& sharing, std::uint64_t seed);

  const spaces::Space& space() const { return space_; }
  /// As it stands now: growth and splits change SharingSettings::split.
  const SharingSettings& sharing_settings() const { return settings_; }
  std::uint64_t seed() const { return seed_; }
  /// Length of the encoding phi(a).
  std::size_t features() const { return encoding_.size(); }
  /// "cpu" or "cuda"; tensors are moved in place, so optimisers made before stay valid only on the
  /// same device.
  void to(const std::string& device);
  const std::string& device() const { return device_; }

  /// phi(a): float32 [1, features], on the device.
  const at::Tensor& encoding(const spaces::Genotype& genotype) const;
  /// The sharing's mixes of all slots for this architecture.
  Mixes mixes(const spaces::Genotype& genotype, bool training = false) const;
  /// What the passes of this architecture read on the device, for those who record them.
  std::shared_ptr<const void> keep_alive(const spaces::Genotype& genotype) const;
  /// The part of the space that this architecture falls in (0 where the sharing makes none).
  std::int64_t part(const spaces::Genotype& genotype) const;
  const WeightBank& bank() const { return bank_; }
  /// Weights that this architecture computes with, for the nodes of its graph; mixed here and now.
  WeightSource weights(const spaces::Genotype& genotype, const spaces::Graph& graph,
                       bool training = false) const;
  /// Outputs [batch, ...] of one architecture; as in training with NormMode::batch.
  at::Tensor forward(const spaces::Graph& graph, const spaces::Genotype& genotype,
                     const Inputs& inputs, NormMode mode, NormStats* stats) const;
  /// A stand-alone network with its own weights and the given statistics: computes what the
  /// supernet computes.
  Subnet extract(const spaces::Genotype& genotype, const NormStats& stats) const;

  /// Another `split` of the sharing (SharingSettings::split): the tensors are replaced by new ones
  /// that hold the same weights, and every architecture computes what it computed before. Returns
  /// where each parameter comes from. Throws std::logic_error where the sharing cannot get there.
  Heritage restructure(const std::string& split);

  /// A trained tensor: copies of a slot in a part of the space, or the sharing's (slot -1).
  struct Trained {
    std::string name;
    at::Tensor value;
    int slot = -1;
    std::int64_t part = 0;
  };
  /// Everything that is trained: copies ("bank.<name>", see WeightBank::tensors()) and sharing
  /// ("router.<name>").
  std::vector<Trained> trained() const;
  /// The same by name.
  NamedTensors parameters() const;
  /// What the sharing keeps beside them ("router.<name>").
  NamedTensors state() const;
  double parameter_bytes() const;
  Sharing& sharing() { return *sharing_; }
  const Sharing& sharing() const { return *sharing_; }

 private:
  /// What is known of an architecture: encoding [1, features], the sharing's bias [1, n], and part
  /// of the space.
  struct Known {
    at::Tensor encoding;
    at::Tensor bias;
    std::int64_t part = 0;
  };
  const Known& known(const spaces::Genotype& genotype) const;

  const spaces::Space& space_;
  SharingSettings settings_;
  std::uint64_t seed_;
  spaces::Encoding encoding_;
  std::unique_ptr<Sharing> sharing_;
  WeightBank bank_;
  std::string device_ = "cpu";
  /// On the device: a recorded pass may not copy from the host.
  mutable std::map<spaces::Genotype, std::shared_ptr<const Known>> known_;
};

/// A stand-alone network with freshly drawn weights: those of a plain supernet of this seed. It has
/// no statistics of normalisation yet.
Subnet fresh_subnet(const spaces::Space& space, const spaces::Genotype& genotype,
                    std::uint64_t seed);

}  // namespace mosaic::supernet
