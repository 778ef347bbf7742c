#include <algorithm>
#include <cmath>
#include <limits>

#include "algorithm_state.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/pareto.hpp"
#include "operators.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

using spaces::Genotype;

constexpr int kPatience = 50;  // mutations of one child that are all known

/// Adds to each member of a front (indices into `points`) its crowding distance: over all
/// objectives, how far apart its neighbours are, as a share of the front's range; infinite at the
/// ends.
void add_crowding(const std::vector<std::vector<double>>& points,
                  const std::vector<std::size_t>& front, std::vector<double>& crowding) {
  std::vector<std::pair<double, std::size_t>> order(front.size());
  for (std::size_t objective = 0; objective < points[front[0]].size(); ++objective) {
    for (std::size_t i = 0; i < front.size(); ++i)
      order[i] = {points[front[i]][objective], front[i]};
    std::sort(order.begin(), order.end());
    crowding[order.front().second] = std::numeric_limits<double>::infinity();
    crowding[order.back().second] = std::numeric_limits<double>::infinity();
    const double range = order.back().first - order.front().first;
    if (!(range > 0) || !std::isfinite(range)) continue;
    for (std::size_t i = 1; i + 1 < order.size(); ++i)
      crowding[order[i].second] += (order[i + 1].first - order[i - 1].first) / range;
  }
}

/// Fronts of nondominated sorting, and everybody's crowding distance in the own front.
struct Sorted {
  std::vector<std::size_t> ranks;
  std::vector<std::vector<std::size_t>> fronts;
  std::vector<double> crowding;

  explicit Sorted(const std::vector<std::vector<double>>& points)
      : ranks(core::nondominated_ranks(points)), crowding(points.size(), 0) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (fronts.size() <= ranks[i]) fronts.resize(ranks[i] + 1);
      fronts[ranks[i]].push_back(i);
    }
    for (const auto& front : fronts) add_crowding(points, front, crowding);
  }

  bool better(std::size_t a, std::size_t b) const {
    return ranks[a] != ranks[b] ? ranks[a] < ranks[b] : crowding[a] > crowding[b];
  }
};

/// NSGA-II's scheme (Deb et al. 2002): parents by binary tournament, survivors among parents and
/// children, both by rank and then crowding. Genes are crossed uniformly and mutated by option, and
/// no network is proposed twice. Everything in O(n log n) with up to two objectives.
class Evolution : public PopulationAlgorithm {
 public:
  Evolution(const spaces::Space& space, AlgorithmSettings settings, double cr, std::string identity)
      : PopulationAlgorithm(space, std::move(settings), "evolution", std::move(identity)),
        cr_(cr) {}

 private:
  std::vector<Genotype> next(core::Stream& stream) override {
    const Sorted sorted(points());
    std::vector<Genotype> batch;
    batch.reserve(settings_.population);
    while (batch.size() < settings_.population) {
      Genotype child = members_[parent(sorted, stream)].genotype;
      if (stream.uniform() < cr_)
        cross_into(child, members_[parent(sorted, stream)].genotype, stream);
      mutate_genes(child, stream);
      child = space_.canonical(std::move(child));
      if (known_.take(child, kPatience, [&](Genotype& varied) { mutate_one(varied, stream); })) {
        batch.push_back(std::move(child));
        continue;
      }
      const std::size_t before = batch.size();
      known_.fill(batch, before + 1, space_, stream);
      if (batch.size() == before) break;  // there is nothing new
    }
    return batch;
  }

  std::vector<std::vector<double>> points() const {
    std::vector<std::vector<double>> result;
    for (const Member& member : members_) result.push_back(member.objectives);
    return result;
  }

  std::size_t parent(const Sorted& sorted, core::Stream& stream) const {
    const std::size_t a = stream.below(members_.size());
    const std::size_t b = stream.below(members_.size());
    return sorted.better(b, a) ? b : a;
  }

  /// Every gene from one of the two parents with equal chance.
  static void cross_into(Genotype& child, const Genotype& other, core::Stream& stream) {
    std::uint32_t coins = 0;
    for (std::size_t i = 0; i < child.size(); ++i) {
      if (i % 32 == 0) coins = stream();
      if ((coins >> (i % 32) & 1) != 0) child[i] = other[i];
    }
  }

  /// Each gene with chance 1 / genes, so that one changes on average.
  void mutate_genes(Genotype& child, core::Stream& stream) const {
    for (std::size_t i = 0; i < child.size(); ++i)
      if (stream.below(child.size()) == 0)
        child[i] = mutate_option(space_.genes()[i], child[i], stream);
  }

  /// One gene that the network depends on.
  void mutate_one(Genotype& child, core::Stream& stream) const {
    const auto depends = space_.active_genes(child);
    std::vector<std::size_t> active;
    for (std::size_t i = 0; i < child.size(); ++i)
      if (depends[i]) active.push_back(i);
    if (active.empty()) return;
    const std::size_t gene = active[stream.below(active.size())];
    child[gene] = mutate_option(space_.genes()[gene], child[gene], stream);
    child = space_.canonical(std::move(child));
  }

  /// Keeps the best fronts; of the one that fits in part, those in the least crowded places.
  void survive() override {
    if (members_.size() <= settings_.population) return;
    Sorted sorted(points());
    std::vector<Member> kept;
    for (auto& front : sorted.fronts) {
      const std::size_t room = settings_.population - kept.size();
      if (room == 0) break;
      if (front.size() > room) {
        std::stable_sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
          return sorted.crowding[a] > sorted.crowding[b];
        });
        front.resize(room);
      }
      for (const std::size_t i : front) kept.push_back(std::move(members_[i]));
    }
    members_ = std::move(kept);
  }

  double cr_;
};

double crossover_rate(const core::Call& call) {
  call.expect_only({"cr"});
  return call.number("cr", 0.9, 0, 1);
}

void check_population(const core::Call&, std::size_t population) {
  if (population < 2)
    throw core::UsageError("evolution needs a population of at least 2 (two parents), not " +
                               std::to_string(population),
                           "leave it out for 40");
}

const core::Registered kEntry{
    algorithms(), "evolution",
    "NSGA-II's selection (Deb et al. 2002) over genes as they are, any population and number of "
    "objectives, no network twice; cr=0.9 crossover probability",
    AlgorithmType{.make =
                      [](const core::Call& call, const spaces::Space& space,
                         const AlgorithmSettings& settings) {
                        return std::make_unique<Evolution>(space, settings, crossover_rate(call),
                                                           state_identity(call, space, settings));
                      },
                  .arguments = [](const core::Call& call) { crossover_rate(call); },
                  .population = check_population,
                  .default_population = 40}};

}  // namespace

}  // namespace mosaic::search
