#include "sharing/cuts.hpp"

#include <algorithm>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::supernet {
namespace {

int gene_by_name(const std::vector<spaces::Gene>& genes, const std::string& name,
                 const std::string& split) {
  const auto names = core::mapped(genes, &spaces::Gene::name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<int>(found - names.begin());
  throw core::UsageError("split '" + split + "': '" + name + "' is no decision of the space",
                         core::known_names(name, names));
}

/// "0" -> 0. The whole text must be a number of an option.
int option_number(const std::string& text, const spaces::Gene& gene, const std::string& split) {
  const auto count = gene.labels.size();
  const bool digits =
      !text.empty() && text.size() <= 6 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && static_cast<std::size_t>(std::stoi(text)) < count) return std::stoi(text);
  throw core::UsageError(
      "split '" + split + "': '" + text + "' is no option of '" + gene.name + "'",
      "give options by number, 0 to " + std::to_string(count - 1));
}

/// "NAME:0,1|2,3,4".
Cut parse_cut(const std::vector<spaces::Gene>& genes, const std::string& text,
              const std::string& split) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos)
    throw core::UsageError(
        "split '" + split + "' cannot be read",
        "write \"random\", \"gene=NAME\", or the parts as options: \"NAME:0,1|2,3,4\"");
  Cut cut{gene_by_name(genes, std::string(core::trim(text.substr(0, colon))), split), {}};
  const auto& gene = genes[static_cast<std::size_t>(cut.gene)];
  std::vector<int> times(gene.labels.size(), 0);
  for (const auto& group : core::split(text.substr(colon + 1), '|')) {
    cut.groups.emplace_back();
    for (const auto& option : core::split(group, ',')) {
      cut.groups.back().push_back(option_number(std::string(core::trim(option)), gene, split));
      ++times[static_cast<std::size_t>(cut.groups.back().back())];
    }
  }
  for (std::size_t option = 0; option < times.size(); ++option)
    if (times[option] != 1)
      throw core::UsageError("split '" + split + "' has option " + std::to_string(option) +
                                 " of '" + gene.name + "' " + std::to_string(times[option]) +
                                 " times",
                             "every option stands in exactly one part");
  return cut;
}

}  // namespace

std::vector<Cut> parse_cuts(const std::vector<spaces::Gene>& genes, const std::string& split) {
  std::vector<Cut> cuts;
  if (split.rfind("gene=", 0) == 0) {
    Cut cut{gene_by_name(genes, split.substr(5), split), {}};
    const auto options = genes[static_cast<std::size_t>(cut.gene)].labels.size();
    for (std::size_t i = 0; i < options; ++i) cut.groups.push_back({static_cast<int>(i)});
    return {cut};
  }
  for (const auto& text : core::split(split, ';')) {
    cuts.push_back(parse_cut(genes, text, split));
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
      if (cuts[i].gene == cuts.back().gene)
        throw core::UsageError("split '" + split + "' divides '" +
                                   genes[static_cast<std::size_t>(cuts[i].gene)].name + "' twice",
                               "give each decision once, with all of its parts");
  }
  return cuts;
}

std::string cuts_text(const std::vector<spaces::Gene>& genes, const std::vector<Cut>& cuts) {
  std::vector<std::string> texts;
  for (const auto& cut : cuts) {
    std::vector<std::string> groups;
    for (const auto& group : cut.groups) {
      std::vector<std::string> options;
      for (const int option : group) options.push_back(std::to_string(option));
      groups.push_back(core::join(options, ","));
    }
    texts.push_back(genes[static_cast<std::size_t>(cut.gene)].name + ":" + core::join(groups, "|"));
  }
  return core::join(texts, ";");
}

}  // namespace mosaic::supernet
