// Extracted or fresh subnets that are trained side by side.
#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "engine/mixing.hpp"
#include "mosaic/supernet/training/trainee.hpp"
#include "networks/stack.hpp"
#include "training/stack.hpp"

namespace mosaic::supernet {
namespace {

/// Rows of a parameter during one pass. Taken apart once, so that the backward pass puts them
/// together once.
class Rows {
 public:
  explicit Rows(const Parameter& parameter) : parameter_(parameter) {}
  at::Tensor operator()(const std::vector<int>& wanted) {
    const auto& networks = parameter_.networks;
    if (wanted == networks) return parameter_.value;
    if (single_.empty()) single_ = parameter_.value.unbind();
    std::vector<at::Tensor> rows;
    for (const int network : wanted)
      rows.push_back(single_[static_cast<std::size_t>(
          std::lower_bound(networks.begin(), networks.end(), network) - networks.begin())]);
    return at::stack(rows);
  }

 private:
  const Parameter& parameter_;
  std::vector<at::Tensor> single_;
};

class Subnets : public Trainee {
 public:
  Subnets(std::span<Subnet* const> subnets, std::vector<std::int64_t> orders)
      : Trainee(subnets[0]->device(), std::move(orders), 0),
        subnets_(subnets.begin(), subnets.end()) {
    std::map<SlotShape, std::pair<std::vector<at::Tensor>, std::vector<int>>> slots;
    for (std::size_t i = 0; i < subnets.size(); ++i)
      for (const auto& [slot, weight] : subnets[i]->weights()) {
        auto& [tensors, networks] = slots[{slot, weight.sizes().vec()}];
        tensors.push_back(weight);
        networks.push_back(static_cast<int>(i));
      }
    for (const auto& [key, tensors] : slots) {
      of_slot_[key] = parameters_.size();
      parameters_.push_back(
          {key.first, stacked(tensors.first), tensors.second, -1, key.second.size() >= 2});
    }
  }

  std::shared_ptr<const Program> program(const spaces::Genotype& genotype,
                                         const Mode& mode) override {
    return programs_.at(genotype, mode, [&] {
      std::vector<const spaces::Graph*> graphs;
      for (const auto* subnet : subnets_) graphs.push_back(&subnet->graph());
      return Program::compile(graphs, "forward", mode.training, mode.attention);
    });
  }

  std::vector<at::Tensor> weights(const spaces::Genotype&, const Program& program,
                                  const Mode& mode) override {
    std::map<std::size_t, Rows> rows;
    std::vector<at::Tensor> result;
    for (const auto& weight : program.weights()) {
      const std::size_t place = of_slot_.at({weight.ref.slot, weight.ref.full});
      const at::Tensor own =
          active_part(rows.try_emplace(place, parameters_[place]).first->second(weight.networks), 1,
                      weight.ref);
      const bool rounded = mode.bfloat16 && weight.factor && own.is_cuda();
      result.push_back(rounded ? own.to(at::kBFloat16) : own);
    }
    return result;
  }

 private:
  /// A slot and the shape that some networks have of it.
  using SlotShape = std::pair<std::string, std::vector<std::int64_t>>;

  std::vector<Subnet*> subnets_;
  std::map<SlotShape, std::size_t> of_slot_;  ///< place among the parameters
  Programs<spaces::Genotype> programs_;
};

}  // namespace

std::unique_ptr<Trainee> subnet_trainee(std::span<Subnet* const> subnets,
                                        std::vector<std::int64_t> orders) {
  return std::make_unique<Subnets>(subnets, one_order_each(subnets.size(), std::move(orders)));
}

std::unique_ptr<Trainee> subnet_trainee(Subnet& subnet) {
  Subnet* const one[] = {&subnet};
  return subnet_trainee(one);
}

}  // namespace mosaic::supernet
