// "linas": evaluate, learn from everything seen, search on what was learned, choose the next batch.
#include <tbb/parallel_for.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>

#include "acquisition.hpp"
#include "algorithm_state.hpp"
#include "archive.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/predictors/structure.hpp"
#include "operators.hpp"
#include "population.hpp"
#include "surrogate.hpp"

namespace mosaic::search {

namespace {

using predictors::StructureFeatures;

constexpr std::size_t kListed = 20'000;    // genotypes, or candidates, that are all weighed
constexpr std::size_t kMostRecords = 500;  // that the models learn from
constexpr std::size_t kShortlist = 1500;   // candidates among which a batch is composed
constexpr int kInnerGenerations = 8;
constexpr std::size_t kInnerChildren = 250;
constexpr std::size_t kInnerPopulation = 100;

/// Predictor-assisted search in the manner of LINAS (Cummings et al. 2022; section 6 of the method
/// notes): one model per objective and constraint is refitted on everything seen, the space is
/// searched on the models, and the batch that is evaluated next is composed, one network after the
/// other, by what it may be expected to add to the front, mean and uncertainty alike. A known
/// network is never proposed. Spaces of up to 20,000 genotypes (or candidates, where there are
/// some) are weighed whole; larger ones are searched by evolution on the models, whose population
/// is carried from round to round.
class Linas : public SearchAlgorithm {
 public:
  struct Arguments {
    std::size_t initial;
    bool extremes;
    Arguments(const core::Call& call, std::size_t population) {
      call.expect_only({"initial", "extremes"});
      const auto usual = static_cast<long long>(std::max<std::size_t>(10, population));
      initial = static_cast<std::size_t>(call.integer("initial", usual, 4, 1'000'000));
      extremes = call.integer("extremes", 1, 0, 1) == 1;
    }
  };

  Linas(const spaces::Space& space, AlgorithmSettings settings, Arguments arguments,
        std::string identity)
      : space_(space),
        settings_(std::move(settings)),
        arguments_(arguments),
        identity_(std::move(identity)),
        known_(settings_.candidates) {}

  void step(const BatchFitness& fitness) override {
    core::Stream stream(settings_.seed, "search/linas", rounds_);
    const auto batch = rounds_ == 0 ? first_batch(stream) : next_batch(stream);
    ++rounds_;
    if (batch.empty()) return;
    const auto vectors = fitness(batch);
    std::size_t good = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      known_.add(batch[i]);
      records_.push_back({batch[i], vectors[i]});
      good += failed(vectors[i]) ? 0 : 1;
    }
    batches_.push_back(good);
  }

  std::string save() const override {
    nlohmann::json records = nlohmann::json::array();
    for (const auto& record : records_)
      records.push_back({{"genotype", record.genotype}, {"vector", record.vector}});
    nlohmann::json models = nlohmann::json::array();
    for (const auto& model : models_) models.push_back(model.save());
    const nlohmann::json content = {{"rounds", rounds_},   {"fits", fits_},    {"records", records},
                                    {"batches", batches_}, {"models", models}, {"inner", inner_}};
    return write_state(identity_, content.dump());
  }

  void load(const std::string& state) override {
    Linas read(space_, settings_, arguments_, identity_);
    read_json_state(identity_, state, "linas", [&read](const nlohmann::json& content) {
      content.at("rounds").get_to(read.rounds_);
      content.at("fits").get_to(read.fits_);
      content.at("batches").get_to(read.batches_);
      content.at("inner").get_to(read.inner_);
      for (const auto& record : content.at("records")) {
        read.records_.push_back({record.at("genotype"), record.at("vector")});
        read.known_.add(read.records_.back().genotype);
      }
      if (!content.at("models").empty()) {
        read.prepare();
        for (std::size_t k = 0; k < read.models_.size(); ++k)
          read.models_[k].load(content.at("models").at(k));
      }
    });
    rounds_ = read.rounds_;
    fits_ = read.fits_;
    batches_ = std::move(read.batches_);
    inner_ = std::move(read.inner_);
    records_ = std::move(read.records_);
    known_ = std::move(read.known_);
    models_ = std::move(read.models_);
    features_ = std::move(read.features_);
    listed_ = std::move(read.listed_);
    to_records_.clear();
  }

