#include "mosaic/supernet/training/joint.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/fusion.hpp"
#include "engine/joint_executor.hpp"
#include "engine/mixing.hpp"
#include "engine/runnable.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/supernet/training/sampler.hpp"
#include "training/structure.hpp"

namespace mosaic::supernet {
namespace {

const std::string kJoint = "joint.";

/// One trained tensor of the members that have it: [rows, ...]. The members' own tensors are views.
struct Stack {
  at::Tensor tensor;
  std::vector<int> members;  ///< of each row, ascending
};

/// Rows of a stack during one pass. Taken apart once, so that the backward pass puts it together
/// once.
class Rows {
 public:
  explicit Rows(const Stack& stack) : stack_(stack) {}
  at::Tensor operator()(std::span<const int> wanted) {
    if (std::equal(wanted.begin(), wanted.end(), stack_.members.begin(), stack_.members.end()))
      return stack_.tensor;
    if (single_.empty()) single_ = stack_.tensor.unbind();
    std::vector<at::Tensor> rows;
    for (const int member : wanted)
      rows.push_back(single_[static_cast<std::size_t>(
          std::lower_bound(stack_.members.begin(), stack_.members.end(), member) -
          stack_.members.begin())]);
    return at::stack(rows);
  }

 private:
  const Stack& stack_;
  std::vector<at::Tensor> single_;
};

/// The tensor with rows of zeros behind it.
at::Tensor with_rows(const at::Tensor& tensor, std::int64_t rows) {
  if (tensor.size(0) == rows) return tensor;
  auto shape = tensor.sizes().vec();
  shape[0] = rows - shape[0];
  return at::cat({tensor, at::zeros(shape, tensor.options())});
}

/// Stacks the members' tensors and makes each a view of its row. Where some have fewer experts than
/// others their rows are filled up, and they never read the rest.
Stack stack(const std::vector<at::Tensor>& tensors, std::vector<int> members) {
  at::NoGradGuard guard;
  std::int64_t most = 0;
  for (const auto& tensor : tensors) most = std::max(most, tensor.size(0));
  std::vector<at::Tensor> plain;
  for (const auto& tensor : tensors) plain.push_back(with_rows(tensor.detach(), most));
  Stack result{at::stack(plain), std::move(members)};
  for (std::size_t row = 0; row < tensors.size(); ++row) {
    const at::Tensor& member = tensors[row];
    member.set_data(
        result.tensor.select(0, static_cast<std::int64_t>(row)).narrow(0, 0, member.size(0)));
  }
  result.tensor.requires_grad_();
  return result;
}

void expect_orders(std::size_t members, const std::vector<std::int64_t>& orders) {
  if (members == 0 || orders.size() != members)
    throw std::logic_error("joint training takes one data order for each of its networks");
}

/// A slot and the shape that some networks have of it.
using SlotShape = std::pair<std::string, std::vector<std::int64_t>>;

std::string joint_name(const SlotShape& slot) {
  std::vector<std::string> sizes;
  for (const auto size : slot.second) sizes.push_back(std::to_string(size));
  return "joint." + slot.first + " " + core::join(sizes, "x");
}

/// Stacked tensors of subnets.
struct SubnetStacks {
  std::map<SlotShape, Stack> stacks;
  std::vector<std::unique_ptr<spaces::Graph>> graphs;
};

/// Experts of supernets, stacked by their name in the bank, and the members' routers.
struct SupernetStacks {
  std::vector<Supernet*> members;
  std::vector<int> all;
  /// Do all members have each architecture in the same part of the space? If not, a pass trains
  /// other parts of each: stacking those for good would step parts that it did not train.
  bool same_parts = true;
  std::map<std::string, Stack> stacks;
  std::vector<at::Tensor> routers;  ///< parameters of all routers, where they are asked at once
  std::shared_ptr<Sampler> sampler;

