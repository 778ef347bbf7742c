#include "operators.hpp"

#include <algorithm>
#include <set>

#include "archive.hpp"

namespace mosaic::search {

namespace {

constexpr int kPatience = 1000;
constexpr double kInfeasible = 1e20;  // beyond what is measured, below kPenalty

std::vector<std::size_t> active_indices(const spaces::Space& space,
                                        const spaces::Genotype& genotype) {
  const auto active = space.active_genes(genotype);
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < active.size(); ++i)
    if (active[i]) result.push_back(i);
  return result;
}

}  // namespace

int mutate_option(const spaces::Gene& gene, int option, core::Stream& stream) {
  const auto options = static_cast<int>(gene.labels.size());
  if (options < 2) return option;
  if (gene.ordered && stream.uniform() < 0.8) {
    if (option == 0) return 1;
    if (option == options - 1) return option - 1;
    return stream.below(2) == 0 ? option - 1 : option + 1;
  }
  const auto other = static_cast<int>(stream.below(static_cast<std::uint64_t>(options - 1)));
  return other < option ? other : other + 1;
}

spaces::Genotype mutate(const spaces::Space& space, const spaces::Genotype& genotype,
                        core::Stream& stream, double more) {
  spaces::Genotype child = genotype;
  do {
    const auto active = active_indices(space, child);
    if (active.empty()) break;
    const std::size_t i = active[stream.below(active.size())];
    child[i] = mutate_option(space.genes()[i], child[i], stream);
  } while (stream.uniform() < more);
  return space.canonical(child);
}

spaces::Genotype cross(const spaces::Space& space, const spaces::Genotype& a,
                       const spaces::Genotype& b, core::Stream& stream) {
  spaces::Genotype child = a;
  for (std::size_t i = 0; i < child.size(); ++i)
    if (stream.below(2) == 1) child[i] = b[i];
  return space.canonical(child);
}

std::vector<spaces::Genotype> neighbours(const spaces::Space& space,
                                         const spaces::Genotype& genotype) {
  std::vector<spaces::Genotype> result;
  std::set<spaces::Genotype> seen{genotype};
  for (const std::size_t i : active_indices(space, genotype)) {
    const auto& gene = space.genes()[i];
    for (int option = 0; option < static_cast<int>(gene.labels.size()); ++option) {
      if (gene.ordered && std::abs(option - genotype[i]) != 1) continue;
      spaces::Genotype other = genotype;
      other[i] = option;
      other = space.canonical(other);
      if (seen.insert(other).second) result.push_back(std::move(other));
    }
  }
  return result;
}

std::optional<spaces::Genotype> draw_unknown(
    const spaces::Space& space, core::Stream& stream,
    const std::function<bool(const spaces::Genotype&)>& known) {
  for (int attempt = 0; attempt < kPatience; ++attempt)
    if (auto genotype = space.random(stream); !known(genotype)) return genotype;
  std::vector<spaces::Genotype> rest;
  for (auto& genotype : space.enumerate().value_or(std::vector<spaces::Genotype>{}))
    if (!known(genotype)) rest.push_back(std::move(genotype));
  if (rest.empty()) return std::nullopt;
  return rest[stream.below(rest.size())];
}

bool failed(const std::vector<double>& vector) {
  return std::any_of(vector.begin(), vector.end(), [](double value) { return value >= kPenalty; });
}

std::vector<double> penalised(const std::vector<double>& vector, std::size_t objectives) {
  double exceeded = 0;
  for (std::size_t i = objectives; i < vector.size(); ++i) exceeded += std::max(0.0, vector[i]);
  if (failed(vector)) return std::vector<double>(objectives, kPenalty);
  if (exceeded > 0)
    return std::vector<double>(objectives, kInfeasible * (1 + exceeded / (1 + exceeded)));
  return {vector.begin(), vector.begin() + static_cast<std::ptrdiff_t>(objectives)};
}

}  // namespace mosaic::search
