#include <algorithm>
#include <functional>
#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"

namespace mosaic::supernet {
namespace {

/// Keys that belong to another way of sharing.
void refuse(core::Section& section, const std::vector<std::string>& keys, const std::string& kind) {
  for (const auto& key : keys)
    if (section.has(key))
      section.fail(key, "only sharing = \"" + kind + "\" has this key", "remove it");
}

/// The number of copies where the way of sharing settles it itself.
void refuse_copies(core::Section& section, const std::string& why, const std::string& advice) {
  if (section.has("copies")) section.fail("copies", why, advice);
}

/// The moments of training, as shares of the steps, at which sharing changes.
std::vector<double> read_moments(core::Section& section, const std::string& key,
                                 const std::vector<double>& standard) {
  auto moments = section.numbers(key, standard, 0.001, 0.999);
  if (!std::is_sorted(moments.begin(), moments.end(), std::less_equal<>()))
    section.fail(key, "the shares of the training must rise", "write " + key + " = [0.3, 0.45]");
  return moments;
}

void read_partition(core::Section& section, SharingSettings& settings) {
  auto& split = settings.split = section.string("split", "random");
  if (split != "random")
    refuse_copies(section, "this split says itself how many parts there are",
                  "remove the key, or use split = \"random\"");
  settings.split_at = read_moments(section, "split_at",
                                   split == "gradient" ? std::vector{0.15} : std::vector<double>{});
  if (split == "exhaustive" && settings.split_at.empty())
    section.fail("split", "\"exhaustive\" splits during training",
                 "say when: split_at = [0.15]; or split from the start: split = \"gene=NAME\"");
  if (settings.split_at.empty()) return;
  if (split != "random" && split != "exhaustive" && split != "gradient")
    section.fail("split_at", "a split that is given holds from the start",
                 "remove the key, or use split = \"gradient\", \"random\" or \"exhaustive\"");
  refuse_copies(section, "every moment of split_at doubles the parts", "remove the key");
  settings.split_by = std::exchange(split, "");
}

/// A text, or a list of texts, as one.
std::string read_routed(core::Section& section) {
  std::string names;
  try {
    names = section.string("routed", "all");
  } catch (const core::UsageError&) {
    names = core::join(section.strings("routed", {}));
  }
  if (core::trim(names).empty())
    section.fail("routed", "no slot is named",
                 "use \"all\", \"ffn\", or names such as \"layer*.ffn.*\"; without mixing: "
                 "sharing = \"plain\"");
  return names;
}

}  // namespace

void GrowthSettings::visit(core::Visitor& v) {
  using core::kFirst;
  v("budget", budget, {1, 64}, kFirst);
  v("grow_slots", slots, {"scored", "random", "earliest"}, kFirst);
  v("grow_questions", questions, {"scored", "random"}, kFirst);
  v("grow_score", score, {"gain", "cosine"}, kFirst);
  v("hard_routing", hard, kFirst);
}

SharingSettings SharingSettings::read(core::Section section) {
  SharingSettings settings;
  auto read = core::reader_of(section);
  read("sharing", settings.kind, core::OneOf(sharing_kinds().names()));
  const auto& kind = settings.kind;
  const bool mixture = kind == "layer-wise" || kind == "neuron-wise";
  if (kind == "partition") {
    read_partition(section, settings);
    read("split_repeats", settings.split_repeats, {1, 1'000'000});
    read("restart", settings.restart);
  } else {
    refuse(section, {"split", "split_at", "split_repeats", "restart"}, "partition");
  }
  if (kind == "grown") {
    settings.split_at = read_moments(section, "grow_at", {0.3, 0.45});
    settings.growth.visit(read);
    refuse_copies(section, "growth adds copies within its budget", "set budget instead");
  } else {
    std::vector<std::string> keys{"grow_at"};
    for (const auto& setting : core::listed(GrowthSettings())) keys.push_back(setting.key);
    refuse(section, keys, "grown");
  }
  if (mixture) {
    read("mixed_share", settings.share, {0, 1});
    settings.routed = read_routed(section);
  } else {
    for (const auto* key : {"mixed_share", "routed"})
      if (section.has(key))
        section.fail(key, "only mixtures have this key",
                     "remove it, or use sharing = \"layer-wise\" or \"neuron-wise\"");
  }
  if (kind == "plain" || kind == "grown") settings.copies = 1;
  read("copies", settings.copies, {1, 64});
  read("hidden", settings.hidden, {1, 65536});
  if (kind == "plain" && settings.copies != 1)
    section.fail("copies", "plain sharing has one copy",
                 "remove the key, or choose another way of sharing");
  return settings;
}

void SharingSettings::add_first(core::Hasher& hasher) const {
  hasher.add(kind).add(copies).add(hidden);
}

void SharingSettings::add_changed(core::Hasher& hasher) const {
  if (!split.empty()) hasher.add("split").add(split);
  if (share != 1) hasher.add("share").add(core::format_double(share));
  if (routed != "all") hasher.add("routed").add(routed);
  if (split_at.empty()) return;
  hasher.add("turns").add(split_by).add(split_repeats).add(restart ? 1 : 0);
  for (const double at : split_at) hasher.add(core::format_double(at));
  if (kind == "grown") core::add_first(hasher, growth);
}

}  // namespace mosaic::supernet
