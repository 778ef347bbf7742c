/// A network that sees a whole sequence, as one that writes it token by token.
#pragma once

#include <string>
#include <vector>

#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

/// Two graphs over the weights of the one that they are taken from. Together they compute what that
/// one computes at each position of the written input, from the positions up to there alone.
struct Stepwise {
  /// What does not depend on the written input (the encoder, and keys and values of its result):
  /// entry point "encode", from the other inputs to the values `handed`. Without such values it has
  /// no entry point.
  Graph encoder;
  /// Entry point "step": the next tokens of the written input [length], their numbers in the
  /// sequence "position" [length] (both int64) and the values `handed`, to the output at these
  /// positions [length, ...]. Its states are the keys and values seen so far, [seen, features]; the
  /// first call is given states of no length.
  Graph step;
  std::vector<std::string> handed;  ///< nodes of `encoder`, inputs of `step`
};

/// `written`: an input of the entry point "forward", along whose length the output lies. Throws
/// core::UsageError where an op sees later positions, or sees others and is no attention.
Stepwise stepwise(const Graph& graph, const std::string& written);

}  // namespace mosaic::spaces
