/// Networks that write a sequence token by token.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "mosaic/spaces/stepwise.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// One network, divided into an encoder that runs once and a decoder that runs step by step, with
/// keys and values of what was written kept (spaces::stepwise()). Gives what the whole network
/// gives at each position, up to rounding. The weights must not change while it is in use.
class StepwiseNetwork {
 public:
  /// Throws core::UsageError where the network cannot write `written`.
  StepwiseNetwork(const spaces::Graph& graph, const std::string& written,
                  const WeightSource& weights);

  /// Begins anew: `inputs` but for the written one, each [batch, ...]. Of every example there are
  /// `rows` sequences, one behind the other: [batch * rows] in step().
  void begin(const NamedTensors& inputs, std::int64_t rows = 1);
  /// The next token of each sequence, int64 [sequences]; gives logits of the one after it, float32
  /// [sequences, vocabulary].
  at::Tensor step(const at::Tensor& tokens);
  /// Goes on with these sequences in the place of those that there are; each must be of the same
  /// example as the one whose place it takes. int64 [sequences].
  void take(const at::Tensor& sequences);

 private:
  spaces::Stepwise parts_;
  Program encoder_, step_;
  std::vector<at::Tensor> encoder_weights_, step_weights_;
  NamedTensors handed_, states_;
  std::int64_t seen_ = 0;
};

/// Beam search, of all examples at once: what the network writes for `inputs`, int64 [batch,
/// longest], without begin and end, padded with 0. Candidates of a step are the 2 * beam best;
/// those of the best `beam` that end are finished, and the best others go on. An example is done
/// when it has `beam` finished ones (as fairseq, Ott et al. 2019).
at::Tensor write(StepwiseNetwork& network, const NamedTensors& inputs, const tasks::Writing& how);

}  // namespace mosaic::supernet
