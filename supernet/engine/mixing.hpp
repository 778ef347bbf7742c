/// Copies mixed into the weights that architectures compute with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// The active part of a slot, whose axes begin at `first`: a view.
at::Tensor active_part(at::Tensor slot, std::int64_t first, const spaces::WeightRef& ref);

/// A slot's copies in one or several networks, and what mixes them.
struct SlotCopies {
  at::Tensor copies;      ///< [networks, m, ...full]
  int mix = -1;           ///< which of the mixes; -1: the first copy alone
  bool bfloat16 = false;  ///< what reads it multiplies in bfloat16: on a GPU it is given so
  /// Like the copies: a kernel that makes their whole gradient writes it there, and gives this as
  /// the gradient. Undefined: to new memory.
  at::Tensor gradient = {};
};

/// What the weights of a program are made of.
struct WeightSources {
  std::vector<SlotCopies>
      slots;  ///< parallel to Program::weights(); copies are leaves of gradients
  std::vector<at::Tensor> mixes;  ///< with the graphs that they were computed by
};

/// The active part of each slot under its mix r: of shape [networks, ...ref.active], what the
/// architecture computes with. Mixes are [networks, m] or [networks, out, m] (rows of the full
/// slot; a slice takes the leading ones), and slots may share one. Differentiable in both; the
/// copies' gradient is that of sum_i r_i E_i divided by sum_i r_i^2, because a step along the
/// plain one moves the merged weight by only that share of the step (1/m when even). One operation
/// for all slots, however many there are; on a GPU one kernel reads the copies where they lie, and
/// one writes their gradients (cuda/mix.cu).
std::vector<at::Tensor> mixed_weights(const std::vector<SlotCopies>& slots,
                                      const std::vector<const spaces::WeightRef*>& refs,
                                      const std::vector<at::Tensor>& mixes);

/// The same for all that the nodes of a graph refer to. `of_slot` is asked by name.
WeightSource mixed_weights(const spaces::Graph& graph,
                           const std::function<SlotCopies(const std::string& slot)>& of_slot,
                           const std::vector<at::Tensor>& mixes);

/// A mix of each network ([m] or [out, m]; undefined: the first copy alone) as one for
/// mixed_weights(), `copies` wide: where some have fewer, the others are nobody's. Undefined where
/// nothing is mixed.
at::Tensor stacked_mixes(const std::vector<at::Tensor>& mixes, std::int64_t copies,
                         const at::TensorOptions& options);

}  // namespace mosaic::supernet