 private:
  struct Record {
    spaces::Genotype genotype;
    std::vector<double> vector;
  };
  struct Listed {  // all networks of a small space
    std::vector<spaces::Genotype> genotypes;
    Eigen::MatrixXf features;
  };
  /// Candidates, what is believed of them, and what each may be expected to gain.
  struct Weighed {
    std::vector<spaces::Genotype> genotypes;
    Eigen::MatrixXf features;
    std::vector<Beliefs> beliefs;
    std::vector<double> gains;
  };

  /// What was given to begin with, the smallest and the largest network (or the candidates nearest
  /// to them), and random ones.
  std::vector<spaces::Genotype> first_batch(core::Stream& stream) {
    std::vector<spaces::Genotype> batch;
    const auto take = [&](spaces::Genotype genotype) {
      if (known_.take(genotype, 0, [](const auto&) {})) batch.push_back(std::move(genotype));
    };
    for (const auto& genotype : settings_.start) take(genotype);
    if (arguments_.extremes) {
      if (batch.size() < arguments_.initial) take(space_.smallest());
      if (batch.size() < arguments_.initial) take(space_.largest());
    }
    known_.fill(batch, arguments_.initial, space_, stream);
    return batch;
  }

  std::vector<spaces::Genotype> next_batch(core::Stream& stream) {
    const auto used = records_in_use();
    if (used.size() < 4) return random_batch(stream);  // nearly everything failed so far
    prepare();
    const Eigen::MatrixXf records = rows_of(used);
    fit(used, records, stream.next64());
    const Acquisition acquisition(settings_.objectives, front_of(used), stream.next64());
    Weighed shortlist = listed_ ? weigh_all(records, acquisition)
                                : weigh_evolved(records, acquisition, used, stream);
    auto batch = compose(shortlist, acquisition);
    if (batch.empty()) batch = random_batch(stream);
    if (!listed_) carry(shortlist, batch);
    return batch;
  }

  std::vector<spaces::Genotype> random_batch(core::Stream& stream) {
    std::vector<spaces::Genotype> batch;
    known_.fill(batch, settings_.population, space_, stream);
    return batch;
  }

  void prepare() {
    if (features_) return;
    features_ = std::make_unique<StructureFeatures>(space_);
    models_.assign(settings_.objectives + settings_.constraints,
                   Surrogate(features_->groups().size()));
    if (auto all = list()) {
      listed_.emplace();
      listed_->features = features_of(*all);
      listed_->genotypes = std::move(*all);
    }
  }

  /// All networks that may be proposed, where they are not too many.
  std::optional<std::vector<spaces::Genotype>> list() const {
    if (!settings_.candidates) return space_.enumerate(kListed);
    if (settings_.candidates->size() > kListed) return std::nullopt;
    return settings_.candidates->networks();
  }

  Eigen::MatrixXf features_of(const std::vector<spaces::Genotype>& genotypes) const {
    Eigen::MatrixXf rows(static_cast<Eigen::Index>(genotypes.size()),
                         static_cast<Eigen::Index>(features_->size()));
    tbb::parallel_for(std::size_t{0}, genotypes.size(), [&](std::size_t i) {
      const auto row = (*features_)(genotypes[i]);
      rows.row(static_cast<Eigen::Index>(i)) =
          Eigen::Map<const Eigen::RowVectorXf>(row.data(), static_cast<Eigen::Index>(row.size()));
    });
    return rows;
  }

