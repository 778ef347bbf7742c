#include "engine/blocks.hpp"

#include <algorithm>
#include <stdexcept>

#include "mosaic/core/hash.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

/// What the caller of a program reads of it.
std::vector<int> results_of(const Program& program) {
  std::vector<int> values = program.outputs();
  for (const auto& loss : program.losses()) values.push_back(loss.value);
  for (const auto& kept : program.attentions())
    for (const int value : {kept.queries, kept.keys, kept.values, kept.mask})
      if (value >= 0) values.push_back(value);
  return values;
}

/// The place of a number in a list, at whose end it is put where it is not there yet.
std::int64_t place(std::vector<int>& list, int number) {
  const auto found = std::find(list.begin(), list.end(), number);
  if (found != list.end()) return found - list.begin();
  list.push_back(number);
  return static_cast<std::int64_t>(list.size()) - 1;
}

/// What a block reads, and its key.
void describe(const Program& program, Block& block, bool last) {
  core::Hasher hasher;
  const int own = program.value_of(block.begin);
  const auto add_value = [&](int value) {
    // Its own values count from the block's first step, upwards; inputs downwards from -1.
    hasher.add(value >= own ? std::int64_t{value - own} : -1 - place(block.inputs, value));
  };
  for (std::size_t i = block.begin; i < block.end; ++i) {
    const auto& step = program.steps()[i];
    hasher.add(step.key);
    for (const int input : step.inputs) add_value(input);
    for (const auto& [value, row] : step.rows) {
      add_value(value);
      hasher.add(row);
    }
    for (const int weight : step.weights) hasher.add(place(block.weights, weight));
    if (step.rows.empty() && step.inputs.empty()) block.needs_lengths = true;
  }
  if (last) {
    for (const int value : results_of(program)) add_value(value);
    for (const auto& loss : program.losses()) {
      hasher.add(core::format_double(loss.weight));
      for (const int network : loss.networks) hasher.add(network);
    }
    for (const auto& kept : program.attentions()) {
      for (const auto number : {kept.heads, kept.kv_heads, std::int64_t{kept.causal}})
        hasher.add(number);
      for (const int network : kept.networks) hasher.add(network);
    }
  }
  for (const int weight : block.weights) {
    const auto& used = program.weights()[static_cast<std::size_t>(weight)];
    hasher.add(used.ref.slot);
    for (const auto size : used.ref.active) hasher.add(size);
    for (const int network : used.networks) hasher.add(network);
  }
  block.key = hasher.value64();
}

}  // namespace

std::vector<Block> blocks_of(const Program& program) {
  if (!program.states().empty())
    throw std::logic_error("a program with states is not run block by block");
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < program.steps().size(); ++i) {
    const auto& step = program.steps()[i];
    // Where rows are put together there is no node: that belongs to the block before.
    const bool computes = step.rows.empty() || blocks.empty();
    const std::string& scope = computes ? step.node.scope : blocks.back().scope;
    if (blocks.empty() || scope != blocks.back().scope) blocks.push_back({scope, i, i});
    blocks.back().end = i + 1;
  }
  for (auto& block : blocks) describe(program, block, &block == &blocks.back());
  for (auto& block : blocks) {
    const int first = program.value_of(block.begin), end = program.value_of(block.end);
    for (const auto& later : blocks)
      if (later.begin >= block.end)
        for (const int value : later.inputs)
          if (value >= first && value < end) (void)place(block.outputs, value);
    std::sort(block.outputs.begin(), block.outputs.end());
  }
  return blocks;
}

}  // namespace mosaic::supernet
