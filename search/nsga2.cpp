#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>

#include <cmath>
#include <locale>
#include <optional>
#include <sstream>

#include "algorithm_state.hpp"
#include "mosaic/core/random.hpp"
#include "pagmo_problem.hpp"

namespace mosaic::search {

namespace {

const std::vector<std::string> kArguments = {"cr", "eta_c", "m", "eta_m"};

/// Variation operators. pagmo crosses (simulated binary crossover) and then mutates integer genes
/// uniformly; by default one gene of a child is mutated on average, because a child equal to its
/// parent is a proposal wasted.
struct Variation {
  double cr;
  double eta_c;
  double m;
  double eta_m;

  Variation(const core::Call& call, std::size_t genes)
      : cr(std::min(call.number("cr", 0.95, 0, 1), std::nextafter(1.0, 0.0))),  // pagmo: below 1
        eta_c(call.number("eta_c", 10, 1, 99)),
        m(call.number("m", 1.0 / static_cast<double>(std::max<std::size_t>(genes, 1)), 0, 1)),
        eta_m(call.number("eta_m", 50, 1, 99)) {}
};

/// NSGA-II (Deb et al. 2002) of pagmo, one generation a step.
class Nsga2 : public SearchAlgorithm {
 public:
  Nsga2(const spaces::Space& space, const AlgorithmSettings& settings, const Variation& variation,
        std::string identity)
      : problem_(space, settings.objectives),
        settings_(settings),
        identity_(std::move(identity)),
        algorithm_(make_udp(variation, settings.seed)) {}

  void step(const BatchFitness& fitness) override {
    if (!population_) {
      problem_.connect(&fitness);
      population_.emplace(pagmo::problem{problem_}, evaluator(), settings_.population,
                          seed32(settings_.seed, "search/nsga2/population"));
    } else {
      connect(&fitness);
      population_ = algorithm_.evolve(*population_);
    }
    connect(nullptr);
  }

  std::string save() const override {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    {
      boost::archive::text_oarchive archive(out);
      const bool begun = population_.has_value();
      archive << begun << algorithm_;
      if (begun) archive << *population_;
    }
    return write_state(identity_, out.str());
  }

  void load(const std::string& state) override {
    std::istringstream in(read_state(identity_, state));
    in.imbue(std::locale::classic());
    pagmo::algorithm algorithm;
    std::optional<pagmo::population> population;
    try {
      boost::archive::text_iarchive archive(in);
      bool begun = false;
      archive >> begun >> algorithm;
      if (begun) archive >> population.emplace();
    } catch (const std::exception& error) {
      throw_bad_state("nsga2", error.what());
    }
    if (!algorithm.is<pagmo::nsga2>() ||
        (population && !population->get_problem().is<SpaceProblem>()))
      throw_bad_state("nsga2", "it holds something else");
    algorithm.extract<pagmo::nsga2>()->set_bfe(evaluator());
    algorithm_ = std::move(algorithm);
    population_ = std::move(population);
  }

 private:
  static pagmo::bfe evaluator() { return pagmo::bfe{pagmo::member_bfe{}}; }

  static unsigned seed32(std::uint64_t seed, const char* name) {
    return core::Stream(seed, name)();
  }

  static pagmo::algorithm make_udp(const Variation& variation, std::uint64_t seed) {
    pagmo::nsga2 udp(1, variation.cr, variation.eta_c, variation.m, variation.eta_m,
                     seed32(seed, "search/nsga2"));
    udp.set_bfe(evaluator());
    return pagmo::algorithm{std::move(udp)};
  }

  void connect(const BatchFitness* fitness) {
    population_->get_problem().extract<SpaceProblem>()->connect(fitness);
  }

  SpaceProblem problem_;
  AlgorithmSettings settings_;
  std::string identity_;
  pagmo::algorithm algorithm_;
  std::optional<pagmo::population> population_;
};

void check_population(std::size_t population) {
  if (population >= 8 && population % 4 == 0) return;
  const std::size_t below = std::max<std::size_t>(8, population / 4 * 4);
  throw core::UsageError("population " + std::to_string(population) +
                             (population < 8 ? " is less than 8" : " is not a multiple of 4") +
                             " (NSGA-II pairs parents four at a time)",
                         "use " + std::to_string(below) + " or " + std::to_string(below + 4));
}

void check_arguments(const core::Call& call) {
  call.expect_only(kArguments);
  Variation(call, 1);
}

std::unique_ptr<SearchAlgorithm> make_nsga2(const core::Call& call, const spaces::Space& space,
                                            const AlgorithmSettings& settings) {
  if (settings.objectives < 2)
    throw core::UsageError("nsga2 needs at least two objectives, and the job has " +
                               std::to_string(settings.objectives),
                           "add an [[objective]], or search with 'random'");
  if (space.genes().empty())
    throw core::UsageError(
        "the space " + space.name() + " has no decisions: nsga2 has nothing to vary",
        "give its options more than one choice");
  return std::make_unique<Nsga2>(space, settings, Variation(call, space.genes().size()),
                                 state_identity(call, space, settings));
}

const core::Registered kEntry{
    algorithms(), "nsga2",
    "NSGA-II: nondominated sorting and crowding (Deb et al. 2002); cr=0.95 crossover probability, "
    "eta_c=10 its distribution index, m=1/genes mutation probability of a gene, eta_m=50",
    AlgorithmFactory(make_nsga2)};
const core::Registered kRulesEntry{
    algorithm_rules(), "nsga2", "",
    AlgorithmRules{.arguments = check_arguments, .population = check_population}};

}  // namespace

}  // namespace mosaic::search