  std::shared_ptr<const void> hold(const spaces::Genotype& genotype) const {
    auto result = std::make_shared<std::vector<std::shared_ptr<const void>>>();
    for (const auto* member : members) result->push_back(member->hold(genotype));
    return result;
  }

  at::Tensor forward(const spaces::Genotype& genotype, const at::Tensor& inputs) const {
    const spaces::Graph graph = fused(members[0]->space().bind(genotype));
    const Mixes mixes = this->mixes(genotype, graph);
    const WeightSource weights = mixed_weights(
        graph,
        [&](const std::string& slot) {
          return SlotExperts{experts(slot, genotype), mixes.of_slot[bank().place(slot)]};
        },
        mixes.mixes);
    const std::vector<const spaces::Graph*> graphs(members.size(), &graph);
    return execute_joint(graphs, inputs, [&](const spaces::WeightRef& ref, std::span<const int>) {
      return weights(ref);
    });
  }

  /// What mixes the slots of a graph, for all members.
  Mixes mixes(const spaces::Genotype& genotype, const spaces::Graph& graph) const {
    if (!routers.empty())  // one router that has the parameters of all
      return *members[0]->router().joint_coefficients(routers, members[0]->encoding(genotype));
    std::vector<Mixes> of_members;
    for (const auto* member : members) of_members.push_back(member->mixes(genotype, true));
    Mixes result = Mixes::none(of_members[0].of_slot.size());
    std::map<std::vector<int>, int> known;  // by the members' mixes
    for (const auto& node : graph.nodes)
      for (const auto& ref : node.weights) {
        const std::size_t slot = bank().place(ref.slot);
        std::vector<int> key;
        for (const auto& mixes : of_members) key.push_back(mixes.of_slot[slot]);
        if (const auto found = known.find(key); found != known.end()) {
          result.of_slot[slot] = found->second;
          continue;
        }
        std::int64_t most = 1;
        std::vector<at::Tensor> of_slot;
        for (std::size_t i = 0; i < members.size(); ++i) {
          of_slot.push_back(of_members[i][slot]);
          most = std::max(most, members[i]->router().experts(slot));
        }
        const at::Tensor stacked = stacked_mixes(of_slot, most, bank().experts(ref.slot).options());
        if (stacked.defined()) {
          result.of_slot[slot] = static_cast<int>(result.mixes.size());
          result.mixes.push_back(stacked);
        }
        known[std::move(key)] = result.of_slot[slot];
      }
    return result;
  }

  const WeightBank& bank() const { return members[0]->bank(); }

