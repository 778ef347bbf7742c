/// A program cut into blocks, the parts that architectures of a space have in common: a layer of
/// one architecture is that of all others with the same extents there. What is recorded of a block
/// serves them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mosaic/supernet/engine/program.hpp"

namespace mosaic::supernet {

/// Steps [begin, end), which stand in one scope of the space (spaces::Node::scope).
struct Block {
  std::string scope;  ///< empty: in none
  std::size_t begin = 0, end = 0;
  std::vector<int> inputs = {};   ///< values that it reads and does not compute, by first use
  std::vector<int> outputs = {};  ///< values that a later block reads, ascending
  std::vector<int> weights = {};  ///< of Program::weights(), by first use
  /// Does a step need the lengths of the program's inputs, beside those of its own?
  bool needs_lengths = false;
  /// Of what its steps compute, from which of the inputs and weights, by their place above: blocks
  /// of one key run the same kernels on inputs and weights of the same shapes.
  std::uint64_t key = 0;
};

/// All steps, in order. Results of the program (outputs, losses, attentions) that an earlier block
/// computes are inputs of the last one, which makes a loss of them. For programs without states.
std::vector<Block> blocks_of(const Program& program);

}  // namespace mosaic::supernet
