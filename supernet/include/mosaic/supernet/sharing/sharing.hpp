/// Ways of sharing: how an architecture's weights are mixed from copies. The whole family of
/// weight-sharing methods (one-shot, mixture-of-supernets, few-shot partitions ...) is this one
/// interface.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/random.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/sharing/ends.hpp"

namespace mosaic::supernet {

/// How slots are mixed, for a batch of A architectures. Slots may share a mix, as a layer's weight
/// and those of its norm do.
struct Mixes {
  /// [A, m]: one coefficient per copy; [A, out, m]: one per output neuron and copy (rows of the
  /// full slot; a slice takes the leading rows).
  std::vector<at::Tensor> mixes;
  std::vector<int> of_slot;  ///< in the SuperGraph's order; -1: its first copy alone

  static Mixes none(std::size_t slots) { return {{}, std::vector<int>(slots, -1)}; }
  /// Of a slot; undefined: its first copy alone.
  at::Tensor operator[](std::size_t slot) const {
    const int mix = of_slot[slot];
    return mix < 0 ? at::Tensor() : mixes[static_cast<std::size_t>(mix)];
  }
};

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

/// Where the copies and parameters of a sharing come from that was made from another one by growth
/// or by a split.
struct Ancestry {
  std::vector<std::int64_t> parts;  ///< by part: the parent's
  /// By slot, then by copy: the parent's copy. Empty: as they were, in every slot.
  std::vector<std::vector<std::int64_t>> copies = {};
  /// By parameter: rows (of the first axis) of the parent's parameter of that name. Absent: all.
  std::map<std::string, std::vector<std::int64_t>> parameters = {};
};

/// How the architectures of a space share weights.
class Sharing {
 public:
  virtual ~Sharing() = default;
  /// Copies that slot `slot` needs (1: plainly shared).
  virtual std::int64_t copies(std::size_t slot) const = 0;
  /// Mixes of all slots, differentiable in the sharing's parameters. `encodings`: float32 [A,
  /// features], the per-layer encoding phi(a). `biases`: bias() of each, [A, ...]. While it is
  /// trained, a sharing that draws answers with what draw() gave; else deterministically.
  virtual Mixes coefficients(const at::Tensor& encodings, const at::Tensor& biases,
                             bool training) const = 0;
  /// coefficients() of several at once that differ in nothing but their parameters() (given
  /// stacked, [networks, ...] each), for one architecture: [networks, m] or [networks, out, m].
  /// Nothing where this kind has to be asked one by one.
  virtual std::optional<Mixes> joint_coefficients(const std::vector<at::Tensor>& /*parameters*/,
                                                  const at::Tensor& /*encoding*/) const {
    return std::nullopt;
  }
  /// What the sharing knows of an architecture beside its encoding: float32 [n] on the CPU, or
  /// undefined.
  virtual at::Tensor bias(const spaces::Space&, const spaces::Genotype&) const { return {}; }
  /// Trainable tensors by name; fixed order and shapes.
  virtual NamedParameters parameters() const = 0;
  /// What it keeps beside them and changes by itself; checkpoints carry it. On the CPU.
  virtual NamedParameters state() const { return {}; }
  /// Before a training pass of this architecture: draws the copy that trains, in all slots alike.
  virtual void draw(const spaces::Genotype&, core::Stream&) {}
  /// The copy that was drawn last, as one-hot float32 [m] on the device of the encodings, always
  /// the same tensor; undefined where nothing is drawn. Only what was drawn is trained by a step.
  virtual at::Tensor drawn(const std::string& /*device*/) const { return {}; }
  /// After the step of a draw: how good the drawn copy was with this
  /// architecture on examples that it was not trained on.
  virtual void observe(const spaces::Genotype&, double /*quality*/) {}
  /// At the end of an epoch; `done`: share of the training.
  virtual void end_epoch(double /*done*/) {}
  /// The learning rate of the sharing's own parameters, as a share of the weights'.
  virtual double rate_scale() const { return 1; }
  /// Where this sharing's copies come from, if it was made from `parent` with another
  /// SharingSettings::split. Throws std::logic_error where it cannot have been.
  virtual Ancestry ancestry(const Sharing& parent) const;
  /// Where sharing ends, in the order it was chosen; empty where architectures share all alike.
  virtual std::vector<SharingEnd> sharing_ends(const spaces::SuperGraph&) const { return {}; }
  /// Ways of sharing that partition the space keep a whole supernet, every slot of its own, for
  /// each part: how many there are. They start as copies of each other; a training step leaves
  /// those that it does not train as they are.
  virtual std::int64_t parts() const { return 1; }
  /// The part of a canonical genotype, in {0 .. parts() - 1}.
  virtual std::int64_t part(const spaces::Genotype&) const { return 0; }
  /// Do both send every architecture to the same part? (False also where that is not known.)
  virtual bool same_parts(const Sharing& other) const { return parts() == 1 && other.parts() == 1; }
};

/// How `grown` grows while it is trained (growth.hpp).
struct GrowthSettings {
  /// Largest bytes(copies, optimiser, sharing), in those of the plain supernet.
  double budget = 1.5;
  std::string slots = "scored";      ///< or "random", "earliest": which units grow
  std::string questions = "scored";  ///< or "random": by which question
  std::string score = "gain";        ///< or "cosine": 1 - cos of the sides' gradients, the ablation
  bool hard = false;  ///< architectures use the copy that their answers lead to, alone

