// Per-slot growth: each unit of slots owns a binary tree of questions about the architecture, and
// the tree's leaves are its copies. It starts with one copy a slot; training adds more where
// architectures disagree (growth.hpp).
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "mosaic/supernet/sharing/sharing.hpp"
#include "sharing/growth_tree.hpp"

namespace mosaic::supernet {
namespace {

constexpr double kLikely = 0.9;

/// r = softmax(z + U phi(a)) over the leaves of a unit, z_j the sum of ln(.9) and ln(.1) on the
/// path to leaf j: at each node the answering side gets nine tenths of the mass. Hard: all of it,
/// and no U.
class Grown : public Sharing {
 public:
  Grown(const spaces::SuperGraph& graph, std::int64_t features, const SharingSettings& settings)
      : trees_(graph, settings.split), hard_(settings.growth.hard) {
    std::int64_t first = 0, widest = 1;
    for (int unit = 0; unit < static_cast<int>(trees_.units().size()); ++unit) {
      first_.push_back(first);
      first += trees_.leaves(unit);
      widest = std::max(widest, trees_.leaves(unit));
      rows_.push_back(trees_.leaves(unit) > 1 ? grown_++ : -1);
    }
    for (const int unit : trees_.unit_of_slot())
      of_slot_.push_back(unit < 0 ? -1 : rows_[static_cast<std::size_t>(unit)]);
    std::vector<std::int64_t> places;
    for (std::size_t unit = 0; unit < first_.size(); ++unit) {
      const auto leaves = trees_.leaves(static_cast<int>(unit));
      if (leaves == 1) continue;
      for (std::int64_t leaf = 0; leaf < widest; ++leaf)
        places.push_back(leaf < leaves ? first_[unit] + leaf : first);
    }
    places_ = at::tensor(places, at::kLong);
    if (!hard_) logits_ = at::zeros({first, features}).requires_grad_();
  }

  std::int64_t copies(std::size_t slot) const override {
    const int unit = trees_.unit_of_slot()[slot];
    return unit < 0 ? 1 : trees_.leaves(unit);
  }

  at::Tensor bias(const spaces::Space& space, const spaces::Genotype& genotype) const override {
    const auto respondent = trees_.respond(space, genotype);
    std::vector<float> result;
    for (int unit = 0; unit < static_cast<int>(trees_.units().size()); ++unit)
      for (const double mass : trees_.masses(unit, respondent, hard_ ? 1.0 : kLikely))
        result.push_back(mass > 0 ? static_cast<float>(std::log(mass))
                                  : -std::numeric_limits<float>::infinity());
    return at::tensor(result);
  }

  Mixes coefficients(const at::Tensor& encodings, const at::Tensor& biases, bool) const override {
    if (grown_ == 0) return Mixes::none(of_slot_.size());
    if (places_.device() != encodings.device()) places_ = places_.to(encodings.device());
    at::Tensor logits = biases;
    if (!hard_) logits = logits + at::matmul(encodings, logits_.t());
    const at::Tensor padded =
        at::constant_pad_nd(logits, {0, 1}, -std::numeric_limits<double>::infinity());
    auto mixes =  // [A, grown units, most leaves]
        at::softmax(padded.index_select(1, places_).view({logits.size(0), grown_, -1}), -1)
            .unbind(1);
    for (std::size_t unit = 0; unit < rows_.size(); ++unit)
      if (rows_[unit] >= 0) {
        at::Tensor& mix = mixes[static_cast<std::size_t>(rows_[unit])];
        mix = mix.narrow(1, 0, trees_.leaves(static_cast<int>(unit)));
      }
    return {std::move(mixes), of_slot_};
  }

  NamedParameters parameters() const override {
    if (hard_) return {};
    return {{"leaves", logits_}};
  }
  double rate_scale() const override { return 0.1; }

  std::vector<SharingEnd> sharing_ends(const spaces::SuperGraph& graph) const override {
    std::vector<SharingEnd> result;
    for (const auto& split : trees_.splits())
      result.push_back({trees_.units()[static_cast<std::size_t>(split.unit)].name,
                        describe(split.question, graph)});
    return result;
  }

  Ancestry ancestry(const Sharing& parent) const override {
    const auto& old = dynamic_cast<const Grown&>(parent);
    Ancestry result;
    result.parts = {0};
    for (std::size_t slot = 0; slot < trees_.unit_of_slot().size(); ++slot) {
      const int unit = trees_.unit_of_slot()[slot];
      result.copies.push_back(unit < 0 ? std::vector<std::int64_t>{0}
                                       : trees_.ancestors(unit, old.trees_));
    }
    auto& rows = result.parameters["leaves"];
    for (std::size_t unit = 0; unit < first_.size(); ++unit)
      for (const auto leaf : trees_.ancestors(static_cast<int>(unit), old.trees_))
        rows.push_back(old.first_[unit] + leaf);
    return result;
  }

 private:
  GrowthTrees trees_;
  bool hard_;
  std::vector<std::int64_t> first_;  ///< number of each unit's first leaf
  std::vector<int> rows_;            ///< of each unit among the grown ones; -1: one leaf
  std::vector<int> of_slot_;         ///< the same by slot
  int grown_ = 0;
  mutable at::Tensor places_;  ///< leaf by grown unit and place; the last + 1: none
  at::Tensor logits_;          ///< U: [leaves, features]
};

const core::Registered kEntry{
    sharing_kinds(), "grown", "per-slot growth: copies are added where architectures disagree",
    [](const spaces::SuperGraph& graph, std::size_t features, const SharingSettings& settings,
       std::uint64_t) {
      return std::make_unique<Grown>(graph, static_cast<std::int64_t>(features), settings);
    }};

}  // namespace
}  // namespace mosaic::supernet
