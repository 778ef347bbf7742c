#include "training/pieces.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <optional>
#include <span>

#include "engine/channels.hpp"
#include "engine/rows.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::supernet {
namespace {

void write(const at::Tensor& target, const at::Tensor& given, bool add) {
  if (given.defined() && given.is_alias_of(target)) return;  // made there
  if (!given.defined()) {
    if (!add) target.zero_();
  } else if (add) {
    target.add_(given);
  } else {
    target.copy_(given);
  }
}

}  // namespace

struct Pieces::Piece {
  bool seen = false;
  std::vector<const Buffer*> outputs;  ///< parallel to Block::outputs
  PassResult result;                   ///< of a last block
  std::unique_ptr<Recording> forward, backward;
};

/// Rows that a block reads of a table: it has no more of it, and its gradient is theirs.
struct Pieces::Lookup {
  int weight;       ///< the table
  at::Tensor keys;  ///< int64 [rows]: which, those of all networks one after the other
};

/// Of a block between its forward and its backward pass: what autograd is asked for.
struct Pieces::Live {
  std::vector<at::Tensor> inputs;  ///< leaves, parallel to Block::inputs
  std::vector<at::Tensor> copies;  ///< of the parameters that it reads, by first use
  std::vector<at::Tensor> mixes;   ///< likewise
  std::vector<at::Tensor> rows;    ///< of tables that embed, and
  std::vector<Lookup> lookups;     ///< where they come from
  std::vector<at::Tensor> roots;   ///< what depends on them, and
  std::vector<at::Tensor> given;   ///< its gradients; undefined: of a loss

  std::vector<at::Tensor> asked() const {
    std::vector<at::Tensor> result;
    for (const auto* leaves : {&inputs, &copies, &mixes, &rows})
      for (const auto& leaf : *leaves)
        if (leaf.requires_grad()) result.push_back(leaf);
    return result;
  }
};

class Pieces::Pass : BlockPass {
 public:
  Pass(Pieces& all, const Program& program, const std::vector<Block>& blocks,
       const WeightSources& sources, const Given& given, const Taught& taught, const Mode& mode,
       const Judge& judge)
      : BlockPass(all.buffers_, program, blocks, sources, given),
        all_(all),
        taught_(taught),
        mode_(mode),
        judge_(judge) {}

