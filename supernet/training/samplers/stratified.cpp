#include <algorithm>
#include <map>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {
namespace {

double relus(const spaces::Graph& graph, const spaces::Symbols&) {
  return static_cast<double>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                           [](const auto& node) { return node.op == "relu"; }));
}

/// Weighted layers (convolutions, linear layers) on the longest path.
double depth(const spaces::Graph& graph, const spaces::Symbols&) {
  std::vector<int> longest;
  for (const auto& node : graph.nodes) {
    const bool weighted = std::any_of(node.weights.begin(), node.weights.end(),
                                      [](const auto& ref) { return ref.active.size() >= 2; });
    int before = 0;
    for (const int input : node.inputs)
      before = std::max(before, longest[static_cast<std::size_t>(input)]);
    longest.push_back(before + (weighted ? 1 : 0));
  }
  return longest.empty() ? 0 : *std::max_element(longest.begin(), longest.end());
}

using Statistic = double (*)(const spaces::Graph&, const spaces::Symbols&);
const std::map<std::string, Statistic> kStatistics = {
    {"relu", relus},
    {"depth", depth},
    {"params", [](const auto& graph, const auto&) { return spaces::count_parameters(graph); }},
    {"flops", spaces::count_flops}};

/// Architectures of all strata equally often, whatever their numbers: uniform sampling hardly ever
/// trains the extremes of a space, where the best networks stand. A stratum is drawn uniformly,
/// then an architecture of it. Counting ReLUs on the pruned graph is the cheapest gain known on
/// NAS-Bench-201. Strata are the distinct values of the statistic where there are at most `strata`
/// of them, else its quantiles (equal values stay together), over the whole space where it has at
/// most 20,000 genotypes and over a fixed sample of 4,096 architectures elsewhere.
class Stratified : public Sampler {
 public:
  Stratified(const spaces::Space& space, Statistic statistic, std::size_t strata)
      : space_(space), statistic_(statistic), whole_(space.genotypes() <= kWhole) {
    std::vector<std::pair<double, spaces::Genotype>> known;
    for (auto& genotype : architectures(space))
      known.emplace_back(statistic(space.bind(genotype), space.symbols()), std::move(genotype));
    std::stable_sort(known.begin(), known.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    lows_ = lowest_values(core::mapped(known, [](const auto& one) { return one.first; }), strata);
    members_.resize(lows_.size());
    for (auto& [value, genotype] : known) members_[stratum(value)].push_back(std::move(genotype));
  }

  /// Where the space is larger than what is known of it, an architecture that fits is sought among
  /// fresh ones first; a rare stratum falls back on its known members.
  std::vector<spaces::Genotype> draw(core::Stream& stream) const override {
    constexpr int kTries = 16;
    const auto wanted = static_cast<std::size_t>(stream.below(members_.size()));
    for (int i = 0; !whole_ && i < kTries; ++i) {
      auto genotype = space_.random(stream);
      if (stratum(statistic_(space_.bind(genotype), space_.symbols())) == wanted) return {genotype};
    }
    const auto& members = members_[wanted];
    return {members[static_cast<std::size_t>(stream.below(members.size()))]};
  }
  std::size_t per_step() const override { return 1; }

 private:
  static constexpr double kWhole = 20'000;

  static std::vector<spaces::Genotype> architectures(const spaces::Space& space) {
    constexpr int kSample = 4096;
    if (auto all = space.enumerate(static_cast<std::size_t>(kWhole))) return *all;
    core::Stream stream(1, "stratified sampler");
    std::vector<spaces::Genotype> result;
    for (int i = 0; i < kSample; ++i) result.push_back(space.random(stream));
    return result;
  }

  /// Lowest value of each stratum, of ascending `values`.
  static std::vector<double> lowest_values(const std::vector<double>& values, std::size_t strata) {
    std::vector<double> distinct = values;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (distinct.size() <= strata) return distinct;
    std::vector<double> lows;
    for (std::size_t i = 0; i < strata; ++i) {
      const double low = values[i * values.size() / strata];
      if (lows.empty() || low > lows.back()) lows.push_back(low);
    }
    return lows;
  }

  std::size_t stratum(double value) const {
    const auto above = std::upper_bound(lows_.begin(), lows_.end(), value);
    return above == lows_.begin() ? 0 : static_cast<std::size_t>(above - lows_.begin()) - 1;
  }

  const spaces::Space& space_;
  Statistic statistic_;
  bool whole_;
  std::vector<double> lows_;
  std::vector<std::vector<spaces::Genotype>> members_;
};

const core::Registered kEntry{
    samplers(), "stratified",
    "by=relu|depth|params|flops: all of strata=5 strata of the space equally often",
    [](const core::Call& call, const spaces::Space& space) {
      call.expect_only({"by", "strata"});
      const auto by = call.string("by", "relu");
      const auto statistic = kStatistics.find(by);
      if (statistic == kStatistics.end()) {
        const auto names = core::mapped(kStatistics, [](const auto& known) { return known.first; });
        throw core::UsageError("stratified: '" + by + "' is no statistic of a network",
                               core::known_names(by, names));
      }
      return std::make_unique<Stratified>(
          space, statistic->second, static_cast<std::size_t>(call.integer("strata", 5, 2, 1000)));
    }};

}  // namespace
}  // namespace mosaic::supernet
