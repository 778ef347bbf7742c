// Which slots a mixture mixes.
#include <algorithm>
#include <functional>
#include <set>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "sharing/slots.hpp"

namespace mosaic::supernet {
namespace {

/// Does the whole of `text` fit a pattern in which * stands for any characters?
bool fits(std::string_view text, std::string_view pattern) {
  std::size_t at = 0, next = 0, star = std::string_view::npos, resume = 0;
  while (at < text.size()) {
    if (next < pattern.size() && pattern[next] == '*') {
      star = next++;
      resume = at;
    } else if (next < pattern.size() && pattern[next] == text[at]) {
      ++next;
      ++at;
    } else if (star != std::string_view::npos) {
      next = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', next) == std::string_view::npos;
}

bool is_feed_forward(const spaces::Slot& slot) {
  const auto node = node_of(slot);
  for (const auto* name : {"*.ffn.", "*.mlp."})
    for (const auto* part : {"in", "gate", "out"})
      if (fits(node, std::string(name) + part)) return true;
  return false;
}

/// The slots of a space by their nodes: "head, layer0.ffn.in, ... and 30 more".
std::string names_of(const spaces::SuperGraph& graph) {
  constexpr std::size_t kMost = 24;
  std::vector<std::string> names;
  std::size_t more = 0;
  std::set<std::string> seen;
  for (const auto& slot : graph.slots)
    if (const auto node = node_of(slot); seen.insert(node).second) {
      if (names.size() < kMost)
        names.push_back(node);
      else
        ++more;
    }
  return core::join(names) + (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

}  // namespace

std::vector<bool> routed_slots(const spaces::SuperGraph& graph, const std::string& routed) {
  std::vector<bool> result(graph.slots.size(), false);
  /// Marks the slots that `chosen` takes; how many it takes.
  const auto mark = [&](const std::function<bool(const spaces::Slot&)>& chosen) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < graph.slots.size(); ++i)
      if (chosen(graph.slots[i])) {
        result[i] = true;
        ++count;
      }
    return count;
  };
  if (core::trim(routed) == "all") {
    mark([](const auto& slot) { return !slot.group.empty(); });
    return result;
  }
  for (const auto& part : core::split(routed, ',')) {
    const std::string pattern(core::trim(part));
    const auto found = pattern == "ffn" ? mark(is_feed_forward) : mark([&](const auto& slot) {
      return fits(slot.name, pattern) || fits(node_of(slot), pattern) ||
             (!slot.group.empty() && fits(slot.group, pattern));
    });
    if (found > 0) continue;
    std::vector<std::string> known{"all"};
    if (pattern != "ffn") known.push_back("ffn");
    for (const auto& slot : graph.slots) known.push_back(node_of(slot));
    throw core::UsageError(
        pattern == "ffn" ? "'ffn': the space has no feed-forwards (*.ffn.in, *.ffn.out, or "
                           "*.mlp.in, *.mlp.out)"
                         : "'" + pattern + "' fits no slot of the space",
        core::did_you_mean(pattern, known) +
            "use \"all\", or names of its slots, with * for any characters; there are: " +
            names_of(graph));
  }
  return result;
}

}  // namespace mosaic::supernet