  PassResult operator()(const std::string& judge_key) {
    set_mixes();
    find_readers();
    std::vector<Piece*> pieces;
    std::vector<std::optional<Live>> live(blocks_.size());
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      Piece& piece = find(i, judge_key);
      if (all_.record_ && piece.seen && !piece.forward) record(i, piece);
      if (piece.forward)
        piece.forward->replay();
      else
        live[i] = forward(i, piece);
      piece.seen = true;
      take(i, piece.outputs);
      pieces.push_back(&piece);
    }
    for (std::size_t i = blocks_.size(); i-- > 0;) {
      if (pieces[i]->backward)
        pieces[i]->backward->replay();
      else if (live[i])
        backward(i, *live[i]);
      live[i].reset();
    }
    PassResult result = pieces.back()->result;
    result.gradients = gradients();
    return result;
  }

 private:
  std::size_t parameter(int number) const {
    return all_.parameters_.at(copies(number).copies.unsafeGetTensorImpl());
  }

  /// Which block reads a value, a parameter or a mix last: its gradient is written there, and
  /// those of the blocks before are added.
  void find_readers() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      for (const int value : blocks_[i].inputs) last_value_[value] = i;
      for (const int number : blocks_[i].weights) {
        last_parameter_[parameter(number)] = i;
        if (copies(number).mix >= 0) last_mix_[copies(number).mix] = i;
      }
    }
  }

  Piece& find(std::size_t i, const std::string& judge_key) {
    const Block& block = blocks_[i];
    core::Hasher hasher;
    add_key(hasher, i);
    for (const int value : block.inputs) hasher.add(last_value_.at(value) == i ? 1 : 0);
    for (const int number : block.weights) {
      hasher.add(last_parameter_.at(parameter(number)) == i ? 1 : 0);
      const int mix = copies(number).mix;
      hasher.add(mix < 0 || last_mix_.at(mix) == i ? 1 : 0);
    }
    if (is_last(i)) hasher.add(judge_key);
    auto& piece = all_.pieces_[hasher.value64()];
    if (!piece) piece = std::make_unique<Piece>();
    return *piece;
  }

  /// Runs a block, and hands its outputs over.
  Live forward(std::size_t i, Piece& piece) {
    const Block& block = blocks_[i];
    Live live;
    Values values(program_.values());
    for (const int value : block.inputs) {
      const Buffer& given = *at_[static_cast<std::size_t>(value)];
      live.inputs.push_back(given.leaf());
      values[value] = given.shown(live.inputs.back());
    }
    run(i, values, weights(i, values, live), mode_);
    piece.outputs.clear();
    for (const int value : block.outputs) {
      const at::Tensor& made = values[value];
      const bool differentiable = made.requires_grad();
      const Buffer& to = hand_over(value, made, differentiable);
      piece.outputs.push_back(&to);
      if (!differentiable) continue;
      live.roots.push_back(to.networks > 0 ? folded(made) : made);
      live.given.push_back(to.gradient);
    }
    if (is_last(i)) judge(values, piece, live);
    at::autocast::clear_cache();  // of what lies in a recording
    return live;
  }

  void judge(Values& values, Piece& piece, Live& live) {
    Judged judged = judge_(outputs_of(program_, values), given_.targets, taught_);
    live.roots.push_back(judged.loss);
    live.given.emplace_back();
    const at::NoGradGuard guard;
    piece.result = std::move(judged.result);
    piece.result.loss = judged.loss.detach();
    std::vector<at::Tensor*> kept{&piece.result.loss, &piece.result.outputs, &piece.result.norms};
    for (const auto part : kRelated) kept.push_back(&(piece.result.attention.*part));
    for (std::size_t k = 0; k < kept.size(); ++k) {
      if (!kept[k]->defined()) continue;
      const Buffer& to = buffers_.at("result " + std::to_string(k), *kept[k]);
      to.set(*kept[k]);
      *kept[k] = to.shown();
    }
  }

  /// Which tables the block does nothing with but look up: by weight the value that says the rows.
  std::map<int, int> tables_of(const Block& block) const {
    const std::span steps(program_.steps().data() + block.begin, block.end - block.begin);
    std::map<std::size_t, int> readings;  // by parameter
    for (const auto& step : steps)
      for (const int number : step.weights) ++readings[parameter(number)];
    std::map<int, int> result;
    for (const auto& step : steps) {
      if (step.node.op != "embedding") continue;
      const int number = step.weights[0], keys = step.inputs[0];
      const auto& ref = weight(number).ref;
      if (readings.at(parameter(number)) == 1 && copies(number).mix < 0 &&
          copies(number).copies.size(1) == 1 && ref.active[0] == ref.full[0] &&
          std::find(block.inputs.begin(), block.inputs.end(), keys) != block.inputs.end())
        result[number] = keys;
    }
    return result;
  }

  /// [networks * rows, ...active] of a table, or of what is laid out like it.
  at::Tensor table(int number, const at::Tensor& all) const {
    return active_part(all.flatten(0, 2), 0, weight(number).ref);
  }

  /// The rows of a table that `tokens` name, as the op takes them.
  at::Tensor look_up(int number, const at::Tensor& tokens, Live& live) const {
    const at::NoGradGuard guard;
    at::Tensor keys = tokens.flatten(1);
    if (const std::int64_t networks = keys.size(0); networks > 1)
      keys =
          keys + at::arange(networks, keys.options()).mul_(weight(number).ref.full[0]).unsqueeze(1);
    auto sizes = tokens.sizes().vec();
    sizes.push_back(weight(number).ref.active[1]);
    live.lookups.push_back({number, keys.flatten()});
    live.rows.push_back(table(number, copies(number).copies)
                            .index_select(0, live.lookups.back().keys)
                            .view(sizes)
                            .requires_grad_());
    return live.rows.back();
  }

  /// What the block computes with, parallel to the program's weights.
  std::vector<at::Tensor> weights(std::size_t block_number, Values& values, Live& live) {
    const Block& block = blocks_[block_number];
    std::vector<at::Tensor> result(program_.weights().size());
    std::map<std::size_t, at::Tensor> leaves;
    std::vector<at::Tensor> mixes(mixes_.size());
    std::vector<SlotCopies> slots;
    std::vector<const spaces::WeightRef*> refs;
    std::vector<int> numbers;
    const auto tables = tables_of(block);
    for (const int number : block.weights) {
      if (const auto looked_up = tables.find(number); looked_up != tables.end()) {
        result[static_cast<std::size_t>(number)] = look_up(number, values[looked_up->second], live);
        continue;
      }
      numbers.push_back(number);
      SlotCopies slot = copies(number);
      at::Tensor& leaf = leaves[parameter(number)];
      if (!leaf.defined()) {
        leaf = slot.copies.detach().requires_grad_();
        live.copies.push_back(leaf);
      }
      slot.copies = leaf;
      if (last_parameter_.at(parameter(number)) == block_number)
        slot.gradient = gradient(parameter(number));
      const int mix = slot.mix;
      if (mix >= 0 && !mixes[static_cast<std::size_t>(mix)].defined()) {
        mixes[static_cast<std::size_t>(mix)] = mixes_[static_cast<std::size_t>(mix)]->leaf();
        live.mixes.push_back(mixes[static_cast<std::size_t>(mix)]);
      }
      slots.push_back(std::move(slot));
      refs.push_back(&weight(number).ref);
    }
    const auto made = mixed_weights(slots, refs, mixes);
    for (std::size_t k = 0; k < numbers.size(); ++k)
      result[static_cast<std::size_t>(numbers[k])] = made[k];
    return result;
  }

  /// Gradients of the block's inputs, copies and mixes, given those of its outputs.
  void backward(std::size_t i, const Live& live) {
    const Block& block = blocks_[i];
    const auto asked = live.asked();
    if (asked.empty()) return;
    const c10::impl::ExcludeDispatchKeyGuard plainly(c10::autocast_dispatch_keyset);
    // What does not depend on them leaves zeros for those who add theirs.
    const auto found = live.roots.empty() ? std::vector<at::Tensor>(asked.size())
                                          : torch::autograd::grad(live.roots, asked, live.given,
                                                                  std::nullopt, false, true);
    const at::NoGradGuard guard;
    std::size_t next = 0;
    for (std::size_t k = 0; k < block.inputs.size(); ++k)
      if (live.inputs[k].requires_grad())
        write(at_[static_cast<std::size_t>(block.inputs[k])]->gradient, found[next++],
              last_value_.at(block.inputs[k]) != i);
    std::vector<std::size_t> parameters;
    std::vector<int> mixes;
    for (const int number : block.weights) {
      if (std::any_of(live.lookups.begin(), live.lookups.end(),
                      [&](const Lookup& known) { return known.weight == number; }))
        continue;
      const std::size_t place = parameter(number);
      if (std::find(parameters.begin(), parameters.end(), place) == parameters.end())
        parameters.push_back(place);
      const int mix = copies(number).mix;
      if (mix >= 0 && std::find(mixes.begin(), mixes.end(), mix) == mixes.end())
        mixes.push_back(mix);
    }
    for (const auto place : parameters)
      write(gradient(place), found[next++], last_parameter_.at(place) != i);
    for (const int mix : mixes)
      if (const Buffer& to = *mixes_[static_cast<std::size_t>(mix)]; to.gradient.defined())
        write(to.gradient, found[next++], last_mix_.at(mix) != i);
    for (const auto& [number, keys] : live.lookups) {
      const at::Tensor& to = gradient(parameter(number));
      if (last_parameter_.at(parameter(number)) == i) to.zero_();
      if (const at::Tensor& of_rows = found[next++]; of_rows.defined())
        add_rows(table(number, to), keys, of_rows.flatten(0, -2).contiguous());
    }
  }

  at::Tensor& gradient(std::size_t parameter) {
    at::Tensor& result = all_.gradients_[parameter];
    if (!result.defined()) {
      // Not while something is recorded: it would lie in the recording's memory.
      result =
          at::empty_like(all_.trainee_.parameters()[parameter].value, at::MemoryFormat::Contiguous);
    }
    return result;
  }

  /// Records both passes of a block. What the forward pass leaves to the backward pass lies where
  /// that of other blocks that begin with the same node lies as well: a pass has one of them.
  void record(std::size_t i, Piece& piece) {
    const auto [pool, fresh] = all_.pools_.try_emplace(begin_of(blocks_[i]));
    if (fresh) pool->second = Recording::make_pool();
    for (const int number : blocks_[i].weights) (void)gradient(parameter(number));
    try {
      record(i, piece, pool->second);
    } catch (const c10::OutOfMemoryError&) {
      // What the allocator keeps for others is not given to a recording.
      release_unused_memory(all_.trainee_.device());
      record(i, piece, pool->second);
    }
  }

  void record(std::size_t i, Piece& piece, Recording::Pool pool) {
    constexpr bool kWarmUp = false;
    Live live;
    std::unique_ptr<Recording> there, back;
    there =
        std::make_unique<Recording>([&] { live = forward(i, piece); }, pool, all_.random_, kWarmUp);
    if (!live.asked().empty())
      back = std::make_unique<Recording>([&] { backward(i, live); }, pool, all_.random_, kWarmUp);
    piece.forward = std::move(there);
    piece.backward = std::move(back);
  }

  std::vector<at::Tensor> gradients() {
    std::vector<at::Tensor> result(all_.gradients_.size());
    for (const auto& [place, block] : last_parameter_) result[place] = all_.gradients_[place];
    std::vector<at::Tensor> roots, given;
    for (const auto& [mix, block] : last_mix_)
      if (const Buffer& from = *mixes_[static_cast<std::size_t>(mix)]; from.gradient.defined()) {
        roots.push_back(sources_.mixes[static_cast<std::size_t>(mix)]);
        given.push_back(from.gradient);
      }
    if (roots.empty()) return result;
    const c10::impl::ExcludeDispatchKeyGuard plainly(c10::autocast_dispatch_keyset);
    auto found = gradients_of(roots, given, all_.trainee_.parameters());
    for (std::size_t k = 0; k < found.size(); ++k)
      if (found[k].defined()) result[k] = std::move(found[k]);
    return result;
  }

  Pieces& all_;
  const Taught& taught_;
  const Mode& mode_;
  const Judge& judge_;
  std::map<int, std::size_t> last_value_, last_mix_;
  std::map<std::size_t, std::size_t> last_parameter_;
};

