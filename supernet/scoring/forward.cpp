#include "scoring/forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "engine/autocast.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::supernet {
namespace {

bool has_statistics(const spaces::GraphNode& node) { return node.op == "batch_norm"; }

}  // namespace

struct Forward::Piece {
  bool seen = false;
  std::vector<const Buffer*> outputs;  ///< parallel to Block::outputs
  Statistics statistics;               ///< places that it writes to
  std::vector<Numbers::Part> parts;    ///< of a last block: what it measures,
  const Buffer* numbers = nullptr;     ///< and where that lies
  std::unique_ptr<Recording> recording;
};

class Forward::Pass : BlockPass {
 public:
  Pass(Forward& all, const Networks& networks, const Given& given, NormMode norm)
      : BlockPass(all.buffers_, networks.program, networks.blocks, networks.sources, given),
        all_(all) {
    mode_.norm = norm;
    mode_.bfloat16 = all.bfloat16_;
    mode_.stats = &stats_;
  }

  /// The pieces that have run, in order.
  std::vector<const Piece*> operator()() {
    const auto in_bfloat16 = autocast(all_.bfloat16_);
    set_mixes();
    std::vector<const Piece*> pieces;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      Piece& piece = find(i);
      if (all_.record_ && piece.seen && !piece.recording) record(i, piece);
      if (piece.recording)
        piece.recording->replay();
      else
        forward(i, piece);
      piece.seen = true;
      take(i, piece.outputs);
      pieces.push_back(&piece);
    }
    return pieces;
  }

  /// Lays down what NormMode::stored reads.
  void set_statistics(const Statistics& given) {
    std::vector<at::Tensor> places;
    std::vector<std::int64_t> sizes;
    for (std::size_t k = 0; k < given.places.size(); ++k) {
      const auto& [mean, variance] = given.places[k];
      stats_.set(given.nodes[k], {mean->value, variance->value, given.batches});
      for (const auto* place : {mean, variance}) {
        places.push_back(place->value);
        sizes.push_back(place->value.numel());
      }
    }
    if (!places.empty()) at::_foreach_copy_(places, given.all.split_with_sizes(sizes));
  }

 private:
  Piece& find(std::size_t i) {
    core::Hasher hasher;
    add_key(hasher, i);
    hasher.add(static_cast<std::int64_t>(mode_.norm));
    for (std::size_t step = blocks_[i].begin; step < blocks_[i].end; ++step)
      if (const auto& node = program_.steps()[step].node; has_statistics(node))
        hasher.add(node.name);
    auto& piece = all_.pieces_[hasher.value64()];
    if (!piece) piece = std::make_unique<Piece>();
    return *piece;
  }

  void forward(std::size_t i, Piece& piece) {
    const Block& block = blocks_[i];
    Values values(program_.values());
    for (const int value : block.inputs)
      values[value] = at_[static_cast<std::size_t>(value)]->shown();
    if (mode_.norm == NormMode::calibrate) stats_ = {};
    run(i, values, weights(block), mode_);
    piece.outputs.clear();
    for (const int value : block.outputs)
      piece.outputs.push_back(&hand_over(value, values[value], false));
    if (mode_.norm == NormMode::calibrate)
      keep_statistics(piece);
    else if (is_last(i))
      measure(values, piece);
    at::autocast::clear_cache();  // of what lies in a recording
  }

  std::vector<at::Tensor> weights(const Block& block) const {
    std::vector<at::Tensor> result(program_.weights().size()), mixes;
    std::vector<SlotCopies> slots;
    std::vector<const spaces::WeightRef*> refs;
    for (const int number : block.weights) {
      slots.push_back(copies(number));
      refs.push_back(&weight(number).ref);
    }
    for (const auto* mix : mixes_) mixes.push_back(mix == nullptr ? at::Tensor() : mix->value);
    const auto made = mixed_weights(slots, refs, mixes);
    for (std::size_t k = 0; k < block.weights.size(); ++k)
      result[static_cast<std::size_t>(block.weights[k])] = made[k];
    return result;
  }

  void keep_statistics(Piece& piece) {
    piece.statistics = {};
    for (const auto& [node, entry] : stats_.entries()) {
      const Buffer& mean = buffers_.at("mean of " + node, entry.mean);
      const Buffer& variance = buffers_.at("variance of " + node, entry.variance);
      mean.set(entry.mean);
      variance.set(entry.variance);
      piece.statistics.nodes.push_back(node);
      piece.statistics.places.emplace_back(&mean, &variance);
    }
  }

  void measure(Values& values, Piece& piece) {
    const c10::impl::ExcludeDispatchKeyGuard plainly(c10::autocast_dispatch_keyset);
    auto made = all_.measures_.of_outputs(outputs_of(program_, values).values[0], given_.targets);
    piece.parts = std::move(made.parts);
    piece.numbers = &buffers_.at("numbers", made.all);
    piece.numbers->set(made.all);
  }

  void record(std::size_t i, Piece& piece) {
    constexpr bool kWarmUp = false;
    const auto make = [&] {
      piece.recording = std::make_unique<Recording>([&] { forward(i, piece); }, all_.pool_,
                                                    all_.random_, kWarmUp);
    };
    try {
      make();
    } catch (const c10::OutOfMemoryError&) {
      // What the allocator keeps for others is not given to a recording.
      release_unused_memory(all_.device_);
      make();
    }
  }

  Forward& all_;
  NormStats stats_;
  Mode mode_;
};

Forward::Forward(const Measures& measures, const std::string& device, bool bfloat16, bool record)
    : measures_(measures),
      device_(device),
      bfloat16_(bfloat16),
      record_(record && can_record(device)),
      random_(make_random(device)) {
  if (record_) pool_ = Recording::make_pool();
}

Forward::~Forward() { forget(true); }

Given Forward::given(const Networks& networks, const NamedTensors& inputs,
                     const NamedTensors& targets) {
  return {buffers_, networks.program, inputs, targets};
}

void Forward::calibrate(const Networks& networks, const Given& given, Statistics& statistics) {
  const at::NoGradGuard guard;
  Statistics found;
  std::vector<at::Tensor> flat;
  for (const auto* piece : Pass(*this, networks, given, NormMode::calibrate)())
    for (std::size_t k = 0; k < piece->statistics.nodes.size(); ++k) {
      found.nodes.push_back(piece->statistics.nodes[k]);
      found.places.push_back(piece->statistics.places[k]);
      flat.push_back(found.places.back().first->value);
      flat.push_back(found.places.back().second->value);
    }
  found.batches = statistics.batches + 1;
  found.all = at::cat(flat);
  if (found.batches > 1)
    found.all = statistics.all.lerp_(found.all, 1.0 / static_cast<double>(found.batches));
  statistics = std::move(found);
}

Numbers Forward::measure(const Networks& networks, const Given& given,
                         const Statistics& statistics) {
  const at::NoGradGuard guard;
  Pass pass(*this, networks, given, NormMode::stored);
  pass.set_statistics(statistics);
  const Piece& last = *pass().back();
  return {last.parts, last.numbers->value.clone()};
}

std::size_t Forward::recorded() const {
  return static_cast<std::size_t>(
      std::count_if(pieces_.begin(), pieces_.end(),
                    [](const auto& entry) { return entry.second->recording != nullptr; }));
}

void Forward::forget(bool all) {
  if (!all && pieces_.size() <= kMostBlocks) return;
  const bool any = recorded() > 0;
  pieces_.clear();
  buffers_.clear();
  if (any) release_unused_memory(device_);
}

}  // namespace mosaic::supernet
