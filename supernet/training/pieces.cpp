#include "training/pieces.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "engine/channels.hpp"
#include "engine/mixing.hpp"
#include "engine/steps.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::supernet {
namespace {

/// Known blocks at most: when there are more, all are forgotten.
constexpr std::size_t kMostBlocks = 16'384;
constexpr int kImageAxes = 5;  // networks, batch, channels, height, width

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

/// A value that blocks hand over, at one place for all recordings.
struct Pieces::Buffer {
  std::uint64_t number = 0;
  at::Tensor value;           ///< of images: folded
  at::Tensor gradient;        ///< undefined: none is asked for
  std::int64_t networks = 0;  ///< that are folded; 0: nothing is

  at::Tensor leaf() const {
    const at::Tensor made = value.detach();
    return gradient.defined() ? at::Tensor(made).requires_grad_() : made;
  }
  at::Tensor shown(const at::Tensor& leaf) const {
    return networks > 0 ? unfolded(leaf, networks) : leaf;
  }
};

struct Pieces::Piece {
  bool seen = false;
  std::vector<Buffer*> outputs;  ///< parallel to Block::outputs
  PassResult result;             ///< of a last block
  std::unique_ptr<Recording> forward, backward;
};

/// Of a block between its forward and its backward pass: what autograd is asked for.
struct Pieces::Live {
  std::vector<at::Tensor> inputs;  ///< leaves, parallel to Block::inputs
  std::vector<at::Tensor> copies;  ///< of the parameters that it reads, by first use
  std::vector<at::Tensor> mixes;   ///< likewise
  std::vector<at::Tensor> roots;   ///< what depends on them, and
  std::vector<at::Tensor> given;   ///< its gradients; undefined: of a loss

  std::vector<at::Tensor> asked() const {
    std::vector<at::Tensor> result;
    for (const auto* leaves : {&inputs, &copies, &mixes})
      for (const auto& leaf : *leaves)
        if (leaf.requires_grad()) result.push_back(leaf);
    return result;
  }
};

class Pieces::Pass {
 public:
  Pass(Pieces& all, const Program& program, const WeightSources& sources, const Mode& mode,
       const Judge& judge)
      : all_(all),
        program_(program),
        sources_(sources),
        mode_(mode),
        judge_(judge),
        blocks_(blocks_of(program)),
        at_(program.values(), nullptr) {}

