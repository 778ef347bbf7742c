#include "training/structure.hpp"

#include <ATen/ATen.h>

#include "mosaic/core/log.hpp"

namespace mosaic::supernet {
namespace {

SplitSettings split_settings(const Supernet& supernet, const Turn* turn) {
  SplitSettings settings;
  settings.method = supernet.router_settings().split_by;
  settings.repeats = supernet.router_settings().split_repeats;
  settings.seed = supernet.seed() + (turn ? 1000 * (turn->index + 1) : 0);
  return settings;
}

}  // namespace

int slot_of(const spaces::SuperGraph& graph, const std::string& parameter) {
  if (parameter.rfind("bank.", 0) != 0) return -1;
  std::string name = parameter.substr(5);
  for (int again = 0; again < 2; ++again) {
    for (std::size_t slot = 0; slot < graph.slots.size(); ++slot)
      if (graph.slots[slot].name == name) return static_cast<int>(slot);
    name.erase(0, name.find('.') + 1);  // "part<k>."
  }
  throw std::logic_error("'" + parameter + "' holds no slot");
}

bool changes_structure(const Supernet& supernet) {
  return !supernet.router_settings().split_at.empty();
}

Turns turns_of(const Supernet& supernet, const TrainSettings& settings) {
  const auto& router = supernet.router_settings();
  Turns turns;
  turns.at = router.split_at;
  turns.restart = router.restart;
  turns.structure = router.split;
  turns.images = static_cast<double>(turns.at.size()) *
                 (router.kind == "grown"
                      ? images_of_growth(supernet, settings)
                      : images_of_split(supernet.space(), split_settings(supernet, nullptr)));
  return turns;
}

std::vector<std::string> choose_structures(std::span<Supernet* const> members,
                                           const Trainee& trainee, const PassOf& pass_of,
                                           const Turn& turn) {
  if (members[0]->router_settings().kind == "grown")
    return choose_growth(members, trainee, pass_of, turn);
  std::vector<std::string> result;
  for (auto& split : choose_splits(members, trainee, pass_of, turn.task, turn.settings,
                                   split_settings(*members[0], &turn))) {
    core::log_info("split: " + split.text);
    result.push_back(std::move(split.text));
  }
  return result;
}

}  // namespace mosaic::supernet
