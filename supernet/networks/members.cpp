#include "networks/members.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "networks/stack.hpp"

namespace mosaic::supernet {
namespace {

/// Can the ways of sharing of supernets like this one be asked at once?
bool asked_at_once(const Supernet& supernet) {
  if (supernet.sharing_settings().share < 1) return false;  // each has drawn layers of its own
  const at::NoGradGuard guard;
  std::vector<at::Tensor> parameters;
  for (const auto& [name, tensor] : supernet.sharing().parameters())
    parameters.push_back(tensor.unsqueeze(0));
  if (parameters.empty()) return false;
  const auto any = supernet.space().smallest();
  return supernet.sharing().joint_coefficients(parameters, supernet.encoding(any)).has_value();
}

}  // namespace

Members::Members(std::span<Supernet* const> supernets)
    : members_(supernets.begin(), supernets.end()) {
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
      tensors_.push_back(
          {first.name, stacked(tensors), networks, first.slot, one ? at::Tensor() : tensors[0]});
    }
    if (!one) continue;
    if (of_slot)
      copies_[{first.slot, first.part}] = tensors_.back().value;
    else
      sharings_.push_back(tensors_.back().value);
  }
  addresses_ = addresses();
}

std::vector<const void*> Members::addresses() const {
  std::vector<const void*> result;
  for (const auto* member : members_)
    for (const auto& own : member->trained()) result.push_back(own.value.const_data_ptr());
  return result;
}

bool Members::current() const { return addresses() == addresses_; }

WeightSources Members::sources(const spaces::Genotype& genotype, const Program& program,
                               const Mode& mode) const {
  Mixes mixes = this->mixes(genotype, program, mode.training);
  const auto& bank = members_[0]->bank();
  WeightSources result{{}, std::move(mixes.mixes)};
  std::map<std::size_t, at::Tensor> known;  // copies, by slot
  for (const auto& weight : program.weights()) {
    const std::size_t slot = bank.place(weight.ref.slot);
    at::Tensor& own = known[slot];
    if (!own.defined()) own = copies(slot, genotype);
    result.slots.push_back({own, mixes.of_slot[slot], mode.bfloat16 && weight.factor});
  }
  return result;
}

/// What mixes the slots of a program, for all members.
Mixes Members::mixes(const spaces::Genotype& genotype, const Program& program,
                     bool training) const {
  if (!sharings_.empty())  // one that has the parameters of all
    return *members_[0]->sharing().joint_coefficients(sharings_, members_[0]->encoding(genotype));
  const auto& bank = members_[0]->bank();
  std::vector<Mixes> of_members;
  for (const auto* member : members_) of_members.push_back(member->mixes(genotype, training));
  Mixes result = Mixes::none(of_members[0].of_slot.size());
  std::map<std::vector<int>, int> known;  // by the members' mixes
  for (const auto& weight : program.weights()) {
    const std::size_t slot = bank.place(weight.ref.slot);
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
    const at::Tensor stacked = stacked_mixes(of_slot, most, bank.copies(weight.ref.slot).options());
    if (stacked.defined()) {
      result.of_slot[slot] = static_cast<int>(result.mixes.size());
      result.mixes.push_back(stacked);
    }
    known[std::move(key)] = result.of_slot[slot];
  }
  return result;
}

/// Copies of a slot that the members use for this architecture: [members, m, ...full].
at::Tensor Members::copies(std::size_t slot, const spaces::Genotype& genotype) const {
  const auto number = static_cast<int>(slot);
  if (same_parts_) return copies_.at({number, members_[0]->part(genotype)});
  std::vector<at::Tensor> own;
  for (const auto* member : members_)
    own.push_back(member->bank().copies(members_[0]->space().graph().slots[slot].name,
                                        member->part(genotype)));
  return at::stack(own);
}

}  // namespace mosaic::supernet
