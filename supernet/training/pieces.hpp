/// Passes of architectures that are other ones at every step, block by block. An architecture as a
/// whole hardly comes twice, its blocks (engine/blocks.hpp) do: on a GPU the forward and the
/// backward pass of a block are recorded when it comes the second time, and a pass is a replay of
/// these.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/block_pass.hpp"
#include "engine/capture.hpp"
#include "training/gradient.hpp"

namespace mosaic::supernet {

/// What a loss is made of, once a program has run.
struct Judged {
  at::Tensor loss;    ///< a scalar, with its graph
  PassResult result;  ///< all but gradients
};

class Pieces {
 public:
  /// Makes a loss of what a program gives, for these targets and this teacher.
  using Judge =
      std::function<Judged(const Outputs&, const NamedTensors& targets, const Taught& taught)>;

  /// `random`: what ops draw from. `record`: else every block is launched anew.
  Pieces(Trainee& trainee, at::Generator random, bool record);
  ~Pieces();
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  /// Loss and gradients of one pass, as Gradients::run() gives them: its tensors are overwritten by
  /// the next pass. `judge_key`: what `judge` depends on beside its arguments' shapes.
  PassResult run(const Program& program, const WeightSources& sources, const tasks::Batch& batch,
                 const Taught& taught, const Mode& mode, const Judge& judge,
                 const std::string& judge_key);

  /// Blocks that are recorded.
  std::size_t recorded() const;

 private:
  struct Piece;
  struct Lookup;
  struct Live;
  class Pass;

  Trainee& trainee_;
  at::Generator random_;
  bool record_;
  Buffers buffers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Piece>> pieces_;
  /// By the node that a block begins with: two blocks of one pass have never the same.
  std::map<std::string, Recording::Pool> pools_;
  std::unordered_map<const void*, std::size_t> parameters_;  ///< places by tensor
  std::vector<at::Tensor> gradients_;                        ///< parallel; undefined: none yet
};

}  // namespace mosaic::supernet