Pieces::Pieces(Trainee& trainee, at::Generator random, bool record)
    : trainee_(trainee), random_(std::move(random)), record_(record) {
  const auto& parameters = trainee.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    parameters_[parameters[i].value.unsafeGetTensorImpl()] = i;
  gradients_.resize(parameters.size());
}

Pieces::~Pieces() = default;

std::size_t Pieces::recorded() const {
  return static_cast<std::size_t>(
      std::count_if(pieces_.begin(), pieces_.end(),
                    [](const auto& entry) { return entry.second->forward != nullptr; }));
}

PassResult Pieces::run(const Program& program, const WeightSources& sources,
                       const tasks::Batch& batch, const Taught& taught, const Mode& mode,
                       const Judge& judge, const std::string& judge_key) {
  if (pieces_.size() > kMostBlocks) {  // and all that their recordings read and write
    pieces_.clear();
    pools_.clear();
    buffers_.clear();
  }
  Given given(buffers_, program, batch.inputs, batch.targets);
  Taught fixed = taught;
  const auto tensors = fixed.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    *tensors[i] = given.add(buffers_, "taught " + std::to_string(i), *tensors[i]).shown();
  const auto blocks = blocks_of(program);
  return Pass(*this, program, blocks, sources, given, fixed, mode, judge)(judge_key);
}

}  // namespace mosaic::supernet
