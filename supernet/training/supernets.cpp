// Supernets that are trained side by side, one or several.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "engine/mixing.hpp"
#include "mosaic/supernet/training/sampler.hpp"
#include "training/observers/observers.hpp"
#include "training/stack.hpp"

namespace mosaic::supernet {
namespace {

class Supernets : public Trainee {
 public:
  Supernets(std::span<Supernet* const> members, const TrainSettings& settings, std::uint64_t seed,
            std::vector<std::int64_t> orders)
      : Trainee(members[0]->device(), std::move(orders), seed),
        members_(members.begin(), members.end()),
        sampler_(make_sampler(settings.sampler, space())) {
    stack_all();
    observe_by(make_draws(members_, *sampler_, seed));
    observe_by(make_learning(space(), sampler_));
    observe_by(make_restructuring(members_, settings));
  }

  std::vector<spaces::Genotype> draw(std::int64_t step) override {
    core::Stream stream(seed_, "sampler", static_cast<std::uint64_t>(step));
    return sampler_->draw(stream);
  }

  bool largest_first() const override { return sampler_->largest_first(); }

  std::shared_ptr<const Program> program(const spaces::Genotype& genotype,
                                         const Mode& mode) override {
    return programs_.at(genotype, mode, [&] {
      return Program::compile(space().bind(genotype), static_cast<int>(members_.size()), "forward",
                              mode.training, mode.attention);
    });
  }

  std::vector<at::Tensor> weights(const spaces::Genotype& genotype, const Program& program,
                                  const Mode& mode) override {
    const WeightSources sources = made_of(genotype, program, mode);
    std::vector<const spaces::WeightRef*> refs;
    for (const auto& weight : program.weights()) refs.push_back(&weight.ref);
    return mixed_weights(sources.slots, refs, sources.mixes);
  }

  std::shared_ptr<const WeightSources> sources(const spaces::Genotype& genotype,
                                               const Program& program, const Mode& mode) override {
    if (!same_parts_) return {};
    return std::make_shared<WeightSources>(made_of(genotype, program, mode));
  }

  bool by_blocks() const override {
    constexpr double kFew = 64;  // recorded one by one
    return same_parts_ && space().genotypes() > kFew;
  }

  std::string key(const spaces::Genotype& genotype) const override {
    return space().text(genotype);
  }

  std::shared_ptr<const void> hold(const spaces::Genotype& genotype) const override {
    auto result = std::make_shared<std::vector<std::shared_ptr<const void>>>();
    for (const auto* member : members_) result->push_back(member->keep_alive(genotype));
    return result;
  }

  std::string structure() const override {
    if (members_.size() == 1) return members_[0]->sharing_settings().split;
    auto json = nlohmann::json::array();
    for (const auto* member : members_) json.push_back(member->sharing_settings().split);
    return json.dump();
  }

  std::vector<Heritage> restructure(const std::string& structure) override {
    const auto of_members = members_.size() == 1
                                ? std::vector<std::string>{structure}
                                : nlohmann::json::parse(structure).get<std::vector<std::string>>();
    std::vector<Heritage> heritages;
    for (std::size_t i = 0; i < members_.size(); ++i)
      heritages.push_back(members_[i]->restructure(of_members.at(i)));
    stack_all();
    return heritages;
  }

 private:
  const spaces::Space& space() const { return members_[0]->space(); }
  const WeightBank& bank() const { return members_[0]->bank(); }

  /// Makes one tensor of what all members have alike.
  void stack_all() {
    parameters_.clear();
    copies_.clear();
    sharings_.clear();
    // If the members have architectures in different parts of the space, a pass trains other parts
    // of each: stacking those for good would step parts that it did not train.
    same_parts_ = std::all_of(members_.begin(), members_.end(), [&](const auto* member) {
      return member->sharing().same_parts(members_[0]->sharing());
    });
    const bool one_sharing = asked_at_once(*members_[0]);
    std::vector<std::vector<Supernet::Trained>> of_members;
    for (const auto* member : members_) of_members.push_back(member->trained());
    for (std::size_t i = 0; i < of_members[0].size(); ++i) {
      const auto& first = of_members[0][i];
      const bool of_slot = first.slot >= 0;
      std::vector<std::vector<int>> rows;  // of each tensor
      const bool one = of_slot ? same_parts_ : one_sharing;
      for (int member = 0; member < static_cast<int>(members_.size()); ++member) {
        if (rows.empty() || !one) rows.emplace_back();
        rows.back().push_back(member);
      }
      for (const auto& networks : rows) {
        std::vector<at::Tensor> tensors;
        for (const int member : networks)
          tensors.push_back(of_members[static_cast<std::size_t>(member)][i].value);
        const bool decays =
            of_slot &&
            space().graph().slots[static_cast<std::size_t>(first.slot)].shape.size() >= 2;
        parameters_.push_back({first.name, stacked(tensors), networks, first.slot, decays,
                               of_slot ? 1.0 : members_[0]->sharing().rate_scale(),
                               one ? at::Tensor() : tensors[0]});
      }
      if (!one) continue;
      if (of_slot)
        copies_[{first.slot, first.part}] = parameters_.back().value;
      else
        sharings_.push_back(parameters_.back().value);
    }
  }