  void visit(core::Visitor& v);
};

struct SharingSettings {
  std::string kind = "layer-wise";
  std::int64_t copies = 2;
  std::int64_t hidden = 128;
  /// Of the mixtures: share of the weights that may be mixed at all; layers are drawn at random.
  double share = 1;
  /// Of the mixtures: the slots that are mixed at all, see routed_slots().
  std::string routed = "all";
  /// Of `partition`: "random" (into `copies` parts; also if empty), "gene=NAME" (a part
  /// for each option of a decision), or the parts as options by number, "NAME:0,1|2,3,4", those of
  /// several decisions joined by ';' (their parts multiply). Only "random" reads `copies`.
  /// Of `grown`: the growth that it starts with, as text; mostly none.
  std::string split = {};
  /// Of `partition` without `split`: it begins as one part, and splits at `split_at` by "gradient",
  /// "random" or "exhaustive" (splitter.hpp).
  std::string split_by = {};
  std::int64_t split_repeats = 100;  ///< SplitSettings::repeats
  /// Shares of the training steps at which `grown` grows, or `partition` splits.
  std::vector<double> split_at = {};
  /// After the last of them the learning rate starts anew.
  bool restart = false;
  GrowthSettings growth = {};

  /// The keys of [supernet] that say how weights are shared. Throws core::UsageError for one that
  /// belongs to another way of sharing.
  static SharingSettings read(core::Section section);
  /// What the identity of a training has of them: first and always, and what is not the default. A
  /// new setting is added at the end of the latter, with its key.
  void add_first(core::Hasher& hasher) const;
  void add_changed(core::Hasher& hasher) const;
};

/// Which slots a mixture mixes, by SharingSettings::routed: "all" (those of a group), "ffn" (the
/// linear maps of feed-forwards, as Jawahar et al. 2023 route: nodes in, gate and out of "ffn" or
/// "mlp"), or names with wildcards,
/// separated by commas, of slots ("layer*.ffn.in.weight"), nodes ("layer*.ffn.in") or groups
/// ("layer0"). Throws core::UsageError for a name that fits no slot.
std::vector<bool> routed_slots(const spaces::SuperGraph& graph, const std::string& routed);

using SharingFactory =
    std::function<std::unique_ptr<Sharing>(const spaces::SuperGraph& graph, std::size_t features,
                                           const SharingSettings& settings, std::uint64_t seed)>;
/// `const core::Registered kEntry{sharing_kinds(), "plain", "one copy a slot", factory};`
core::Registry<SharingFactory>& sharing_kinds();

}  // namespace mosaic::supernet
