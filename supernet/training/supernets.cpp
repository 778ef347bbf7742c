// Supernets that are trained side by side, one or several.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mosaic/supernet/training/sampler.hpp"
#include "networks/members.hpp"
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
    const WeightSources sources = all_->sources(genotype, program, mode);
    std::vector<const spaces::WeightRef*> refs;
    for (const auto& weight : program.weights()) refs.push_back(&weight.ref);
    return mixed_weights(sources.slots, refs, sources.mixes);
  }

  std::shared_ptr<const WeightSources> sources(const spaces::Genotype& genotype,
                                               const Program& program, const Mode& mode) override {
    if (!all_->same_parts()) return {};
    return std::make_shared<WeightSources>(all_->sources(genotype, program, mode));
  }

  bool by_blocks() const override {
    constexpr double kFew = 64;  // recorded one by one
    return all_->same_parts() && space().genotypes() > kFew;
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

  /// Makes one tensor of what all members have alike.
  void stack_all() {
    all_ = std::make_unique<Members>(members_);
    parameters_.clear();
    for (const auto& shared : all_->tensors()) {
      const bool of_slot = shared.slot >= 0;
      const bool decays =
          of_slot && space().graph().slots[static_cast<std::size_t>(shared.slot)].shape.size() >= 2;
      parameters_.push_back({shared.name, shared.value, shared.networks, shared.slot, decays,
                             of_slot ? 1.0 : members_[0]->sharing().rate_scale(), shared.own});
    }
  }

  std::vector<Supernet*> members_;
  std::shared_ptr<Sampler> sampler_;
  std::unique_ptr<Members> all_;
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