  /// Can the ways of sharing of supernets like this one be asked at once?
  static bool asked_at_once(const Supernet& supernet) {
    if (supernet.sharing_settings().share < 1) return false;  // each has drawn layers of its own
    const at::NoGradGuard guard;
    std::vector<at::Tensor> parameters;
    for (const auto& [name, tensor] : supernet.sharing().parameters())
      parameters.push_back(tensor.unsqueeze(0));
    if (parameters.empty()) return false;
    const auto any = supernet.space().smallest();
    return supernet.sharing().joint_coefficients(parameters, supernet.encoding(any)).has_value();
  }

  /// What all members compute this architecture with.
  WeightSources made_of(const spaces::Genotype& genotype, const Program& program,
                        const Mode& mode) const {
    Mixes mixes = this->mixes(genotype, program, mode.training);
    WeightSources result{{}, std::move(mixes.mixes)};
    std::map<std::size_t, at::Tensor> known;  // copies, by slot
    for (const auto& weight : program.weights()) {
      const std::size_t slot = bank().place(weight.ref.slot);
      at::Tensor& own = known[slot];
      if (!own.defined()) own = copies(slot, genotype);
      result.slots.push_back({own, mixes.of_slot[slot], mode.bfloat16 && weight.factor});
    }
    return result;
  }

  /// What mixes the slots of a program, for all members.
  Mixes mixes(const spaces::Genotype& genotype, const Program& program, bool training) const {
    if (!sharings_.empty())  // one that has the parameters of all
      return *members_[0]->sharing().joint_coefficients(sharings_, members_[0]->encoding(genotype));
    std::vector<Mixes> of_members;
    for (const auto* member : members_) of_members.push_back(member->mixes(genotype, training));
    Mixes result = Mixes::none(of_members[0].of_slot.size());
    std::map<std::vector<int>, int> known;  // by the members' mixes
    for (const auto& weight : program.weights()) {
      const std::size_t slot = bank().place(weight.ref.slot);
      std::vector<int> key;
      for (const auto& mixes : of_members) key.push_back(mixes.of_slot[slot]);
      if (const auto found = known.find(key); found != known.end()) {
        result.of_slot[slot] = found->second;
        continue;
      }
      std::int64_t most = 1;
      std::vector<at::Tensor> of_slot;
      for (std::size_t i = 0; i < members_.size(); ++i) {
        of_slot.push_back(of_members[i][slot]);
        most = std::max(most, members_[i]->sharing().copies(slot));
      }
      const at::Tensor stacked =
          stacked_mixes(of_slot, most, bank().copies(weight.ref.slot).options());
      if (stacked.defined()) {
        result.of_slot[slot] = static_cast<int>(result.mixes.size());
        result.mixes.push_back(stacked);
      }
      known[std::move(key)] = result.of_slot[slot];
    }
    return result;
  }

  /// Copies of a slot that the members use for this architecture: [members, m, ...full].
  at::Tensor copies(std::size_t slot, const spaces::Genotype& genotype) const {
    const auto number = static_cast<int>(slot);
    if (same_parts_) return copies_.at({number, members_[0]->part(genotype)});
    std::vector<at::Tensor> own;
    for (const auto* member : members_)
      own.push_back(
          member->bank().copies(space().graph().slots[slot].name, member->part(genotype)));
    return at::stack(own);
  }

  std::vector<Supernet*> members_;
  std::shared_ptr<Sampler> sampler_;
  bool same_parts_ = true;
  std::map<std::pair<int, std::int64_t>, at::Tensor> copies_;  ///< by slot and part
  std::vector<at::Tensor>
      sharings_;  ///< parameters of all ways of sharing, where they are asked at once
  Programs<spaces::Genotype> programs_;
};

}  // namespace

std::unique_ptr<Trainee> supernet_trainee(std::span<Supernet* const> supernets,
                                          const TrainSettings& settings, std::uint64_t seed,
                                          std::vector<std::int64_t> orders) {
  return std::make_unique<Supernets>(supernets, settings, seed,
                                     one_order_each(supernets.size(), std::move(orders)));
}

std::unique_ptr<Trainee> supernet_trainee(Supernet& supernet, const TrainSettings& settings,
                                          std::uint64_t seed) {
  Supernet* const one[] = {&supernet};
  return supernet_trainee(one, settings, seed);
}

}  // namespace mosaic::supernet
