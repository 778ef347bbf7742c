/// The mixture-of-supernets: weight bank, router, forward, extraction.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/config.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/executor.hpp"
#include "mosaic/supernet/router.hpp"
#include "mosaic/supernet/subnet.hpp"

namespace mosaic::supernet {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Slot -> stack of weight experts, float32 [m, ...full shape]; one for each part of a router that
/// partitions the space.
class WeightBank {
 public:
  /// Experts of a slot share a common draw and add a tenth of the variance each on their own,
  /// scaled so that their even mixture has exactly the intended variance 2 / fan-in: copies would
  /// leave the router without gradient, and averaging independent experts would shrink the weights
  /// by sqrt(m).
  WeightBank(const spaces::SuperGraph& graph, const ArchRouter& router, std::uint64_t seed);
  const at::Tensor& experts(const std::string& slot, std::int64_t part = 0) const;
  /// "<slot>", or "part<k>.<slot>" where there are several parts; all parts start equal.
  const NamedTensors& tensors() const { return tensors_; }
  std::string name(const std::string& slot, std::int64_t part) const;

 private:
  std::int64_t parts_;
  NamedTensors tensors_;
  std::map<std::string, std::size_t> index_;
};

/// Trains as one, answers for every architecture of its space. Not copyable; the space must outlive
/// it.
class Supernet {
 public:
  Supernet(const spaces::Space& space, const RouterSettings& router, std::uint64_t seed);

  const spaces::Space& space() const { return space_; }
  const RouterSettings& router_settings() const { return settings_; }
  /// "cpu" or "cuda"; tensors are moved in place, so optimisers made before stay valid only on the
  /// same device.
  void to(const std::string& device);
  const std::string& device() const { return device_; }

  /// The router's mixes of all slots for this architecture.
  Mixes mixes(const spaces::Genotype& genotype, core::Stream* stream = nullptr) const;
  /// The part of the space that this architecture falls in (0 where the router makes none).
  std::int64_t part(const spaces::Genotype& genotype) const;
  const WeightBank& bank() const { return bank_; }
  /// Weights that this architecture computes with. Mixing happens at the first use of each slot and
  /// is kept for the lifetime of the source, which refers to this supernet.
  WeightSource weights(const spaces::Genotype& genotype, core::Stream* stream = nullptr) const;
  /// Logits [batch, classes] of one architecture.
  at::Tensor forward(const spaces::Graph& graph, const spaces::Genotype& genotype,
                     const at::Tensor& inputs, NormMode mode, NormStats* stats) const;
  /// A stand-alone network with its own weights and the given statistics: computes what the
  /// supernet computes.
  Subnet extract(const spaces::Genotype& genotype, const NormStats& stats) const;

  /// Takes over the weights of a supernet of the same space whose router makes no parts: every part
  /// of this one then computes what `parent` does (few-shot training goes on from a shared one).
  /// Throws std::logic_error where the two do not fit.
  void inherit(const Supernet& parent);

  /// Everything that is trained: experts ("bank.<name>", see WeightBank::tensors()) and router
  /// ("router.<name>").
  NamedTensors parameters() const;
  double parameter_bytes() const;
  ArchRouter& router() { return *router_; }
  const ArchRouter& router() const { return *router_; }

 private:
  /// What is known of an architecture: encoding [1, features] and part of the space.
  struct Known {
    at::Tensor encoding;
    std::int64_t part = 0;
  };
  const Known& known(const spaces::Genotype& genotype) const;

  const spaces::Space& space_;
  RouterSettings settings_;
  spaces::Encoding encoding_;
  std::unique_ptr<ArchRouter> router_;
  WeightBank bank_;
  std::string device_ = "cpu";
  /// On the device: a recorded pass may not copy from the host.
  mutable std::map<spaces::Genotype, Known> known_;
};

/// A stand-alone network with freshly drawn weights: those of a plain supernet of this seed. It has
/// no statistics of normalisation yet.
Subnet fresh_subnet(const spaces::Space& space, const spaces::Genotype& genotype,
                    std::uint64_t seed);

}  // namespace mosaic::supernet
