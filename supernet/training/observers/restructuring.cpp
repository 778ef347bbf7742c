// Supernets whose sharing changes while they are trained: growth of single slots, splits of the
// whole space.
#include <nlohmann/json.hpp>

#include "mosaic/core/log.hpp"
#include "mosaic/supernet/training/splitter.hpp"
#include "training/growth.hpp"
#include "training/observers/observers.hpp"

namespace mosaic::supernet {
namespace {

/// What growth and splits have in common.
class Restructuring : public Observer {
 public:
  Restructuring(std::span<Supernet* const> members, double cost_of_each)
      : members_(members.begin(), members.end()), cost_(cost_of_each) {}

  std::vector<double> restructures_at() const override {
    return members_[0]->sharing_settings().split_at;
  }
  double cost_of_restructuring() const override {
    return static_cast<double>(restructures_at().size()) * cost_;
  }
  bool restarts() const override { return members_[0]->sharing_settings().restart; }
  std::string restructuring(Trainee& trainee, const Moment& now, std::size_t index) override {
    const auto chosen = choose(trainee, now, index);
    return chosen.size() == 1 ? chosen[0] : nlohmann::json(chosen).dump();
  }

 protected:
  /// The next SharingSettings::split of each member.
  virtual std::vector<std::string> choose(Trainee& trainee, const Moment& now,
                                          std::size_t index) = 0;
  std::vector<Supernet*> members_;

 private:
  double cost_;
};

class Growing : public Restructuring {
 public:
  using Restructuring::Restructuring;
  std::vector<std::string> choose(Trainee& trainee, const Moment& now, std::size_t index) override {
    return choose_growth(members_, trainee, now, index);
  }
};

SplitSettings split_settings(const Supernet& supernet) {
  SplitSettings settings;
  settings.method = supernet.sharing_settings().split_by;
  settings.repeats = supernet.sharing_settings().split_repeats;
  settings.seed = supernet.seed();
  return settings;
}

class Splitting : public Restructuring {
 public:
  using Restructuring::Restructuring;
  std::vector<std::string> choose(Trainee& trainee, const Moment& now, std::size_t index) override {
    SplitSettings settings = split_settings(*members_[0]);
    settings.seed += 1000 * (index + 1);
    std::vector<std::string> result;
    for (auto& split : choose_splits(members_, trainee, now.task, now.settings, settings)) {
      core::log_info("split: " + split.text);
      result.push_back(std::move(split.text));
    }
    return result;
  }
};

}  // namespace

std::unique_ptr<Observer> make_restructuring(std::span<Supernet* const> members,
                                             const TrainSettings& settings) {
  const Supernet& first = *members[0];
  if (first.sharing_settings().split_at.empty()) return nullptr;
  if (first.sharing_settings().kind == "grown")
    return std::make_unique<Growing>(members, cost_of_growth(first, settings));
  return std::make_unique<Splitting>(members, cost_of_split(first.space(), split_settings(first)));
}

}  // namespace mosaic::supernet
