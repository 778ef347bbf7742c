/// Architecture routers: how an architecture's weights are mixed from experts. The whole family of
/// weight-sharing methods (one-shot, mixture-of-supernets, few-shot partitions ...) is this one
/// interface.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/random.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::supernet {

/// How each slot is mixed, for a batch of A architectures. Per slot (in the SuperGraph's order):
/// undefined: its first expert alone; [A, m]: one coefficient per expert;
/// [A, out, m]: one per output neuron and expert (rows of the full slot; a slice takes the leading
/// rows).
using Mixes = std::vector<at::Tensor>;

class ArchRouter {
 public:
  virtual ~ArchRouter() = default;
  /// Experts that slot `slot` needs (1: plainly shared).
  virtual std::int64_t experts(std::size_t slot) const = 0;
  /// Mixes of all slots, differentiable in the router's parameters. `encodings`: float32 [A,
  /// features], the per-layer encoding phi(a). `stream` is for routers that draw; nullptr where the
  /// answer must be deterministic (evaluation, extraction).
  virtual Mixes coefficients(const at::Tensor& encodings, core::Stream* stream) const = 0;
  /// Trainable tensors by name; fixed order and shapes.
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
  /// Routers that partition the space keep a whole supernet, every slot of its own, for each part:
  /// how many there are. They start as copies of each other; a training step leaves those that it
  /// does not train as they are.
  virtual std::int64_t parts() const { return 1; }
  /// The part of a canonical genotype, in {0 .. parts() - 1}.
  virtual std::int64_t part(const spaces::Genotype&) const { return 0; }
  /// Do both send every architecture to the same part? (False also where that is not known.)
  virtual bool same_parts(const ArchRouter& other) const {
    return parts() == 1 && other.parts() == 1;
  }
  /// For routers that learn from results: an architecture and the outcome (accuracy in [0, 1]) it
  /// had.
  virtual void observe(const spaces::Genotype&, double) {}
};

struct RouterSettings {
  std::string kind = "layer-wise";
  std::int64_t experts = 2;
  std::int64_t hidden = 128;
  /// Of the router `partition`: "random" (into `experts` parts; also if empty), "gene=NAME" (a part
  /// for each option of a decision), or the parts as options by number, "NAME:0,1|2,3,4", those of
  /// several decisions joined by ';' (their parts multiply). Only "random" reads `experts`.
  std::string split = {};
};

using RouterFactory =
    std::function<std::unique_ptr<ArchRouter>(const spaces::SuperGraph& graph, std::size_t features,
                                              const RouterSettings& settings, std::uint64_t seed)>;
/// `const core::Registered kEntry{routers(), "plain", "one expert a slot", factory};`
core::Registry<RouterFactory>& routers();

/// The active part of a slot's experts [m, ...full] under a mix ([m], [out, m] or undefined): the
/// tensor of shape `ref.active` that the architecture computes with. Differentiable in both.
at::Tensor mixed_weight(const at::Tensor& experts, const at::Tensor& mix,
                        const spaces::WeightRef& ref);

/// The same for several networks at once: experts [networks, m, ...full], a mix each ([m] or [out,
/// m], all defined or none), result [networks, ...ref.active].
at::Tensor mixed_weights(const at::Tensor& experts, const std::vector<at::Tensor>& mixes,
                         const spaces::WeightRef& ref);

}  // namespace mosaic::supernet
