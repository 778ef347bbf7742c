// Few-shot NAS (Zhao et al. 2021, "Few-shot Neural Architecture Search"; Hu et al. 2022,
// "Generalizing Few-Shot NAS with Gradient Matching"): the space falls into parts and each part has
// weights of its own.
#include <torch/torch.h>

#include <algorithm>
#include <numeric>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/router.hpp"

namespace mosaic::supernet {
namespace {

/// Part of each option of one gene.
struct GeneParts {
  std::size_t gene = 0;
  std::vector<int> of_option;
};

std::size_t find_gene(const spaces::SuperGraph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& gene : graph.genes) names.push_back(gene.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw core::UsageError("split: the space has no decision '" + name + "'",
                           "name one of: " + core::join(names));
  return static_cast<std::size_t>(found - names.begin());
}

/// "edge01:0,1|2,3,4": the options of each part, all of them once.
GeneParts parse_parts(const spaces::SuperGraph& graph, const std::string& text,
                      std::int64_t parts) {
  const auto colon = text.find(':');
  GeneParts result{find_gene(graph, text.substr(0, colon)), {}};
  const std::size_t options = graph.genes[result.gene].labels.size();
  result.of_option.assign(options, -1);
  const auto groups = core::split(text.substr(colon + 1), '|');
  const auto fail = [&](const std::string& why) {
    throw core::UsageError("split '" + text + "': " + why,
                           "write the options 0 to " + std::to_string(options - 1) + " of '" +
                               graph.genes[result.gene].name + "' once each, in " +
                               std::to_string(parts) + " parts: " + graph.genes[result.gene].name +
                               ":0,1|2,...");
  };
  if (static_cast<std::int64_t>(groups.size()) != parts)
    fail("it has " + std::to_string(groups.size()) +
         " parts, and experts = " + std::to_string(parts));
  for (std::size_t part = 0; part < groups.size(); ++part)
    for (const auto& option : core::split(groups[part], ',')) {
      char* end = nullptr;
      const std::string number(core::trim(option));
      const long value = std::strtol(number.c_str(), &end, 10);
      if (number.empty() || *end != '\0' || value < 0 || value >= static_cast<long>(options))
        fail("'" + number + "' is no option");
      int& place = result.of_option[static_cast<std::size_t>(value)];
      if (place >= 0) fail("option " + number + " stands twice");
      place = static_cast<int>(part);
    }
  if (std::count(result.of_option.begin(), result.of_option.end(), -1) > 0)
    fail("an option is in no part");
  return result;
}

/// Parts of nearly equal size, drawn, of a gene that is drawn among those with enough options.
GeneParts random_parts(const spaces::SuperGraph& graph, std::int64_t parts, std::uint64_t seed) {
  core::Stream stream(seed, "random split");
  std::vector<std::size_t> genes;
  for (std::size_t i = 0; i < graph.genes.size(); ++i)
    if (static_cast<std::int64_t>(graph.genes[i].labels.size()) >= parts) genes.push_back(i);
  if (genes.empty())
    throw core::UsageError("no decision of the space has " + std::to_string(parts) + " options",
                           "set a smaller number of experts");
  GeneParts result{genes[stream.below(genes.size())], {}};
  std::vector<int> order(graph.genes[result.gene].labels.size());
  std::iota(order.begin(), order.end(), 0);
  stream.shuffle(order);
  result.of_option.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    result.of_option[static_cast<std::size_t>(order[i])] =
        static_cast<int>(i % static_cast<std::size_t>(parts));
  return result;
}

GeneParts parts_of(const spaces::SuperGraph& graph, const RouterSettings& settings,
                   std::uint64_t seed) {
  if (settings.experts == 1 || settings.split == "random")
    return random_parts(graph, settings.experts, seed);
  if (settings.split.find(':') != std::string::npos)
    return parse_parts(graph, settings.split, settings.experts);
  GeneParts result{find_gene(graph, settings.split), {}};
  const auto options = static_cast<std::int64_t>(graph.genes[result.gene].labels.size());
  if (options != settings.experts)
    throw core::UsageError("split = \"" + settings.split + "\" gives each of its " +
                               std::to_string(options) +
                               " options a part, and experts = " + std::to_string(settings.experts),
                           "set experts = " + std::to_string(options));
  result.of_option.resize(static_cast<std::size_t>(options));
  std::iota(result.of_option.begin(), result.of_option.end(), 0);
  return result;
}

/// One-hot mixes: every slot, norms too, has one expert a part.
class PartitionRouter : public ArchRouter {
 public:
  PartitionRouter(std::size_t slots, std::int64_t experts, GeneParts parts)
      : slots_(slots), experts_(experts), parts_(std::move(parts)) {}

  std::int64_t experts(std::size_t) const override { return experts_; }
  bool begin_as_copies() const override { return true; }
  Mixes coefficients(const Architectures& architectures, core::Stream*) const override {
    // On the device once: a recorded pass may not copy from the host.
    if (!one_hot_.defined() || one_hot_.device() != architectures.encodings.device())
      one_hot_ = at::eye(experts_).to(architectures.encodings.device());
    std::vector<at::Tensor> rows;
    for (const auto& genotype : architectures.genotypes)
      rows.push_back(one_hot_[*only_expert(genotype)]);
    return Mixes(slots_, at::stack(rows));
  }
  std::optional<std::int64_t> only_expert(const spaces::Genotype& genotype) const override {
    return genotype.empty() ? 0 : parts_.of_option[static_cast<std::size_t>(genotype[parts_.gene])];
  }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return {}; }

 private:
  std::size_t slots_;
  std::int64_t experts_;
  GeneParts parts_;
  mutable at::Tensor one_hot_;  ///< [m, m]
};

const core::Registered kEntry{
    routers(), "partition",
    "few-shot: the space falls into parts by one decision, each with weights of its own",
    RouterFactory([](const spaces::SuperGraph& graph, std::size_t, const RouterSettings& settings,
                     std::uint64_t seed) {
      GeneParts parts;
      if (graph.genes.empty())
        parts.of_option = {0};
      else
        parts = parts_of(graph, settings, seed);
      return std::make_unique<PartitionRouter>(graph.slots.size(), settings.experts,
                                               std::move(parts));
    })};

}  // namespace
}  // namespace mosaic::supernet