  /// Good records; of more than the models can take, the newest half and some of the older ones.
  std::vector<std::size_t> records_in_use() const {
    std::vector<std::size_t> good;
    for (std::size_t i = 0; i < records_.size(); ++i)
      if (!failed(records_[i].vector)) good.push_back(i);
    if (good.size() <= kMostRecords) return good;
    const std::size_t half = kMostRecords / 2;
    const std::size_t older = good.size() - half;
    std::vector<std::size_t> used;
    for (std::size_t i = 0; i < half; ++i) used.push_back(good[i * older / half]);
    used.insert(used.end(), good.end() - static_cast<std::ptrdiff_t>(half), good.end());
    return used;
  }

  Eigen::MatrixXf rows_of(const std::vector<std::size_t>& used) const {
    std::vector<spaces::Genotype> genotypes;
    for (const std::size_t i : used) genotypes.push_back(records_[i].genotype);
    return features_of(genotypes);
  }

  /// Hyperparameters are chosen anew often while there are few records, seldom later.
  void fit(const std::vector<std::size_t>& used, const Eigen::MatrixXf& records,
           std::uint64_t seed) {
    const std::uint64_t every = used.size() < 100 ? 1 : used.size() < 200 ? 2 : 4;
    const int steps = fits_ == 0 ? 60 : fits_ % every == 0 ? 15 : 0;
    ++fits_;
    const auto between = distances(records, records, features_->starts());
    for (std::size_t k = 0; k < models_.size(); ++k) {
      std::vector<double> targets;
      for (const std::size_t i : used) targets.push_back(records_[i].vector[k]);
      models_[k].fit(between, targets, steps, seed + 100 * k);
    }
  }

  /// Objectives of the feasible networks that none dominates.
  std::vector<std::vector<double>> front_of(const std::vector<std::size_t>& used) const {
    std::vector<std::vector<double>> points;
    for (const std::size_t i : front_indices(used))
      points.push_back(penalised(records_[i].vector, settings_.objectives));
    return points;
  }

  std::vector<std::size_t> front_indices(const std::vector<std::size_t>& used) const {
    std::vector<std::vector<double>> points;
    std::vector<std::size_t> feasible;
    for (const std::size_t i : used) {
      const auto& vector = records_[i].vector;
      if (std::any_of(vector.begin() + static_cast<std::ptrdiff_t>(settings_.objectives),
                      vector.end(), [](double excess) { return excess > 0; }))
        continue;
      feasible.push_back(i);
      points.push_back(penalised(vector, settings_.objectives));
    }
    std::vector<std::size_t> result;
    for (const std::size_t i : core::pareto_front(points)) result.push_back(feasible[i]);
    return result;
  }

  std::vector<Beliefs> beliefs_of(const Distances& candidates) const {
    return core::mapped(models_, [&](const auto& model) { return model.predict(candidates); });
  }

  /// Distances of all listed networks to the records; those of earlier rounds are kept. In the same
  /// pieces after a resume: sums in another order would round differently.
  const Distances& listed_distances(const Eigen::MatrixXf& records) {
    const auto& starts = features_->starts();
    const auto total = std::accumulate(batches_.begin(), batches_.end(), std::size_t{0});
    if (total > kMostRecords) {
      to_records_ = distances(listed_->features, records, starts);
      return to_records_;
    }
    if (to_records_.empty()) {
      to_records_.assign(starts.size() - 1, Eigen::MatrixXf(listed_->features.rows(), 0));
      pieces_ = 0;
    }
    Eigen::Index begin = to_records_[0].cols();
    for (; pieces_ < batches_.size(); ++pieces_) {
      const auto width = static_cast<Eigen::Index>(batches_[pieces_]);
      if (width == 0) continue;
      const auto piece = distances(listed_->features, records.middleRows(begin, width), starts);
      for (std::size_t g = 0; g < piece.size(); ++g) {
        to_records_[g].conservativeResize(Eigen::NoChange, begin + width);
        to_records_[g].rightCols(width) = piece[g];
      }
      begin += width;
    }
    return to_records_;
  }

