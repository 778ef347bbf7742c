/// Passes block by block on tensors at fixed places, so that what is recorded of a block serves the
/// passes of all architectures that have it: what training (training/pieces.hpp) and scoring
/// (scoring/scorer.cpp) have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/blocks.hpp"
#include "engine/mixing.hpp"
#include "engine/steps.hpp"

namespace mosaic::core {
class Hasher;
}

namespace mosaic::supernet {

/// Known blocks at most: when there are more, all are forgotten.
constexpr std::size_t kMostBlocks = 16'384;

/// A tensor that passes read or write, at one place for all recordings.
struct Buffer {
  std::uint64_t number = 0;   ///< no two have the same
  at::Tensor value;           ///< of images: folded
  at::Tensor gradient;        ///< undefined: none is asked for
  std::int64_t networks = 0;  ///< that are folded; 0: nothing is

  at::Tensor leaf() const;
  /// The leaf, or the value, as it was given: unfolded.
  at::Tensor shown(const at::Tensor& leaf) const;
  at::Tensor shown() const;
  void set(const at::Tensor& given) const;
};

class Buffers {
 public:
  /// One of this name, for a tensor like this. Those of one name share their memory: a pass has one
  /// of them.
  Buffer& at(const std::string& name, const at::Tensor& like, bool differentiable = false);
  void clear();

 private:
  at::Tensor place(const std::string& name, const at::Tensor& like);

  std::map<std::string, std::unique_ptr<Buffer>> buffers_;
  std::map<std::string, std::vector<at::Tensor>> memory_;  ///< flat, ever larger, by name
  std::uint64_t made_ = 0;
};

/// What passes are given, where recordings read it.
struct Given {
  Given(Buffers& buffers, const Program& program, const NamedTensors& inputs,
        const NamedTensors& targets);
  /// One tensor more.
  const Buffer& add(Buffers& buffers, const std::string& name, const at::Tensor& tensor);

  std::vector<const Buffer*> inputs;  ///< of the program
  NamedTensors targets;
  spaces::Symbols symbols;
  std::vector<std::uint64_t> shapes;  ///< numbers of all buffers
};

/// The blocks of a program and where their values lie.
class BlockPass {
 public:
  BlockPass(const BlockPass&) = delete;
  BlockPass& operator=(const BlockPass&) = delete;

 protected:
  /// All of these must live as long as this. `blocks`: blocks_of(program).
  BlockPass(Buffers& buffers, const Program& program, const std::vector<Block>& blocks,
            const WeightSources& sources, const Given& given);
  ~BlockPass() = default;

  /// Copies the mixes to where recordings read them.
  void set_mixes();

  bool is_last(std::size_t i) const { return i + 1 == blocks_.size(); }
  std::string begin_of(const Block& block) const { return name_of(program_.value_of(block.begin)); }
  /// Of what a step computes; no two of a program are called alike.
  std::string name_of(int value) const;
  const Program::Weight& weight(int number) const {
    return program_.weights()[static_cast<std::size_t>(number)];
  }
  const SlotCopies& copies(int number) const {
    return sources_.slots[static_cast<std::size_t>(number)];
  }

  /// What a recording of a block depends on: what it computes from what and where these lie.
  void add_key(core::Hasher& hasher, std::size_t i) const;
  /// Values of a block, whose inputs are there: it has run.
  void run(std::size_t i, Values& values, const std::vector<at::Tensor>& weights,
           const Mode& mode) const;
  /// Copies a block's output to its place.
  const Buffer& hand_over(int value, const at::Tensor& made, bool differentiable);
  /// Later blocks find the outputs of this one there.
  void take(std::size_t i, const std::vector<const Buffer*>& outputs);

  Buffers& buffers_;
  const Program& program_;
  const WeightSources& sources_;
  const Given& given_;
  const std::vector<Block>& blocks_;
  at::Tensor entry_input_;
  std::vector<const Buffer*> at_;     ///< of each value that is handed over
  std::vector<const Buffer*> mixes_;  ///< of each mix that is used
};

}  // namespace mosaic::supernet