  PassResult operator()(const tasks::Batch& batch, const Taught& taught,
                        const std::string& judge_key) {
    set_inputs(batch, taught);
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
      const auto& outputs = blocks_[i].outputs;
      for (std::size_t k = 0; k < outputs.size(); ++k)
        at_[static_cast<std::size_t>(outputs[k])] = piece.outputs[k];
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
  const Program::Weight& weight(int number) const {
    return program_.weights()[static_cast<std::size_t>(number)];
  }
  const SlotCopies& copies(int number) const {
    return sources_.slots[static_cast<std::size_t>(number)];
  }
  std::size_t parameter(int number) const {
    return all_.parameters_.at(copies(number).copies.unsafeGetTensorImpl());
  }

  /// Copies what a pass is given to where recordings read it.
  void set_inputs(const tasks::Batch& batch, const Taught& taught) {
    const at::NoGradGuard guard;
    const auto set = [&](const std::string& name, const at::Tensor& tensor) -> Buffer& {
      Buffer& made = all_.buffer(name, tensor, false);
      made.value.copy_(made.networks > 0 ? folded(tensor) : tensor);
      shapes_.push_back(made.number);
      return made;
    };
    const auto inputs = Inputs(batch.inputs).of(program_.inputs());
    symbols_ = lengths_of(program_, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      at_[i] = &set("input " + program_.inputs()[i].name, inputs[i]);
    entry_input_ = at_[0]->shown(at_[0]->value);
    for (const auto& [name, tensor] : batch.targets) {
      const Buffer& made = set("target " + name, tensor);
      targets_.emplace_back(name, made.shown(made.value));
    }
    taught_ = taught;
    const auto tensors = taught_.tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Buffer& made = set("taught " + std::to_string(i), *tensors[i]);
      *tensors[i] = made.shown(made.value);
    }
  }

  void set_mixes() {
    const at::NoGradGuard guard;
    mixes_.resize(sources_.mixes.size(), nullptr);
    for (std::size_t i = 0; i < program_.weights().size(); ++i) {
      const int mix = sources_.slots[i].mix;
      if (mix < 0 || mixes_[static_cast<std::size_t>(mix)]) continue;
      const at::Tensor& given = sources_.mixes[static_cast<std::size_t>(mix)];
      Buffer& made = all_.buffer("mix " + std::to_string(mix), given, given.requires_grad());
      made.value.copy_(given);
      mixes_[static_cast<std::size_t>(mix)] = &made;
    }
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
    hasher.add(static_cast<std::int64_t>(block.key));
    hasher.add(begin_of(block));
    for (const int value : block.inputs) {
      hasher.add(static_cast<std::int64_t>(at_[static_cast<std::size_t>(value)]->number));
      hasher.add(last_value_.at(value) == i ? 1 : 0);
    }
    for (const int number : block.weights) {
      hasher.add(static_cast<std::int64_t>(parameter(number)));
      hasher.add(last_parameter_.at(parameter(number)) == i ? 1 : 0);
      const int mix = copies(number).mix;
      hasher.add(
          mix < 0 ? -1 : static_cast<std::int64_t>(mixes_[static_cast<std::size_t>(mix)]->number));
      hasher.add(mix < 0 || last_mix_.at(mix) == i ? 1 : 0);
    }
    for (const int value : block.outputs) hasher.add(name_of(value));
    if (is_last(i)) hasher.add(judge_key);
    if (is_last(i) || block.needs_lengths)
      for (const auto number : shapes_) hasher.add(static_cast<std::int64_t>(number));
    auto& piece = all_.pieces_[hasher.value64()];
    if (!piece) piece = std::make_unique<Piece>();
    return *piece;
  }

  bool is_last(std::size_t i) const { return i + 1 == blocks_.size(); }
  std::string begin_of(const Block& block) const { return name_of(program_.value_of(block.begin)); }
  /// Of what a step computes; no two of a program are called alike.
  std::string name_of(int value) const {
    const auto step = static_cast<std::size_t>(value - program_.value_of(0));
    const std::string& name = program_.steps()[step].node.name;
    return name.empty() ? "rows " + std::to_string(step) : name;
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
    run_steps(program_, block.begin, block.end, values, weights(i, live), mode_, entry_input_,
              symbols_);
    piece.outputs.clear();
    for (const int value : block.outputs) {
      const at::Tensor& made = values[value];
      const bool differentiable = made.requires_grad();
      Buffer& to = all_.buffer("value " + name_of(value), made, differentiable);
      const at::Tensor flat = to.networks > 0 ? folded(made) : made;
      {
        const at::NoGradGuard guard;
        to.value.copy_(flat);
      }
      piece.outputs.push_back(&to);
      if (!differentiable) continue;
      live.roots.push_back(flat);
      live.given.push_back(to.gradient);
    }
    if (is_last(i)) judge(values, piece, live);
    at::autocast::clear_cache();  // of what lies in a recording
    return live;
  }

  void judge(Values& values, Piece& piece, Live& live) {
    Judged judged = judge_(outputs_of(program_, values), targets_, taught_);
    live.roots.push_back(judged.loss);
    live.given.emplace_back();
    const at::NoGradGuard guard;
    piece.result = std::move(judged.result);
    piece.result.loss = judged.loss.detach();
    std::vector<at::Tensor*> kept{&piece.result.loss, &piece.result.outputs, &piece.result.norms};
    for (const auto part : kRelated) kept.push_back(&(piece.result.attention.*part));
    for (std::size_t k = 0; k < kept.size(); ++k) {
      if (!kept[k]->defined()) continue;
      const Buffer& to = all_.buffer("result " + std::to_string(k), *kept[k], false);
      const at::Tensor shown = to.shown(to.value);
      shown.copy_(*kept[k]);
      *kept[k] = shown;
    }
  }

  /// What the block computes with, parallel to the program's weights.
  std::vector<at::Tensor> weights(std::size_t block_number, Live& live) {
    const Block& block = blocks_[block_number];
    std::vector<at::Tensor> result(program_.weights().size());
    std::map<std::size_t, at::Tensor> leaves;
    std::vector<at::Tensor> mixes(mixes_.size());
    std::vector<SlotCopies> slots;
    std::vector<const spaces::WeightRef*> refs;
    for (const int number : block.weights) {
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
    for (std::size_t k = 0; k < block.weights.size(); ++k)
      result[static_cast<std::size_t>(block.weights[k])] = made[k];
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
  const Program& program_;
  const WeightSources& sources_;
  const Mode& mode_;
  const Judge& judge_;
  std::vector<Block> blocks_;
  std::vector<Buffer*> at_;     ///< of each value that is handed over
  std::vector<Buffer*> mixes_;  ///< of each mix that is used
  NamedTensors targets_;
  Taught taught_;
  spaces::Symbols symbols_;
  at::Tensor entry_input_;
  std::vector<std::uint64_t> shapes_;  ///< of all that the pass is given
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

Pieces::Buffer& Pieces::buffer(const std::string& name, const at::Tensor& like,
                               bool differentiable) {
  std::string key = name + (differentiable ? " d " : " ") + c10::toString(like.scalar_type());
  for (const auto size : like.sizes()) key += " " + std::to_string(size);
  auto& made = buffers_[key];
  if (made) return *made;
  made = std::make_unique<Buffer>();
  made->number = buffers_.size();
  const at::NoGradGuard guard;
  if (like.dim() == kImageAxes) made->networks = like.size(0);
  const at::Tensor shape = made->networks > 0 ? folded(like) : like;
  made->value = place(name, shape);
  if (differentiable) made->gradient = place("gradient of " + name, shape);
  return *made;
}

at::Tensor Pieces::place(const std::string& name, const at::Tensor& like) {
  const at::Tensor laid_out = at::empty_like(like);
  const std::int64_t count = laid_out.numel();
  auto& known = memory_[name + " " + c10::toString(like.scalar_type())];
  auto found = std::find_if(known.begin(), known.end(),
                            [&](const at::Tensor& memory) { return memory.numel() >= count; });
  if (found == known.end()) {
    const auto size = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(count)));
    known.push_back(at::empty({size}, laid_out.options()));
    found = known.end() - 1;
  }
  return found->as_strided(laid_out.sizes(), laid_out.strides());
}

PassResult Pieces::run(const Program& program, const WeightSources& sources,
                       const tasks::Batch& batch, const Taught& taught, const Mode& mode,
                       const Judge& judge, const std::string& judge_key) {
  if (pieces_.size() > kMostBlocks) {  // and all that their recordings read and write
    pieces_.clear();
    pools_.clear();
    buffers_.clear();
    memory_.clear();
  }
  return Pass(*this, program, sources, mode, judge)(batch, taught, judge_key);
}

}  // namespace mosaic::supernet