  Weighed weigh_all(const Eigen::MatrixXf& records, const Acquisition& acquisition) {
    const auto beliefs = beliefs_of(listed_distances(records));
    std::vector<Eigen::Index> order;
    std::vector<double> gains(listed_->genotypes.size(), -1);
    for (std::size_t i = 0; i < gains.size(); ++i) {
      if (known_.contains(listed_->genotypes[i])) continue;
      order.push_back(static_cast<Eigen::Index>(i));
      gains[i] = acquisition(beliefs, static_cast<Eigen::Index>(i));
    }
    keep_best(order, gains, kShortlist);
    Weighed result;
    for (const auto i : order) {
      result.genotypes.push_back(listed_->genotypes[static_cast<std::size_t>(i)]);
      result.gains.push_back(gains[static_cast<std::size_t>(i)]);
    }
    result.features = listed_->features(order, Eigen::all);
    for (const auto& belief : beliefs) result.beliefs.push_back(belief.at(order));
    return result;
  }

  static void keep_best(std::vector<Eigen::Index>& order, const std::vector<double>& gains,
                        std::size_t most) {
    std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
      return gains[static_cast<std::size_t>(a)] > gains[static_cast<std::size_t>(b)];
    });
    order.resize(std::min(order.size(), most));
  }

  Weighed weigh(std::vector<spaces::Genotype> genotypes, const Eigen::MatrixXf& records,
                const Acquisition& acquisition) const {
    Weighed result;
    result.features = features_of(genotypes);
    result.beliefs = beliefs_of(distances(result.features, records, features_->starts()));
    for (std::size_t i = 0; i < genotypes.size(); ++i)
      result.gains.push_back(acquisition(result.beliefs, static_cast<Eigen::Index>(i)));
    result.genotypes = std::move(genotypes);
    return result;
  }

  /// Evolution on the models: children of the front and of the population carried along, the best
  /// by expected gain are the next population.
  Weighed weigh_evolved(const Eigen::MatrixXf& records, const Acquisition& acquisition,
                        const std::vector<std::size_t>& used, core::Stream& stream) const {
    std::vector<spaces::Genotype> elders;
    for (const std::size_t i : front_indices(used)) elders.push_back(records_[i].genotype);
    std::vector<spaces::Genotype> population = inner_;
    std::map<spaces::Genotype, double> gains;
    for (int generation = 0; generation < kInnerGenerations; ++generation) {
      auto children = breed(elders, population, gains, stream);
      if (generation == 0)  // what was carried along is weighed anew
        for (const auto& genotype : inner_)
          if (!known_.contains(genotype) && !gains.contains(genotype)) children.insert(genotype);
      if (children.empty()) break;
      const auto weighed = weigh({children.begin(), children.end()}, records, acquisition);
      for (std::size_t i = 0; i < weighed.gains.size(); ++i)
        gains[weighed.genotypes[i]] = weighed.gains[i];
      population = best_of(gains, kInnerPopulation);
    }
    return weigh(best_of(gains, kShortlist), records, acquisition);
  }

  std::set<spaces::Genotype> breed(const std::vector<spaces::Genotype>& elders,
                                   const std::vector<spaces::Genotype>& population,
                                   const std::map<spaces::Genotype, double>& weighed,
                                   core::Stream& stream) const {
    std::set<spaces::Genotype> children;
    const auto parent = [&]() -> spaces::Genotype {
      const std::size_t count = elders.size() + population.size();
      if (count == 0 || stream.uniform() < 0.1) return space_.random(stream);
      const auto i = stream.below(count);
      return i < elders.size() ? elders[i] : population[i - elders.size()];
    };
    // Looking for the nearest of many candidates takes a while: no second attempts then.
    const std::size_t attempts = settings_.candidates ? kInnerChildren : 4 * kInnerChildren;
    for (std::size_t attempt = 0; attempt < attempts && children.size() < kInnerChildren;
         ++attempt) {
      spaces::Genotype child = parent();
      if (stream.below(2) == 1) child = cross(space_, child, parent(), stream);
      child = mutate(space_, child, stream, 0.5);
      for (auto& near : known_.all_nearest(child))
        if (!weighed.contains(near)) children.insert(std::move(near));
    }
    return children;
  }

  static std::vector<spaces::Genotype> best_of(const std::map<spaces::Genotype, double>& gains,
                                               std::size_t most) {
    std::vector<std::pair<double, spaces::Genotype>> order;
    for (const auto& [genotype, gain] : gains) order.emplace_back(-gain, genotype);
    std::sort(order.begin(), order.end());
    std::vector<spaces::Genotype> result;
    for (std::size_t i = 0; i < std::min(order.size(), most); ++i)
      result.push_back(std::move(order[i].second));
    return result;
  }

  /// One network after the other: the one of largest expected gain, given that those before it turn
  /// out as expected.
  std::vector<spaces::Genotype> compose(Weighed& shortlist, Acquisition acquisition) const {
    std::vector<spaces::Genotype> batch;
    std::set<std::size_t> taken;
    while (batch.size() < settings_.population && taken.size() < shortlist.genotypes.size()) {
      std::size_t best = shortlist.genotypes.size();
      for (std::size_t i = 0; i < shortlist.genotypes.size(); ++i) {
        if (taken.contains(i)) continue;
        if (!batch.empty())
          shortlist.gains[i] = acquisition(shortlist.beliefs, static_cast<Eigen::Index>(i));
        if (best == shortlist.genotypes.size() || shortlist.gains[i] > shortlist.gains[best])
          best = i;
      }
      taken.insert(best);
      batch.push_back(shortlist.genotypes[best]);
      if (batch.size() == settings_.population) break;
      const auto chosen = static_cast<Eigen::Index>(best);
      const auto to_chosen =
          distances(shortlist.features, shortlist.features.row(chosen), features_->starts());
      std::vector<double> expected;
      for (std::size_t k = 0; k < models_.size(); ++k) {
        if (k < settings_.objectives) expected.push_back(shortlist.beliefs[k].value(chosen));
        models_[k].condition(shortlist.beliefs[k], chosen, to_chosen);
      }
      acquisition.add(expected);
    }
    return batch;
  }

  void carry(const Weighed& shortlist, const std::vector<spaces::Genotype>& batch) {
    inner_.clear();
    for (const auto& genotype : shortlist.genotypes)
      if (inner_.size() < kInnerPopulation &&
          std::find(batch.begin(), batch.end(), genotype) == batch.end())
        inner_.push_back(genotype);
  }

  const spaces::Space& space_;
  AlgorithmSettings settings_;
  Arguments arguments_;
  std::string identity_;
  std::uint64_t rounds_ = 0;
  std::uint64_t fits_ = 0;
  std::vector<Record> records_;       // in the order evaluated
  std::vector<std::size_t> batches_;  // good records of each round
  std::vector<spaces::Genotype> inner_;
  Known known_;
  std::unique_ptr<StructureFeatures> features_;  // made when first needed
  std::optional<Listed> listed_;
  std::vector<Surrogate> models_;
  Distances to_records_;    // of listed networks
  std::size_t pieces_ = 0;  // batches that it holds
};

std::unique_ptr<SearchAlgorithm> make_linas(const core::Call& call, const spaces::Space& space,
                                            const AlgorithmSettings& settings) {
  return std::make_unique<Linas>(space, settings, Linas::Arguments(call, settings.population),
                                 state_identity(call, space, settings));
}

const core::Registered kEntry{
    algorithms(), "linas",
    "predictor-assisted: learns every objective from all networks seen and evaluates next those of "
    "largest expected (hypervolume) improvement, `population` a round; initial=10 networks before "
    "the first model, extremes=1: the smallest and the largest network among them",
    AlgorithmType{.make = make_linas,
                  .arguments = [](const core::Call& call) { Linas::Arguments(call, 1); },
                  .default_population = 5}};

}  // namespace

}  // namespace mosaic::search
