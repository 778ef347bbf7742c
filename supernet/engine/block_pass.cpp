#include "engine/block_pass.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <bit>

#include "engine/channels.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::supernet {
namespace {

constexpr int kImageAxes = 5;  // networks, batch, channels, height, width

std::int64_t number_of(const Buffer* buffer) { return static_cast<std::int64_t>(buffer->number); }

}  // namespace

at::Tensor Buffer::leaf() const {
  const at::Tensor made = value.detach();
  return gradient.defined() ? at::Tensor(made).requires_grad_() : made;
}

at::Tensor Buffer::shown(const at::Tensor& leaf) const {
  return networks > 0 ? unfolded(leaf, networks) : leaf;
}

at::Tensor Buffer::shown() const { return shown(value); }

void Buffer::set(const at::Tensor& given) const {
  const at::NoGradGuard guard;
  value.copy_(networks > 0 ? folded(given) : given);
}

Buffer& Buffers::at(const std::string& name, const at::Tensor& like, bool differentiable) {
  std::string key = name + (differentiable ? " d " : " ") + c10::toString(like.scalar_type());
  for (const auto size : like.sizes()) key += " " + std::to_string(size);
  auto& made = buffers_[key];
  if (made) return *made;
  made = std::make_unique<Buffer>();
  made->number = ++made_;
  const at::NoGradGuard guard;
  if (like.dim() == kImageAxes) made->networks = like.size(0);
  const at::Tensor shape = made->networks > 0 ? folded(like) : like;
  made->value = place(name, shape);
  if (differentiable) made->gradient = place("gradient of " + name, shape);
  return *made;
}

at::Tensor Buffers::place(const std::string& name, const at::Tensor& like) {
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

void Buffers::clear() {
  buffers_.clear();
  memory_.clear();
}

Given::Given(Buffers& buffers, const Program& program, const NamedTensors& all,
             const NamedTensors& aims) {
  const auto own = Inputs(all).of(program.inputs());
  symbols = lengths_of(program, own);
  for (std::size_t i = 0; i < own.size(); ++i)
    inputs.push_back(&add(buffers, "input " + program.inputs()[i].name, own[i]));
  for (const auto& [name, tensor] : aims)
    targets.emplace_back(name, add(buffers, "target " + name, tensor).shown());
}

const Buffer& Given::add(Buffers& buffers, const std::string& name, const at::Tensor& tensor) {
  const Buffer& made = buffers.at(name, tensor);
  made.set(tensor);
  shapes.push_back(made.number);
  return made;
}

BlockPass::BlockPass(Buffers& buffers, const Program& program, const std::vector<Block>& blocks,
                     const WeightSources& sources, const Given& given)
    : buffers_(buffers),
      program_(program),
      sources_(sources),
      given_(given),
      blocks_(blocks),
      entry_input_(given.inputs[0]->shown()),
      at_(program.values(), nullptr),
      mixes_(sources.mixes.size(), nullptr) {
  std::copy(given.inputs.begin(), given.inputs.end(), at_.begin());
}

void BlockPass::set_mixes() {
  std::vector<at::Tensor> places, mixes;
  for (const auto& slot : sources_.slots) {
    if (slot.mix < 0) continue;
    const auto number = static_cast<std::size_t>(slot.mix);
    if (mixes_[number] != nullptr) continue;
    const at::Tensor& mix = sources_.mixes[number];
    const Buffer& made = buffers_.at("mix " + std::to_string(number), mix, mix.requires_grad());
    mixes_[number] = &made;
    places.push_back(made.value);
    mixes.push_back(mix.detach());
  }
  const at::NoGradGuard guard;
  if (!places.empty()) at::_foreach_copy_(places, mixes);
}

std::string BlockPass::name_of(int value) const {
  const auto step = static_cast<std::size_t>(value - program_.value_of(0));
  const std::string& name = program_.steps()[step].node.name;
  return name.empty() ? "rows " + std::to_string(step) : name;
}

void BlockPass::add_key(core::Hasher& hasher, std::size_t i) const {
  const Block& block = blocks_[i];
  hasher.add(static_cast<std::int64_t>(block.key));
  hasher.add(begin_of(block));
  for (const int input : block.inputs) hasher.add(number_of(at_[static_cast<std::size_t>(input)]));
  for (const int number : block.weights) {
    hasher.add(std::bit_cast<std::int64_t>(copies(number).copies.const_data_ptr()));
    const int mix = copies(number).mix;
    hasher.add(mix < 0 ? -1 : number_of(mixes_[static_cast<std::size_t>(mix)]));
  }
  for (const int output : block.outputs) hasher.add(name_of(output));
  if (is_last(i) || block.needs_lengths)
    for (const auto number : given_.shapes) hasher.add(static_cast<std::int64_t>(number));
}

void BlockPass::run(std::size_t i, Values& values, const std::vector<at::Tensor>& weights,
                    const Mode& mode) const {
  const Block& block = blocks_[i];
  run_steps(program_, block.begin, block.end, values, weights, mode, entry_input_, given_.symbols);
}

const Buffer& BlockPass::hand_over(int value, const at::Tensor& made, bool differentiable) {
  const Buffer& to = buffers_.at("value " + name_of(value), made, differentiable);
  to.set(made);
  return to;
}

void BlockPass::take(std::size_t i, const std::vector<const Buffer*>& outputs) {
  const auto& numbers = blocks_[i].outputs;
  for (std::size_t k = 0; k < numbers.size(); ++k)
    at_[static_cast<std::size_t>(numbers[k])] = outputs[k];
}

}  // namespace mosaic::supernet