  /// Experts of a slot that the members use for this architecture: [members, m, ...full].
  at::Tensor experts(const std::string& slot, const spaces::Genotype& genotype) const {
    if (same_parts) return stacks.at(bank().name(slot, members[0]->part(genotype))).tensor;
    std::vector<at::Tensor> own;
    for (const auto* member : members)
      own.push_back(member->bank().experts(slot, member->part(genotype)));
    return at::stack(own);
  }
};

/// Where the parameters of a joint trainee come from, given where those of its members do.
Heritage joint_heritage(const Trainee& trainee, const NamedTensors& former,
                        std::vector<Heritage> of_members) {
  const auto heritages = std::make_shared<std::vector<Heritage>>(std::move(of_members));
  std::set<std::string> stacked;
  for (const auto& [name, tensor] : former)
    if (name.rfind(kJoint, 0) == 0) stacked.insert(name.substr(kJoint.size()));
  /// A member's own tensor, taken from the former trainee's.
  const auto of_member = [heritages, stacked](std::size_t member, const std::string& name,
                                              const auto& look_up) {
    return heritages->at(member).at(name).take([&](const std::string& old) {
      return stacked.contains(old)
                 ? look_up(kJoint + old).select(0, static_cast<std::int64_t>(member))
                 : look_up(old + "@" + std::to_string(member));
    });
  };
  Heritage result;
  for (std::size_t i = 0; i < trainee.parameters.size(); ++i) {
    const auto& [name, tensor] = trainee.parameters[i];
    const bool joint = name.rfind(kJoint, 0) == 0;
    const std::string own = joint ? name.substr(kJoint.size()) : name.substr(0, name.rfind('@'));
    const std::vector<std::int64_t> rows = trainee.rows[i];
    const std::string old = heritages->at(static_cast<std::size_t>(rows[0])).at(own).name;
    result[name] = {
        stacked.contains(old) ? kJoint + old : old + "@" + std::to_string(rows[0]),
        [of_member, joint, own, rows](const auto& look_up) {
          if (!joint) return of_member(static_cast<std::size_t>(rows[0]), own, look_up);
          std::vector<at::Tensor> members;
          std::int64_t most = 0;
          for (const auto member : rows) {
            members.push_back(of_member(static_cast<std::size_t>(member), own, look_up));
            most = std::max(most, members.back().size(0));
          }
          for (auto& member : members) member = with_rows(member, most);
          return at::stack(members);
        }};
  }
  return result;
}

/// Can the routers of supernets like this one be asked at once?
bool asked_at_once(const Supernet& supernet) {
  if (supernet.router_settings().share < 1) return false;  // each has drawn layers of its own
  const at::NoGradGuard guard;
  std::vector<at::Tensor> parameters;
  for (const auto& [name, tensor] : supernet.router().parameters())
    parameters.push_back(tensor.unsqueeze(0));
  if (parameters.empty()) return false;
  const auto any = supernet.space().smallest();
  return supernet.router().joint_coefficients(parameters, supernet.encoding(any)).has_value();
}

/// The structures of all members, as the text of a JSON array.
std::string structure_of(std::span<Supernet* const> supernets) {
  auto json = nlohmann::json::array();
  for (const auto* supernet : supernets) json.push_back(supernet->router_settings().split);
  return json.dump();
}

}  // namespace

Trainee joint_supernets(std::span<Supernet* const> supernets, const TrainSettings& settings,
                        std::uint64_t seed, std::vector<std::int64_t> orders) {
  expect_orders(supernets.size(), orders);
  auto state = std::make_shared<SupernetStacks>();
  state->members.assign(supernets.begin(), supernets.end());
  for (std::size_t i = 0; i < supernets.size(); ++i) state->all.push_back(static_cast<int>(i));
  for (const auto* supernet : supernets)
    state->same_parts = state->same_parts && supernet->router().same_parts(supernets[0]->router());
  const auto& space = supernets[0]->space();
  state->sampler = make_sampler(settings.sampler, space);

  Trainee trainee;
  trainee.device = supernets[0]->device();
  trainee.orders = std::move(orders);
  std::vector<NamedTensors> parameters;
  for (auto* supernet : supernets) parameters.push_back(supernet->parameters());
  const bool joint_routers = asked_at_once(*supernets[0]);
  for (std::size_t i = 0; i < parameters[0].size(); ++i) {
    const std::string& name = parameters[0][i].first;
    const bool of_bank = name.rfind("bank.", 0) == 0;
    std::vector<at::Tensor> tensors;
    for (const auto& of_member : parameters) tensors.push_back(of_member[i].second);
    if (of_bank ? state->same_parts : joint_routers) {
      const auto made = stack(tensors, state->all);
      if (of_bank)
        state->stacks[name.substr(5)] = made;
      else
        state->routers.push_back(made.tensor);
      trainee.parameters.emplace_back(kJoint + name, made.tensor);
      trainee.rows.emplace_back(state->all.begin(), state->all.end());
    } else {
      for (std::size_t member = 0; member < tensors.size(); ++member) {
        trainee.parameters.emplace_back(name + "@" + std::to_string(member), tensors[member]);
        trainee.rows.push_back({static_cast<std::int64_t>(member)});
      }
    }
  }
  for (const auto& [name, tensor] : trainee.parameters) {
    const std::string own =
        name.rfind(kJoint, 0) == 0 ? name.substr(kJoint.size()) : name.substr(0, name.rfind('@'));
    trainee.slots.push_back(slot_of(space.graph(), own));
    trainee.rates.push_back(trainee.slots.back() < 0 ? supernets[0]->router().rate_scale() : 1);
  }
  const PassOf pass_of = [state](const spaces::Genotype& genotype) {
    return Pass{
        [state, genotype](const at::Tensor& inputs) { return state->forward(genotype, inputs); },
        state->members[0]->space().text(genotype),
        state->hold(genotype),
        {}};
  };
  trainee.passes = [state, pass_of, seed](std::int64_t step) {
    core::Stream stream(seed, "sampler", static_cast<std::uint64_t>(step));
    std::vector<Pass> result;
    for (auto& genotype : state->sampler->draw(stream)) result.push_back(pass_of(genotype));
    return result;
  };
  add_draws(trainee, state->members, state->sampler, pass_of, seed);
  add_learning(trainee, space, state->sampler);
  if (!changes_structure(*supernets[0])) return trainee;
  trainee.turns = turns_of(*supernets[0], settings);
  trainee.turns.structure = structure_of(supernets);
  trainee.turns.choose = [state, pass_of](const Trainee& current, const Turn& turn) {
    return nlohmann::json(choose_structures(state->members, current, pass_of, turn)).dump();
  };
  trainee.turns.take_on = [state, settings, seed, former = trainee.parameters,
                           orders = trainee.orders](const std::string& structure) {
    std::vector<Heritage> heritages;
    const auto texts = nlohmann::json::parse(structure).get<std::vector<std::string>>();
    for (std::size_t i = 0; i < texts.size(); ++i)
      heritages.push_back(state->members[i]->restructure(texts[i]));
    Trainee changed = joint_supernets(state->members, settings, seed, orders);
    Heritage heritage = joint_heritage(changed, former, std::move(heritages));
    return std::make_pair(std::move(changed), std::move(heritage));
  };
  return trainee;
}

Trainee joint_subnets(std::span<Subnet* const> subnets, std::vector<std::int64_t> orders) {
  expect_orders(subnets.size(), orders);
  auto state = std::make_shared<SubnetStacks>();
  std::map<SlotShape, std::pair<std::vector<at::Tensor>, std::vector<int>>> slots;
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    expect_no_losses(subnets[i]->graph().losses);
    state->graphs.push_back(std::make_unique<spaces::Graph>(fused(subnets[i]->graph())));
    for (const auto& [slot, weight] : subnets[i]->weights()) {
      auto& [tensors, members] = slots[{slot, weight.sizes().vec()}];
      tensors.push_back(weight);
      members.push_back(static_cast<int>(i));
    }
  }
  Trainee trainee;
  trainee.device = subnets[0]->device();
  trainee.orders = std::move(orders);
  for (const auto& [key, tensors] : slots) {
    const auto& made = state->stacks[key] = stack(tensors.first, tensors.second);
    trainee.parameters.emplace_back(joint_name(key), made.tensor);
    trainee.rows.emplace_back(made.members.begin(), made.members.end());
  }
  const auto forward = [state](const at::Tensor& inputs) {
    std::vector<const spaces::Graph*> graphs;
    for (const auto& graph : state->graphs) graphs.push_back(graph.get());
    std::map<SlotShape, Rows> rows;
    return execute_joint(
        graphs, inputs, [&](const spaces::WeightRef& ref, std::span<const int> members) {
          const SlotShape key{ref.slot, ref.active};
          return rows.try_emplace(key, state->stacks.at(key)).first->second(members);
        });
  };
  trainee.passes = [forward](std::int64_t) { return std::vector<Pass>{{forward, "all"}}; };
  return trainee;
}

}  // namespace mosaic::supernet
